"""One connection to the caption socket."""

import asyncio

import pytest

from tests.unit.client.servers import Script, Socket, caption_server
from transcription_client import connection as connection_module
from transcription_client.connection import CaptionConnection
from transcription_client.errors import ClientError
from transcription_client.redial import Ended
from transcription_wire import messages as wire

AUTH = wire.Auth("a-token", {"model": "nova-2"}, "an-earlier-session")


async def play(script: Script) -> tuple[bool, Ended, list[wire.ServerMessage]]:
    """Whether a session began, how the connection ended, and what was told."""
    told: list[wire.ServerMessage] = []
    async with caption_server(script) as (server, _), asyncio.timeout(10):
        connection = await CaptionConnection.dial(server, lambda message, text: told.append(message))
        began = await connection.open_session(AUTH)
        await connection.listening
        return began, await connection.close(), told


async def test_a_session_that_ends_with_its_receipt() -> None:
    async def script(socket: Socket) -> None:
        await socket.ready("a-session")
        await socket.end(reason="idle")

    began, ended, told = await play(script)
    assert began
    assert ended == Ended(ready=True, reason="idle")
    assert told == [wire.Ready("a-session", 600), wire.SessionEnd(3, 2.5, "idle")]


async def test_one_that_ends_with_an_error_and_its_receipt() -> None:
    async def script(socket: Socket) -> None:
        await socket.ready()
        await socket.say("error", code="bad_message", message="What?")
        await socket.say("error", code="service_restart", message="Connect again.")
        await socket.end(reason="service_restart")

    assert (await play(script))[:2] == (True, Ended(ready=True, error="service_restart", reason="service_restart"))


async def test_one_that_is_lost() -> None:
    async def script(socket: Socket) -> None:
        await socket.ready()
        socket.vanish()

    assert (await play(script))[:2] == (True, Ended(ready=True))


async def test_one_that_is_refused() -> None:
    async def script(socket: Socket) -> None:
        await socket.until("auth")
        await socket.refuse("busy")

    assert await play(script) == (False, Ended(error="busy"), [wire.Error("busy", "No.")])


async def test_one_that_is_lost_before_it_began() -> None:
    async def script(socket: Socket) -> None:
        await socket.until("auth")
        socket.vanish()

    assert await play(script) == (False, Ended(), [])


async def test_messages_arrive_in_order_until_the_connection_is_lost() -> None:
    async def script(socket: Socket) -> None:
        await socket.ready()
        await socket.until("stop")
        await socket.end()

    async with caption_server(script) as (server, heard), asyncio.timeout(10):
        connection = await CaptionConnection.dial(server, lambda message, text: None)
        await connection.open_session(AUTH)
        assert await connection.send_audio(b"one")
        assert await connection.send_audio(b"two")
        assert await connection.send_message(wire.Stop())
        await connection.listening
        assert not await connection.send_audio(b"three")
        assert not await connection.send_message(wire.Stop())
        await connection.close()
    auth = {"type": "auth", "token": "a-token", "config": {"model": "nova-2"}, "replaces": "an-earlier-session"}
    assert heard.said == [auth, b"one", b"two", {"type": "stop"}]


async def test_a_connection_that_is_slow_is_reported_each_second_until_it_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection_module, "PROBE_SECONDS", 0.01)
    monkeypatch.setattr(connection_module, "LATE_SECONDS", 0.2)
    enough, over, lates = asyncio.Event(), asyncio.Event(), list[float]()

    def on_delay(late: float) -> None:
        lates.append(late)
        enough.set() if late > 0.3 else None
        over.set() if late == 0 else None

    async def script(socket: Socket) -> None:
        await socket.ready()
        socket.freeze()
        await enough.wait()
        socket.thaw()
        await over.wait()
        await socket.end()

    async with caption_server(script) as (server, _), asyncio.timeout(10):
        connection = await CaptionConnection.dial(server, lambda message, text: None)
        await connection.open_session(AUTH)
        await connection.report_delay(on_delay)
        await connection.close()
    *late, last = lates
    rising = late[: late.index(max(late)) + 1]  # answers that come after the thaw are less and less late
    assert rising == sorted(rising)
    assert 0.2 < rising[0] < 0.3 < rising[-1]
    assert last == 0


async def test_an_error_of_on_message_is_raised_by_close() -> None:
    def fails(message: wire.ServerMessage, text: str) -> None:
        raise ZeroDivisionError

    async def script(socket: Socket) -> None:
        await socket.ready()

    async with caption_server(script) as (server, heard), asyncio.timeout(10):
        connection = await CaptionConnection.dial(server, fails)
        await connection.open_session(AUTH)
        with pytest.raises(ZeroDivisionError):
            await connection.close()
        await heard.closed.wait()


async def test_an_unreachable_server_is_a_one_sentence_error(nobody: str) -> None:
    with pytest.raises(ClientError, match=f"Can't reach {nobody}"):
        await CaptionConnection.dial(nobody, lambda message, text: None)

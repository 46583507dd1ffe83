"""One transcription, with a service that behaves and with others."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.client.servers import Http, Socket, caption_server
from transcription_client.errors import ClientError
from transcription_client.net import transcribe
from transcription_client.store import Login
from transcription_wire import messages as wire

LOGIN = Login("", "me@example.com", "a-token", "a-refresh-token", 0.0)
CONFIG = {"model": "nova-2", "language": "en-US"}
Script = Callable[[Socket], Awaitable[None]]


class Audience:
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.messages: list[wire.ServerMessage] = []
        self.texts: list[str] = []

    def __call__(self, message: wire.ServerMessage, text: str) -> None:
        self.messages.append(message)
        self.texts.append(text)

    @property
    def kinds(self) -> list[str]:
        return [type(message).__name__ for message in self.messages]


async def speech(*frames: bytes) -> AsyncIterator[bytes]:
    for frame in frames:
        yield frame


async def microphone() -> AsyncIterator[bytes]:
    """It never ends."""
    while True:
        yield b"sound"
        await asyncio.sleep(0.001)


async def run(
    server: str,
    audio: AsyncIterator[bytes],
    on_message: Callable[[wire.ServerMessage, str], None],
    interrupted: asyncio.Event | None = None,
) -> wire.SessionEnd | None:
    async with asyncio.timeout(20):
        login = replace(LOGIN, server=server)
        return await transcribe(login, CONFIG, audio, interrupted or asyncio.Event(), on_message)


async def test_from_auth_to_the_receipt() -> None:
    async def script(socket: Socket) -> None:
        await socket.ready()
        await socket.until("stop")
        await socket.say(
            "transcript", text="hello", is_final=True, confidence=None, start=0, duration=1, speech_final=True
        )
        await socket.end()

    audience = Audience()
    async with caption_server(script) as (server, heard):
        end = await run(server, speech(b"one", b"two", b"three"), audience)
        await heard.closed.wait()
    assert end == wire.SessionEnd(3, 2.5, "client_stop")
    assert audience.kinds == ["Ready", "Transcript", "SessionEnd"]
    assert json.loads(audience.texts[1])["text"] == "hello"
    auth, *audio, stop = heard.said
    assert (auth["type"], auth["token"], auth["config"]) == ("auth", "a-token", CONFIG)
    assert audio == [b"one", b"two", b"three"]
    assert stop == {"type": "stop"}


async def test_no_sound_is_sent_before_the_service_is_ready() -> None:
    asked = asyncio.Event()

    async def sound() -> AsyncIterator[bytes]:
        asked.set()
        yield b"sound"

    async def script(socket: Socket) -> None:
        await socket.until("auth")
        await socket.say("credits_low", seconds_remaining=50)
        assert not asked.is_set()
        await socket.say("ready", session_id="s", seconds_remaining=50)
        await socket.until("stop")
        await socket.end()

    async with caption_server(script) as (server, heard):
        assert await run(server, sound(), Audience()) is not None
    assert heard.audio == b"sound"


async def test_an_interruption_stops_and_still_brings_the_receipt() -> None:
    interrupted = asyncio.Event()

    async def script(socket: Socket) -> None:
        await socket.ready()
        await socket.next()
        interrupted.set()
        await socket.until("stop")
        await socket.end()

    async with caption_server(script) as (server, heard):
        end = await run(server, microphone(), Audience(), interrupted)
    assert end == wire.SessionEnd(3, 2.5, "client_stop")
    assert heard.types == ["auth", "stop"]


async def test_a_source_that_breaks_off_is_told_after_the_receipt() -> None:
    async def torn() -> AsyncIterator[bytes]:
        yield b"half"
        raise ClientError("The tape is torn.")

    async def script(socket: Socket) -> None:
        await socket.ready()
        await socket.until("stop")
        await socket.end()

    audience = Audience()
    async with caption_server(script) as (server, heard):
        with pytest.raises(ClientError, match="torn"):
            await run(server, torn(), audience)
    assert heard.audio == b"half"
    assert audience.kinds == ["Ready", "SessionEnd"]


async def test_the_service_may_end_it() -> None:
    async def script(socket: Socket) -> None:
        await socket.ready()
        await socket.next()
        await socket.say("error", code="insufficient_credits", message="No minutes are left.")
        await socket.end(reason="insufficient_credits")

    audience = Audience()
    async with caption_server(script) as (server, _):
        end = await run(server, microphone(), audience)
    assert end is not None
    assert end.reason == "insufficient_credits"
    assert audience.kinds == ["Ready", "Error", "SessionEnd"]


async def test_a_refusal_is_shown_and_has_no_receipt() -> None:
    async def script(socket: Socket) -> None:
        await socket.until("auth")
        await socket.say("error", code="a_code_of_tomorrow", message="Not today.")
        await socket.close(4499)

    audience = Audience()
    async with caption_server(script) as (server, heard):
        assert await run(server, microphone(), audience) is None
    assert audience.messages == [wire.Error("a_code_of_tomorrow", "Not today.")]
    assert heard.audio == b""


@pytest.mark.parametrize("message", ["nonsense", "[]", '{"type":"news","of":"tomorrow"}', '{"no":"type"}', b"\x00\xff"])
async def test_messages_of_a_newer_service_are_passed_over(message: str | bytes) -> None:
    async def script(socket: Socket) -> None:
        await socket.ready()
        await socket.send(message)
        await socket.until("stop")
        await socket.end(of_a_newer_server=1)

    audience = Audience()
    async with caption_server(script) as (server, _):
        assert await run(server, speech(b"x"), audience) is not None
    assert audience.kinds == ["Ready", "SessionEnd"]


async def test_a_message_that_was_not_understood_is_no_refusal() -> None:
    async def script(socket: Socket) -> None:
        await socket.ready()
        await socket.say("error", code="bad_message", message="What?")
        await socket.close()

    async with caption_server(script) as (server, _):
        with pytest.raises(ClientError, match="before the receipt"):
            await run(server, microphone(), Audience())


async def closes(socket: Socket) -> None:
    await socket.ready()
    await socket.next()
    await socket.close(1011)


async def vanishes(socket: Socket) -> None:
    await socket.ready()
    await socket.next()
    socket.vanish()


async def vanishes_at_the_end(socket: Socket) -> None:
    await socket.ready()
    await socket.until("stop")
    socket.vanish()


@pytest.mark.parametrize("script", [closes, vanishes, vanishes_at_the_end])
async def test_a_connection_lost_before_the_receipt_is_told(script: Script) -> None:
    async with caption_server(script) as (server, _):
        with pytest.raises(
            ClientError, match="The connection was lost before the receipt: see transcription-client balance"
        ):
            await run(server, speech(b"x", b"y"), Audience())


async def test_one_lost_before_it_began_is_told() -> None:
    async def script(socket: Socket) -> None:
        await socket.until("auth")
        socket.vanish()

    async with caption_server(script) as (server, _):
        with pytest.raises(ClientError, match="The service did not begin: try again"):
            await run(server, microphone(), Audience())


async def test_a_screen_that_fails_ends_the_session() -> None:
    def closed_pipe(*_: Any) -> None:
        raise BrokenPipeError

    async def script(socket: Socket) -> None:
        await socket.ready()

    async with caption_server(script) as (server, heard):
        with pytest.raises(BrokenPipeError):
            await run(server, microphone(), closed_pipe)
        await asyncio.wait_for(heard.closed.wait(), 10)


async def test_without_a_service_there_is_no_transcription(nobody: str) -> None:
    with pytest.raises(ClientError, match=f"^{nobody} cannot be reached"):
        await run(nobody, microphone(), Audience())


async def test_nor_with_a_server_of_something_else(http: Http) -> None:
    with pytest.raises(ClientError, match=f"^{http.url} cannot be reached .*404"):
        await run(http.url, microphone(), Audience())


async def test_the_caption_socket_needs_no_proxy_on_this_machine(nobody: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(socket: Socket) -> None:
        await socket.ready()
        await socket.until("stop")
        await socket.end()

    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, nobody)
    async with caption_server(script) as (server, _):
        assert await run(server, speech(b"x"), Audience()) is not None

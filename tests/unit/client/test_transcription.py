"""One transcription, with a service that behaves, and with others."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from tests.unit.client.servers import Http, Script, Socket, caption_server
from tests.unit.client.transcriptions import (
    AUDIO,
    CONFIG,
    SECOND,
    Display,
    finishes,
    microphone,
    run,
    speech,
)
from transcription_client.errors import ClientError
from transcription_client.flow import Source
from transcription_wire import messages as wire


async def test_from_auth_to_the_receipt() -> None:
    async def script(socket: Socket) -> None:
        await socket.ready()
        await socket.until("stop")
        await socket.say(
            "transcript", text="hello", is_final=True, confidence=None, start=0, duration=1, speech_final=True
        )
        await socket.end()

    display = Display()
    async with caption_server(script) as (server, heard):
        assert await run(server, speech(b"one", b"two", b"three"), display)
        await heard.closed.wait()
    assert display.messages[-1] == wire.SessionEnd(3, 2.5, "client_stop")
    assert display.kinds == ["Ready", "Transcript", "SessionEnd"]
    assert json.loads(display.texts[1])["text"] == "hello"
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
        assert await run(server, Source(sound(), AUDIO), Display())
    assert heard.audio == b"sound"


async def test_an_interruption_stops_and_still_brings_the_receipt() -> None:
    interrupted = asyncio.Event()

    async def script(socket: Socket) -> None:
        await socket.ready()
        await socket.next()
        interrupted.set()
        await socket.until("stop")
        await socket.end()

    display = Display()
    async with caption_server(script) as (server, heard):
        assert await run(server, microphone(), display, interrupted)
    assert display.messages[-1] == wire.SessionEnd(3, 2.5, "client_stop")
    assert heard.types == ["auth", "stop"]


async def test_the_error_of_a_source_is_shown_after_the_receipt() -> None:
    async def torn() -> AsyncIterator[bytes]:
        yield b"half"
        raise ClientError("The tape is torn.")

    async def script(socket: Socket) -> None:
        await socket.ready()
        await socket.until("stop")
        await socket.end()

    display = Display()
    async with caption_server(script) as (server, heard):
        with pytest.raises(ClientError, match="torn"):
            await run(server, Source(torn(), AUDIO), display)
    assert heard.audio == b"half"
    assert display.kinds == ["Ready", "SessionEnd"]


async def test_the_service_may_end_it() -> None:
    async def script(socket: Socket) -> None:
        await socket.ready()
        await socket.next()
        await socket.say("error", code="insufficient_credits", message="No minutes are left.")
        await socket.end(reason="insufficient_credits")

    display = Display()
    async with caption_server(script) as (server, _):
        assert not await run(server, microphone(), display)
    assert display.messages[-1] == wire.SessionEnd(3, 2.5, "insufficient_credits")
    assert display.kinds == ["Ready", "Error", "SessionEnd"]


async def test_a_refusal_is_shown_and_has_no_receipt() -> None:
    async def script(socket: Socket) -> None:
        await socket.until("auth")
        await socket.say("error", code="a_code_of_tomorrow", message="Not today.")
        await socket.close(4499)

    display = Display()
    async with caption_server(script) as (server, heard):
        assert not await run(server, microphone(), display)
    assert display.messages == [wire.Error("a_code_of_tomorrow", "Not today.")]
    assert heard.audio == b""


@pytest.mark.parametrize("message", ["nonsense", "[]", '{"type":"news","of":"tomorrow"}', '{"no":"type"}', b"\x00\xff"])
async def test_messages_of_a_newer_service_are_passed_over(message: str | bytes) -> None:
    async def script(socket: Socket) -> None:
        await socket.ready()
        await socket.send(message)
        await socket.until("stop")
        await socket.end(of_a_newer_server=1)

    display = Display()
    async with caption_server(script) as (server, _):
        assert await run(server, speech(b"x"), display)
    assert display.kinds == ["Ready", "SessionEnd"]


async def test_a_message_that_was_not_understood_is_no_refusal() -> None:
    async def script(socket: Socket) -> None:
        await socket.ready()
        await socket.say("error", code="bad_message", message="What?")
        await socket.close()

    display = Display()
    async with caption_server(script, finishes) as (server, _):
        assert await run(server, speech(bytes(SECOND)), display)
    assert display.reasons == ["The connection was lost."]


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
async def test_a_connection_lost_before_the_receipt_is_an_error(script: Script) -> None:
    async with caption_server(script) as (server, _):
        with pytest.raises(
            ClientError, match=r"The connection was lost before the receipt\. Run transcription-client balance"
        ):
            await run(server, speech(b"x", b"y"), Display())


async def test_a_connection_lost_before_its_session_is_an_error() -> None:
    async def script(socket: Socket) -> None:
        await socket.until("auth")
        socket.vanish()

    async with caption_server(script) as (server, _):
        with pytest.raises(ClientError, match="The service didn't start the session"):
            await run(server, microphone(), Display())


class ClosedPipe(Display):
    def show(self, message: wire.ServerMessage, text: str, *, repeated: bool = False) -> None:
        raise BrokenPipeError


async def test_a_screen_that_fails_ends_the_session() -> None:
    async def script(socket: Socket) -> None:
        await socket.ready()

    async with caption_server(script) as (server, heard):
        with pytest.raises(BrokenPipeError):
            await run(server, microphone(), ClosedPipe())
        await asyncio.wait_for(heard.closed.wait(), 10)


async def test_without_a_service_there_is_no_transcription(nobody: str) -> None:
    with pytest.raises(ClientError, match=f"Can't reach {nobody}"):
        await run(nobody, microphone(), Display())


async def test_nor_with_a_server_of_something_else(http: Http) -> None:
    with pytest.raises(ClientError, match=f"Can't reach {http.url} .*404"):
        await run(http.url, microphone(), Display())


async def test_the_caption_socket_needs_no_proxy_on_this_machine(nobody: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(socket: Socket) -> None:
        await socket.ready()
        await socket.until("stop")
        await socket.end()

    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, nobody)
    async with caption_server(script) as (server, _):
        assert await run(server, speech(b"x"), Display())

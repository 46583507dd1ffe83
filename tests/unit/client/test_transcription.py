"""One transcription, with a service that behaves, with others, and with connections that are lost."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.client.servers import Answer, Http, Script, Socket, caption_server
from transcription_client.core import Format
from transcription_client.errors import ClientError
from transcription_client.flow import Source
from transcription_client.net import Receipt
from transcription_client.redial import Redial
from transcription_client.store import Login
from transcription_client.transcription import Transcription
from transcription_wire import messages as wire

LOGIN = Login("", "me@example.com", "a-token", "a-refresh-token", 0.0)
CONFIG = {"model": "nova-2", "language": "en-US"}
AUDIO = Format("mulaw", 8000)
SECOND = AUDIO.bytes_per_second


class Display:
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.messages: list[wire.ServerMessage] = []
        self.texts: list[str] = []
        self.repeated: list[wire.ServerMessage] = []
        self.reasons: list[str] = []
        self.overcame = 0
        self.gaps = 0.0
        self.lates: list[float] = []
        self.receipts: list[Receipt] = []
        self.balance: int | None = None

    def show(self, message: wire.ServerMessage, text: str, *, repeated: bool = False) -> None:
        self.messages.append(message)
        self.texts.append(text)
        if repeated:
            self.repeated.append(message)

    def show_reconnecting(self, why: str, tries: int) -> None:
        self.reasons.append(why)

    def clear_errors(self) -> None:
        self.overcame += 1

    def show_delay(self, seconds: float) -> None:
        self.lates.append(seconds)

    def show_gap(self, seconds: float) -> None:
        self.gaps += seconds

    def show_receipt(self, receipt: Receipt) -> None:
        self.receipts.append(receipt)

    def show_balance(self, seconds: int) -> None:
        self.balance = seconds

    @property
    def kinds(self) -> list[str]:
        return [type(message).__name__ for message in self.messages]


def speech(*frames: bytes) -> Source:
    async def sound() -> AsyncIterator[bytes]:
        for frame in frames:
            yield frame

    return Source(sound(), AUDIO)


def microphone() -> Source:
    """It never ends."""

    async def sound() -> AsyncIterator[bytes]:
        while True:
            yield b"sound"
            await asyncio.sleep(0.001)

    return Source(sound(), AUDIO)


def quick(within: float = 10.0) -> Redial:
    return Redial(within, pauses=(0.01,), last_try=within)


def no_other_token(login: Login) -> Login:
    raise ClientError("There is no other one.")


async def run(
    server: str,
    source: Source,
    display: Display,
    interrupted: asyncio.Event | None = None,
    redial: Redial | None = None,
    renew: Callable[[Login], Login] = no_other_token,
) -> bool:
    async with asyncio.timeout(20):
        return await Transcription(
            replace(LOGIN, server=server),
            renew,
            CONFIG,
            display,
            interrupted or asyncio.Event(),
            redial or quick(),
        ).run(source)


async def finishes(socket: Socket) -> None:
    """A session in which all goes well."""
    await socket.ready("another-session")
    await socket.until("stop")
    await socket.end()


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


# Connections that are lost


def sound(seconds: float, first: float = 0) -> bytes:
    return b"".join(number.to_bytes(4, "big") for number in range(round(first * 2000), round((first + seconds) * 2000)))


def cut_after(nbytes: int, final: float = 0.0) -> Script:
    """A session that is lost when it has heard so much; its words were final up to there, seconds."""

    async def script(socket: Socket) -> None:
        await socket.ready("first-session")
        await socket.hears(nbytes)
        if final:
            await socket.final("final words", 0.0, final)
        socket.vanish()

    return script


async def test_another_session_replaces_a_lost_one_and_gets_audio_without_finals() -> None:
    display = Display()
    async with caption_server(cut_after(5 * SECOND, final=2.0), finishes) as (server, heard):
        assert await run(server, speech(sound(5), sound(3, first=5)), display)
    first, second = heard.each
    assert "replaces" not in first.said[0] or first.said[0]["replaces"] is None
    assert second.said[0]["replaces"] == "first-session"
    assert (second.said[0]["token"], second.said[0]["config"]) == ("a-token", CONFIG)
    assert second.audio == sound(6, first=2)
    assert second.types == ["auth", "stop"]
    assert display.reasons == ["The connection was lost."]
    assert display.repeated == []


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011, 1012])
async def test_a_close_without_a_receipt_is_a_loss(code: int) -> None:
    async def script(socket: Socket) -> None:
        await socket.ready()
        await socket.hears(SECOND)
        if code == 1006:
            socket.vanish()
        else:
            await socket.close(code)

    async with caption_server(script, finishes) as (server, heard):
        assert await run(server, speech(sound(2)), Display())
    assert heard.each[1].audio == sound(2)


@pytest.mark.parametrize(
    ("reason", "code", "close"),
    [
        ("service_restart", "service_restart", 1012),
        ("database_away", "service_unavailable", 1013),
        ("upstream_closed", "upstream_closed", 1011),
        ("upstream_closed", "busy", 1013),
        ("upstream_closed", "upstream_unavailable", 1011),
        ("lease_expired", "internal", 1011),
        ("internal", "internal", 1011),
    ],
)
async def test_an_end_that_may_pass_is_followed_by_another_session(reason: str, code: str, close: int) -> None:
    async def script(socket: Socket) -> None:
        await socket.ready("first-session")
        await socket.hears(SECOND)
        await socket.say("error", code=code, message="Connect again.")
        await socket.say("session_end", seconds_used=1, audio_seconds=1.0, reason=reason)
        await socket.close(close)

    display = Display()
    async with caption_server(script, finishes) as (server, heard):
        assert await run(server, speech(sound(3)), display)
    assert heard.each[1].said[0]["replaces"] == "first-session"
    assert heard.each[1].audio == sound(3)
    assert [message for message in display.messages if isinstance(message, wire.SessionEnd)] == [
        wire.SessionEnd(1, 1.0, reason),
        wire.SessionEnd(3, 2.5, "client_stop"),
    ]
    assert display.overcame == 1


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("client_stop", None),
        ("ended_by_user", None),
        ("ended_by_operator", None),
        ("ended_by_operator", "unauthorized"),
        ("signed_out", "unauthorized"),
        ("insufficient_credits", "insufficient_credits"),
        ("replaced", None),
        ("idle", None),
        ("bad_messages", "bad_message"),
        ("too_slow", None),
        ("upstream_closed", "invalid_config"),
        ("a_reason_of_tomorrow", None),
    ],
)
async def test_a_final_end_is_the_end(reason: str, code: str | None) -> None:
    async def script(socket: Socket) -> None:
        await socket.ready()
        await socket.hears(100)
        if code is not None:
            await socket.say("error", code=code, message="That was it.")
        await socket.end(reason=reason)

    display = Display()
    async with caption_server(script) as (server, heard):
        assert await run(server, microphone(), display) is (reason == "client_stop")
    assert len(heard.each) == 1
    assert display.reasons == []


async def test_it_tries_again_and_again_with_the_same_session_to_be_replaced() -> None:
    async def refuses(socket: Socket) -> None:
        await socket.until("auth")
        await socket.refuse("too_many_connections", 4429)

    async def leaves(socket: Socket) -> None:
        await socket.until("auth")
        socket.vanish()

    display = Display()
    async with caption_server(cut_after(SECOND), refuses, leaves, refuses, finishes) as (server, heard):
        assert await run(server, speech(sound(2)), display)
    assert [each.said[0]["replaces"] for each in heard.each[1:]] == ["first-session"] * 4
    assert display.reasons == [
        "The connection was lost.",
        "You've reached your limit of live sessions.",
        "The service isn't responding.",
        "You've reached your limit of live sessions.",
    ]


async def test_a_refusal_that_is_final_ends_it_in_mid_outage_too() -> None:
    async def refuses(socket: Socket) -> None:
        await socket.until("auth")
        await socket.refuse("insufficient_credits", 4402, "No minutes are available.")

    display = Display()
    async with caption_server(cut_after(SECOND), refuses) as (server, heard):
        assert not await run(server, speech(sound(2)), display)
    assert len(heard.each) == 2
    assert display.messages[-1] == wire.Error("insufficient_credits", "No minutes are available.")


async def test_sound_that_comes_meanwhile_is_kept_and_sent_first_but_not_all_at_once() -> None:
    goes_on, back = asyncio.Event(), asyncio.Event()

    async def sound_of_a_day() -> AsyncIterator[bytes]:
        yield sound(1)
        await goes_on.wait()
        for second in range(1, 20):
            yield sound(1, first=second)
        back.set()
        yield sound(1, first=20)

    async def loses(socket: Socket) -> None:
        await socket.ready()
        await socket.hears(SECOND)
        socket.vanish()
        goes_on.set()

    async def is_late(socket: Socket) -> None:
        await back.wait()
        began = time.monotonic()
        await socket.ready()
        await socket.hears(11 * SECOND)
        assert time.monotonic() - began >= 0.5  # ten seconds at once, then no faster than twice as it was spoken
        await socket.final("words", 0.0, 20.0)
        await socket.until("stop")
        await socket.end()

    source = Source(sound_of_a_day(), AUDIO, live=True)
    display = Display()
    async with caption_server(loses, is_late) as (server, heard):
        assert await run(server, source, display)
    assert heard.each[1].audio == sound(21)
    assert display.gaps == 0


async def test_of_sound_that_cannot_wait_the_oldest_is_lost_and_it_is_said_and_no_success() -> None:
    back = asyncio.Event()

    async def sound_of_a_day() -> AsyncIterator[bytes]:
        for second in range(70):
            yield sound(1, first=second)
        back.set()

    async def is_late(socket: Socket) -> None:
        await back.wait()
        await socket.ready()
        for heard in range(10, 60, 10):
            await socket.hears(heard * SECOND)
            await socket.final("words", 0.0, float(heard))
        await socket.until("stop")
        await socket.end()

    display = Display()
    async with caption_server(is_late) as (server, heard):
        assert not await run(server, Source(sound_of_a_day(), AUDIO, live=True), display)
    assert display.gaps == 10
    assert heard.audio == sound(60, first=10)


async def test_sound_that_can_wait_does_and_nothing_is_lost() -> None:
    goes_on, taken = asyncio.Event(), 0

    async def file() -> AsyncIterator[bytes]:
        nonlocal taken
        for second in range(100):
            taken = second
            yield sound(1, first=second)

    async def is_late(socket: Socket) -> None:
        async with asyncio.timeout(10):
            while taken < 59:
                await asyncio.sleep(0.001)
        await socket.ready()
        goes_on.set()
        for heard in range(10, 100, 10):
            await socket.hears(heard * SECOND)
            await socket.final("words", 0.0, float(heard))
        await socket.until("stop")
        await socket.end()

    display = Display()
    async with caption_server(cut_after(SECOND), is_late) as (server, heard):
        assert await run(server, Source(file(), AUDIO), display)
    assert taken == 99
    assert heard.each[1].audio == sound(100)
    assert display.gaps == 0


async def test_on_words_gets_times_of_the_whole_source() -> None:
    told: list[float] = []

    async def script(socket: Socket) -> None:
        await socket.ready()
        await socket.hears(6 * SECOND)
        await socket.final("words", 0.0, 3.5)
        await socket.until("stop")
        await socket.end()

    source = replace(speech(sound(5), sound(3, first=5)), on_words=told.append)
    async with caption_server(cut_after(5 * SECOND, final=2.0), script) as (server, _):
        assert await run(server, source, Display())
    assert told == [2.0, 5.5]


async def test_what_a_source_lost_itself_is_a_gap() -> None:
    missed = [SECOND // 2, 0]
    source = replace(speech(sound(1), sound(1, first=1)), take_missed=missed.pop)
    display = Display()
    async with caption_server(finishes) as (server, _):
        assert not await run(server, source, display)
    assert display.gaps == 0.5


async def test_words_of_a_channel_that_were_final_before_are_marked_as_repeated() -> None:
    audio = Format("mulaw", 8000, channels=2)

    async def loses(socket: Socket) -> None:
        await socket.ready()
        await socket.hears(2 * audio.bytes_per_second)
        await socket.final("first channel", 0.0, 2.0, channel=[0, 2])
        socket.vanish()

    async def script(socket: Socket) -> None:
        await socket.ready()
        await socket.hears(2 * audio.bytes_per_second)
        await socket.final("first channel", 0.0, 2.0, channel=[0, 2])
        await socket.final("second channel", 0.0, 2.0, channel=[1, 2])
        await socket.until("stop")
        await socket.end()

    display = Display()
    async with caption_server(loses, script) as (server, _):
        assert await run(server, replace(speech(sound(4)), audio=audio), display)
    assert [message.text for message in display.repeated if isinstance(message, wire.Transcript)] == ["first channel"]


async def test_last_words_that_are_owed_are_sought_after_stop_too() -> None:
    async def loses(socket: Socket) -> None:
        await socket.ready("first-session")
        await socket.until("stop")
        await socket.final("words", 0.0, 1.0)
        socket.vanish()

    async with caption_server(loses, finishes) as (server, heard):
        assert await run(server, speech(sound(2)), Display())
    assert heard.each[1].audio == sound(1, first=1)
    assert heard.each[1].types == ["auth", "stop"]


async def test_a_restart_after_the_last_words_needs_no_other_session() -> None:
    async def script(socket: Socket) -> None:
        await socket.ready()
        await socket.until("stop")
        await socket.final("words", 0.0, 2.0)
        await socket.say("error", code="service_restart", message="Connect again.")
        await socket.end(reason="service_restart")

    display = Display()
    async with caption_server(script) as (server, heard):
        assert await run(server, speech(sound(2)), display)
    assert len(heard.each) == 1


SAYS_LATER = "Couldn't reconnect within 0.2 s"


async def test_after_a_minute_it_gives_up_and_says_what_has_no_captions() -> None:
    async def refuses(socket: Socket) -> None:
        await socket.until("auth")
        await socket.refuse("busy")

    async with caption_server(cut_after(2 * SECOND, final=0.5), refuses) as (server, heard):
        sentence = rf"^{SAYS_LATER}\. All .* busy right now\. The last 1\.5 s of audio have no captions\. Run "
        with pytest.raises(ClientError, match=sentence):
            await run(server, speech(sound(2)), Display(), redial=quick(0.2))
    assert len(heard.each) > 2


async def test_a_service_that_does_not_answer_any_more_is_given_up_too() -> None:
    async def silent(socket: Socket) -> None:
        await socket.until("auth")

    async with caption_server(cut_after(SECOND), silent) as (server, heard):
        with pytest.raises(ClientError, match=rf"{SAYS_LATER}\. The service isn't responding"):
            await run(server, speech(sound(2)), Display(), redial=quick(0.2))
        await asyncio.wait_for(heard.closed.wait(), 10)


async def test_one_whose_sessions_bring_nothing_is_given_up_too() -> None:
    async with caption_server(cut_after(SECOND)) as (server, heard):
        with pytest.raises(ClientError, match=SAYS_LATER):
            await run(server, speech(sound(2)), Display(), redial=quick(0.2))
    assert len(heard.each) > 2


async def test_one_whose_sessions_bring_words_each_time_is_good_enough() -> None:
    async with caption_server(*[cut_after(2 * SECOND, final=1.0)] * 8, finishes) as (server, heard):
        assert await run(server, speech(sound(12)), Display(), redial=Redial(0.5, pauses=(0.2,)))
    assert heard.each[8].audio == sound(4, first=8)


async def test_an_interruption_in_an_outage_ends_it_there() -> None:
    interrupted = asyncio.Event()

    async def silent(socket: Socket) -> None:
        await socket.until("auth")
        interrupted.set()

    async with caption_server(cut_after(SECOND), silent) as (server, heard):
        with pytest.raises(
            ClientError, match=r"^Stopped while reconnecting\. .* The last 2 s of audio have no captions\.$"
        ):
            await run(server, speech(sound(2)), Display(), interrupted, quick(600))
        await asyncio.wait_for(heard.closed.wait(), 10)


async def test_so_does_one_between_two_tries() -> None:
    interrupted = asyncio.Event()

    class Impatient(Display):
        def show_reconnecting(self, why: str, tries: int) -> None:
            interrupted.set()

    async with caption_server(cut_after(SECOND)) as (server, heard):
        with pytest.raises(ClientError, match="Stopped while reconnecting"):
            await run(server, speech(sound(2)), Impatient(), interrupted, Redial(pauses=(600.0,)))
    assert len(heard.each) == 1


async def test_an_interruption_while_it_catches_up_still_captions_what_was_said() -> None:
    interrupted, back = asyncio.Event(), asyncio.Event()

    async def sound_of_a_day() -> AsyncIterator[bytes]:
        for second in range(20):
            yield sound(1, first=second)
        back.set()
        while True:
            await asyncio.sleep(1)

    async def script(socket: Socket) -> None:
        await back.wait()
        await socket.ready()
        interrupted.set()
        await socket.hears(10 * SECOND)
        await socket.final("words", 0.0, 20.0)
        await socket.until("stop")
        await socket.end()

    async with caption_server(script) as (server, heard):
        assert await run(server, Source(sound_of_a_day(), AUDIO, live=True), Display(), interrupted)
    assert heard.audio == sound(20)


# Tokens


async def test_a_refused_token_is_renewed_once_silently() -> None:
    async def script(socket: Socket) -> None:
        if (await socket.next())["token"] == "a-token":
            await socket.refuse("unauthorized", 4401)
        else:
            await socket.say("ready", session_id="s", seconds_remaining=600)
            await socket.until("stop")
            await socket.end()

    display = Display()
    async with caption_server(script) as (server, heard):
        assert await run(server, speech(b"x"), display, renew=lambda login: replace(login, token="another-token"))
    assert [each.said[0]["token"] for each in heard.each] == ["a-token", "another-token"]
    assert (display.overcame, display.reasons) == (1, [])


@pytest.mark.parametrize("renew", [no_other_token, lambda login: login])
async def test_a_token_that_cannot_be_renewed_or_is_refused_again_is_a_refusal(
    renew: Callable[[Login], Login],
) -> None:
    async def script(socket: Socket) -> None:
        await socket.until("auth")
        await socket.refuse("unauthorized", 4401, "Log in again.")

    display = Display()
    async with caption_server(script) as (server, heard):
        assert not await run(server, speech(b"x"), display, renew=renew)
    assert display.messages[-1] == wire.Error("unauthorized", "Log in again.")
    assert len(heard.each) == (1 if renew is no_other_token else 2)


async def test_a_token_may_expire_in_mid_transcription_again_and_again() -> None:
    async def refuses(socket: Socket) -> None:
        await socket.until("auth")
        await socket.refuse("unauthorized", 4401)

    tokens = iter(["second", "third"])
    cut = cut_after(SECOND)
    async with caption_server(cut, refuses, cut, refuses, finishes) as (server, heard):
        assert await run(server, speech(sound(2)), Display(), renew=lambda login: replace(login, token=next(tokens)))
    assert [each.said[0]["token"] for each in heard.each] == ["a-token", "a-token", "second", "second", "third"]
    assert heard.each[4].said[0]["replaces"] == "first-session"


# Receipts that did not come

ROW = {"id": "first-session", "seconds_used": 1, "audio_seconds": 0.9, "reason": "client_gone", "status": "completed"}
OTHER = {**ROW, "id": "of-another-day"}
BALANCE = {"seconds_remaining": 590, "minutes_remaining": 9, "seconds_held": 0, "seconds_frozen": 0}


def accounts(*usages: list[dict[str, Any]]) -> Callable[[str], Answer]:
    """Answers about sessions, one after another; the last one goes on."""
    asked = 0

    def answer(path: str) -> Answer:
        nonlocal asked
        if path == "/billing/balance":
            return 200, BALANCE
        assert path == "/account/usage"
        asked += 1
        return 200, {"days": [], "sessions": usages[min(asked, len(usages)) - 1]}

    return answer


async def test_the_receipt_of_a_lost_session_is_asked_for_until_it_is_there() -> None:
    live = {**ROW, "status": "active", "audio_seconds": None, "reason": None}
    answer = accounts([], [live, OTHER], [ROW, OTHER])
    display = Display()
    async with caption_server(cut_after(SECOND), finishes, answer=answer) as (server, _):
        assert await run(server, speech(sound(2)), display)
    assert display.receipts == [Receipt("first-session", "completed", 1, 0.9, "client_gone")]
    assert display.balance == 590


async def test_all_is_well_when_only_the_receipt_was_lost() -> None:
    async def script(socket: Socket) -> None:
        await socket.ready("first-session")
        await socket.until("stop")
        await socket.final("words", 0.0, 2.0)
        socket.vanish()

    display = Display()
    async with caption_server(script, answer=accounts([ROW])) as (server, heard):
        assert await run(server, speech(sound(2)), display)
    assert len(heard.each) == 1
    assert len(display.receipts) == 1


async def test_nothing_is_asked_when_all_receipts_came() -> None:
    def answer(path: str) -> Answer:
        raise AssertionError(path)

    async with caption_server(finishes, answer=answer) as (server, _):
        assert await run(server, speech(sound(1)), Display())

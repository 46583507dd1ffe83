"""A transcription whose connection is lost: no gap, no text twice, and what is said of it."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.unit.client.servers import Socket, caption_server
from tests.unit.client.transcriptions import (
    AUDIO,
    CONFIG,
    SECOND,
    Display,
    cut_after,
    finishes,
    microphone,
    run,
    sound,
    speech,
)
from transcription_client.core import Format
from transcription_client.flow import Source
from transcription_wire import messages as wire


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

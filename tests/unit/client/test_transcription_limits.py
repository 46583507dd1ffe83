"""How long a lost connection is tried again, renewed tokens, and receipts that did not come."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.client.servers import Answer, Socket, caption_server
from tests.unit.client.transcriptions import (
    AUDIO,
    SECOND,
    Display,
    cut_after,
    finishes,
    no_other_token,
    quick,
    run,
    sound,
    speech,
)
from transcription_client.errors import ClientError
from transcription_client.flow import Source
from transcription_client.net import Receipt
from transcription_client.redial import Redial
from transcription_client.store import Login
from transcription_wire import messages as wire

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

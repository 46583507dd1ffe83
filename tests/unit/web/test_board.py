"""What works, asked seldom and for a bounded time."""

import asyncio

import pytest

from transcription_proxy.web import board
from transcription_proxy.web.board import FRESH_SECONDS, Board, Part, Probe, State


def saying(*answers: bool) -> Probe:
    left = list(answers)

    async def probe() -> bool:
        return left.pop(0)

    return probe


@pytest.mark.parametrize(
    ("database", "speech", "payments", "state"),
    [
        (True, True, True, State.OPERATIONAL),
        (True, False, True, State.DEGRADED),
        (True, True, False, State.DEGRADED),
        (True, False, False, State.DEGRADED),
        (False, True, True, State.DOWN),
        (False, False, False, State.DOWN),
    ],
)
async def test_the_whole_follows_from_its_parts(database: bool, speech: bool, payments: bool, state: State) -> None:
    probes = {
        Part.DATABASE: saying(database),
        Part.SPEECH_ENGINE: saying(speech),
        Part.PAYMENTS: saying(payments),
    }
    report = await Board(probes).report()
    assert report.parts == {Part.DATABASE: database, Part.SPEECH_ENGINE: speech, Part.PAYMENTS: payments}
    assert report.state is state


async def test_however_many_look_the_parts_are_asked_once_and_later_again() -> None:
    now = 100.0
    watched = Board({Part.DATABASE: saying(True, False)}, lambda: now)
    first, *others = await asyncio.gather(*(watched.report() for _ in range(20)))
    assert all(other is first for other in others)
    now += FRESH_SECONDS - 1
    assert await watched.report() is first
    now += 1
    assert (await watched.report()).state is State.DOWN


async def test_a_part_that_does_not_answer_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent() -> bool:
        await asyncio.Event().wait()
        return True

    monkeypatch.setattr(board, "CHECK_SECONDS", 0.01)
    report = await Board({Part.SPEECH_ENGINE: silent, Part.DATABASE: saying(True)}).report()
    assert report.parts == {Part.SPEECH_ENGINE: False, Part.DATABASE: True}

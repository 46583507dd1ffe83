import asyncio
from time import monotonic

import pytest

from transcription_proxy.process import turns
from transcription_proxy.process.turns import BUSY_FRAMES, TURN_SECONDS, Turns


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of each rest."""
    taken: list[float] = []

    def sleep(seconds: float) -> None:
        taken.append(seconds)
        until = monotonic() + seconds
        while monotonic() < until:
            pass

    monkeypatch.setattr(turns, "sleep", sleep)
    return taken


async def take_turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_turns_that_come_early_are_kept_apart_while_many_frames_come(rests: list[float]) -> None:
    begun = monotonic()
    Turns().pace(BUSY_FRAMES)
    await take_turns(20)
    assert monotonic() - begun >= 18 * TURN_SECONDS
    assert all(0 < rest <= TURN_SECONDS for rest in rests)


async def test_a_turn_rests_once_however_often_the_pace_is_set(rests: list[float]) -> None:
    paced = Turns()
    for _ in range(5):
        paced.pace(BUSY_FRAMES)
    await take_turns(20)
    assert 0 < len(rests) <= 21


async def test_a_turn_that_took_long_does_not_rest(rests: list[float]) -> None:
    Turns().pace(BUSY_FRAMES)
    for _ in range(5):
        until = monotonic() + 2 * TURN_SECONDS
        while monotonic() < until:
            pass
        await asyncio.sleep(0)
    assert rests == []


async def test_few_frames_let_turns_follow_each_other_at_once(rests: list[float]) -> None:
    paced = Turns()
    paced.pace(BUSY_FRAMES - 1)
    await take_turns(5)
    assert rests == []
    paced.pace(BUSY_FRAMES)
    await take_turns(5)
    paced.pace(0)
    await take_turns(1)
    rests.clear()
    await take_turns(5)
    assert rests == []
    paced.pace(BUSY_FRAMES)
    await take_turns(5)
    assert rests

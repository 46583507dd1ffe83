import asyncio

import pytest

from transcription_proxy.process import turns
from transcription_proxy.process.turns import BUSY_FRAMES, TURN_SECONDS, Turns


class Clock:
    """A clock that stands still while nobody sleeps. `rests`: how long each sleep was."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.rests: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.rests.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(turns, "monotonic", clock.monotonic)
    monkeypatch.setattr(turns, "sleep", clock.sleep)
    return clock


async def take_turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_each_turn_begins_later_while_many_frames_come(clock: Clock) -> None:
    Turns().pace(BUSY_FRAMES)
    await take_turns(20)
    assert clock.rests == pytest.approx([TURN_SECONDS] * 20)


async def test_a_turn_rests_once_however_often_the_pace_is_set(clock: Clock) -> None:
    paced = Turns()
    for _ in range(5):
        paced.pace(BUSY_FRAMES)
    await take_turns(20)
    assert len(clock.rests) == 20


async def test_what_a_turn_took_is_taken_off_its_rest(clock: Clock) -> None:
    Turns().pace(BUSY_FRAMES)
    clock.now += 0.8 * TURN_SECONDS
    await take_turns(1)
    assert clock.rests == pytest.approx([0.2 * TURN_SECONDS])


async def test_a_turn_that_took_long_does_not_rest(clock: Clock) -> None:
    Turns().pace(BUSY_FRAMES)
    for _ in range(5):
        clock.now += TURN_SECONDS
        await take_turns(1)
    assert clock.rests == []


async def test_few_frames_let_turns_follow_each_other_at_once(clock: Clock) -> None:
    paced = Turns()
    paced.pace(BUSY_FRAMES - 1)
    await take_turns(5)
    assert clock.rests == []
    paced.pace(BUSY_FRAMES)
    await take_turns(5)
    paced.pace(0)
    await take_turns(5)
    assert len(clock.rests) == 6
    paced.pace(BUSY_FRAMES)
    await take_turns(5)
    assert len(clock.rests) > 6

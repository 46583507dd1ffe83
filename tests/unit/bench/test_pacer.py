"""Slots are called in order, none is left out, and none before its time."""

import asyncio
from itertools import pairwise
from time import monotonic

import pytest

from bench.pacer import SLOTS_AT_ONCE, Pacer


@pytest.mark.parametrize("interval", [0.001, 0.000_001])
async def test_every_slot_is_called_once_and_in_order(interval: float) -> None:
    slots: list[int] = []
    enough = asyncio.Event()

    def work(slot: int) -> None:
        slots.append(slot)
        if len(slots) == 3 * SLOTS_AT_ONCE:
            enough.set()

    pacer = Pacer(interval, work)
    began = monotonic()
    pacer.start()
    await asyncio.wait_for(enough.wait(), 30)
    pacer.stop()
    assert slots == list(range(len(slots)))
    assert len(pacer.lateness) == len(slots)
    assert min(pacer.lateness) >= 0
    assert monotonic() - began >= (3 * SLOTS_AT_ONCE - 1) * interval


async def test_a_pacer_that_is_behind_lets_the_event_loop_turn() -> None:
    slots: list[int] = []
    turns: list[int] = []
    loop = asyncio.get_running_loop()

    def turn() -> None:
        turns.append(len(slots))
        if len(slots) < 10 * SLOTS_AT_ONCE:
            loop.call_soon(turn)

    pacer = Pacer(0.000_001, slots.append)
    pacer.start()
    turn()
    async with asyncio.timeout(30):
        while len(slots) < 10 * SLOTS_AT_ONCE:
            await asyncio.sleep(0)
    pacer.stop()
    assert max(after - before for before, after in pairwise(turns)) <= SLOTS_AT_ONCE

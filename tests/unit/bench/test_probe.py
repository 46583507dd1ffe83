import asyncio
from time import sleep

from bench.probe import TurnProbe


async def test_the_longest_turn_is_the_one_that_blocked() -> None:
    probe = TurnProbe()
    await asyncio.sleep(0)
    sleep(0.02)  # noqa: ASYNC251 - blocks the event loop
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert probe.take() >= 20
    assert probe.take() == 0
    probe.stop()

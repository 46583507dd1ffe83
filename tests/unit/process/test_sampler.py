import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from transcription_proxy.process import sampler
from transcription_proxy.process.sampler import Sampler
from transcription_proxy.process.turns import Turns


class RecordedTurns(Turns):
    def __init__(self) -> None:
        super().__init__()
        self.paces: asyncio.Queue[float] = asyncio.Queue()

    def pace(self, frames: float) -> None:
        self.paces.put_nowait(frames)


class Watch:
    async def is_writable(self) -> bool:
        return True


def switchboard(frames: Sequence[int]) -> Any:
    """A switchboard with sockets that got so many frames each."""
    sockets = [SimpleNamespace(take_frames=lambda got=got: got) for got in frames]
    return SimpleNamespace(relays={}, recordings={}, sockets=sockets, unauthenticated=[])


async def test_the_event_loop_is_paced_by_the_frames_of_all_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler, "SAMPLE_SECONDS", 0.01)
    turns = RecordedTurns()
    watch: Any = Watch()
    task = asyncio.create_task(Sampler(switchboard([10, 20, 12]), watch, turns).run())
    assert await asyncio.wait_for(turns.paces.get(), 10) == pytest.approx(4200)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

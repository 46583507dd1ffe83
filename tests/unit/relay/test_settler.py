"""The settler against books that are slow, locked or away."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest

from transcription_proxy.errors import Unavailable
from transcription_proxy.relay import settler as module
from transcription_proxy.relay.settler import Settler
from transcription_proxy.stream import events as ev
from transcription_proxy.values import Closed, Closing, Settled, Settlement
from transcription_wire.codes import Reason


class Books:
    """Answers every session but the locked ones; away for the first `away` calls."""

    def __init__(self, *, away: int = 0) -> None:
        self.away = away
        self.locked: set[UUID] = set()
        self.batches: list[int] = []

    async def settle(self, batch: Sequence[Settlement]) -> list[Settled]:
        self.batches.append(len(batch))
        self._fail_while_away()
        return [
            Settled(asked.session_id, asked.number, asked.total + 45, asked.total, 100, 0)
            for asked in batch
            if asked.session_id not in self.locked
        ]

    async def close(self, closing: Closing) -> Closed:
        self._fail_while_away()
        return Closed(closing.session_id, closing.total, closing.reason, 0)

    def _fail_while_away(self) -> None:
        if self.away:
            self.away -= 1
            raise Unavailable


class Heard:
    """Collects the events of one session."""

    def __init__(self) -> None:
        self.events: list[ev.Event] = []
        self._changed = asyncio.Event()

    def happen(self, event: ev.Event) -> None:
        self.events.append(event)
        self._changed.set()

    async def one(self) -> ev.Event:
        while not self.events:
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), 5)
        return self.events.pop(0)


@asynccontextmanager
async def running(books: Books) -> AsyncIterator[Settler]:
    settler = Settler(books)
    task = asyncio.create_task(settler.run())
    yield settler
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_all_due_sessions_go_in_one_batch() -> None:
    books, heard = Books(), Heard()
    async with running(books) as settler:
        for _ in range(20):
            settler.settle(Settlement(uuid4(), 1, 5), heard.happen)
        answers = [await heard.one() for _ in range(20)]
    assert books.batches == [20]
    assert all(isinstance(answer, ev.SettleAnswered) for answer in answers)


async def test_long_batches_are_cut() -> None:
    books, heard = Books(), Heard()
    async with running(books) as settler:
        for _ in range(module.BATCH + 1):
            settler.settle(Settlement(uuid4(), 1, 5), heard.happen)
        for _ in range(module.BATCH + 1):
            await heard.one()
    assert books.batches == [module.BATCH, 1]


async def test_a_locked_row_waits_for_the_next_tick() -> None:
    books, heard, locked = Books(), Heard(), uuid4()
    books.locked.add(locked)
    async with running(books) as settler:
        settler.settle(Settlement(locked, 1, 5), heard.happen)
        while len(books.batches) < 3:
            await asyncio.sleep(0)
        assert heard.events == []
        books.locked.clear()
        answer = await heard.one()
    assert isinstance(answer, ev.SettleAnswered)


async def test_a_row_that_stays_locked_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEFT_LOCKED", 0.1)
    books, heard, locked = Books(), Heard(), uuid4()
    books.locked.add(locked)
    async with running(books) as settler:
        settler.settle(Settlement(locked, 1, 5), heard.happen)
        assert await heard.one() == ev.SettleFailed()


async def test_a_database_away_fails_every_settle_at_once() -> None:
    books, heard = Books(away=1), Heard()
    async with running(books) as settler:
        settler.settle(Settlement(uuid4(), 1, 5), heard.happen)
        settler.settle(Settlement(uuid4(), 1, 5), heard.happen)
        assert [await heard.one(), await heard.one()] == [ev.SettleFailed(), ev.SettleFailed()]


async def test_a_close_is_tried_until_it_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_FIRST", 0.01)
    heard, session = Heard(), uuid4()
    settler = Settler(Books(away=3))
    settler.close(Closing(session, 2, 7, Reason.CLIENT_STOP, 7000), heard.happen)
    assert await heard.one() == ev.CloseCommitted(Closed(session, 7, Reason.CLIENT_STOP, 0))
    assert await settler.finish(1) == 0


async def test_a_close_takes_the_place_of_a_settle_that_waits() -> None:
    books, heard, session = Books(), Heard(), uuid4()
    settler = Settler(books)
    settler.settle(Settlement(session, 1, 5), heard.happen)
    settler.close(Closing(session, 2, 7, Reason.CLIENT_STOP, 7000), heard.happen)
    task = asyncio.create_task(settler.run())
    assert isinstance(await heard.one(), ev.CloseCommitted)
    await asyncio.sleep(2 * module.TICK)
    assert books.batches == []
    task.cancel()

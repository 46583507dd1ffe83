"""The settler against books that are slow, locked or away."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest

from transcription_proxy.errors import TooSlow, Unavailable
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
        self.renewed: list[set[UUID]] = []
        self.error: type[Exception] = Unavailable

    async def settle(self, batch: Sequence[Settlement]) -> list[Settled]:
        self.batches.append(len(batch))
        self._fail_while_away()
        return [
            Settled(asked.session_id, asked.number, asked.total + 45, asked.total, 100, 0)
            for asked in batch
            if asked.session_id not in self.locked
        ]

    async def renew_leases(self, sessions: Sequence[UUID]) -> None:
        self._fail_while_away()
        self.renewed.append(set(sessions))

    async def close(self, closing: Closing) -> Closed:
        self._fail_while_away()
        return Closed(closing.session_id, closing.total, closing.reason, 0)

    def _fail_while_away(self) -> None:
        if self.away:
            self.away -= 1
            raise self.error


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
    tasks = [asyncio.create_task(settler.run()), asyncio.create_task(settler.keep_leases())]
    yield settler
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


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


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RENEW_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(module, "RETRY_FIRST", 0.01)


@pytest.mark.usefixtures("quick")
async def test_a_session_whose_settle_failed_keeps_its_lease_until_a_settle_succeeds() -> None:
    books, heard, session = Books(away=1), Heard(), uuid4()
    async with running(books) as settler:
        settler.settle(Settlement(session, 1, 5), heard.happen)
        assert await heard.one() == ev.SettleFailed()
        await until(lambda: {session} in books.renewed)
        settler.settle(Settlement(session, 2, 5), heard.happen)
        assert isinstance(await heard.one(), ev.SettleAnswered)
        books.renewed.clear()
        await asyncio.sleep(0.05)
    assert books.renewed == []


@pytest.mark.usefixtures("quick")
async def test_a_session_that_is_dead_does_not_keep_its_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FAILED_SECONDS", 0.05)
    books, heard = Books(away=1), Heard()
    async with running(books) as settler:
        settler.settle(Settlement(uuid4(), 1, 5), heard.happen)
        await heard.one()
        await until(lambda: bool(books.renewed))
        await asyncio.sleep(0.1)
        assert not settler.is_failing
        books.renewed.clear()
        await asyncio.sleep(0.05)
    assert books.renewed == []


@pytest.mark.usefixtures("quick")
async def test_a_session_whose_settle_waits_keeps_its_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long before it counts as failed: many batches before it may each take their whole time to fail."""
    books, locked = Books(), uuid4()
    monkeypatch.setattr(Settler, "_fail", lambda *_, **__: None)
    monkeypatch.setattr(module, "LEFT_LOCKED", 0.0)
    books.locked.add(locked)
    async with running(books) as settler:
        settler.settle(Settlement(locked, 1, 5), Heard().happen)
        await until(lambda: {locked} in books.renewed)


@pytest.mark.usefixtures("quick")
async def test_a_session_that_cannot_be_closed_keeps_its_lease() -> None:
    books, heard, session = Books(), Heard(), uuid4()
    closed = books.close

    async def close(closing: Closing) -> Closed:
        if not books.renewed:
            raise Unavailable
        return await closed(closing)

    books.close = close  # type: ignore[method-assign]
    async with running(books) as settler:
        settler.close(Closing(session, 2, 7, Reason.CLIENT_STOP, 7000), heard.happen)
        assert isinstance(await heard.one(), ev.CloseCommitted)
    assert books.renewed[0] == {session}


@pytest.mark.usefixtures("quick")
async def test_failures_of_settles_and_renewals_are_counted() -> None:
    books, heard = Books(away=2), Heard()
    async with running(books) as settler:
        settler.settle(Settlement(uuid4(), 1, 5), heard.happen)
        assert await heard.one() == ev.SettleFailed()
        assert settler.failures == 1
        await until(lambda: bool(books.renewed))
        assert settler.failures == 2


@pytest.mark.parametrize("error", [Unavailable, TooSlow, ZeroDivisionError])
async def test_it_is_failing_until_the_session_is_settled(error: type[Exception]) -> None:
    books, heard, session = Books(away=1), Heard(), uuid4()
    books.error = error
    async with running(books) as settler:
        assert not settler.is_failing
        settler.settle(Settlement(session, 1, 5), heard.happen)
        await heard.one()
        assert settler.is_failing
        settler.settle(
            Settlement(uuid4(), 1, 5), heard.happen
        )  # another session's settle proves nothing about this one
        await heard.one()
        assert settler.is_failing
        settler.settle(Settlement(session, 2, 5), heard.happen)
        await heard.one()
        assert not settler.is_failing


async def test_a_locked_row_is_no_failure_of_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEFT_LOCKED", 0.1)
    books, heard, locked = Books(), Heard(), uuid4()
    books.locked.add(locked)
    async with running(books) as settler:
        settler.settle(Settlement(locked, 1, 5), heard.happen)
        assert await heard.one() == ev.SettleFailed()
        assert (settler.failures, settler.is_failing) == (1, False)


@pytest.mark.parametrize(("error", "failing"), [(Unavailable, True), (TooSlow, False), (ZeroDivisionError, False)])
async def test_a_close_that_fails_shows_a_failing_database_unless_its_row_may_be_why(
    error: type[Exception], failing: bool
) -> None:
    books, heard, session = Books(away=1), Heard(), uuid4()
    books.error = error
    settler = Settler(books)
    settler.close(Closing(session, 2, 7, Reason.CLIENT_STOP, 7000), heard.happen)
    await until(lambda: not books.away)
    await asyncio.sleep(0)
    assert settler.is_failing is failing
    assert isinstance(await heard.one(), ev.CloseCommitted)
    assert not settler.is_failing

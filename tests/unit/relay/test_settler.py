"""The settler against ledger that are slow, locked or away."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest

from tests.waiting import until
from transcription_proxy.backoff import Backoff
from transcription_proxy.errors import TooSlow, Unavailable
from transcription_proxy.relay import settler as module
from transcription_proxy.relay.settler import Settler
from transcription_proxy.stream import events as ev
from transcription_proxy.values import Closed, Closing, Settled, Settlement
from transcription_wire.codes import Reason

USER = UUID(int=3)


class FakeLedger:
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

    async def renew_leases(self, sessions: Mapping[UUID, UUID]) -> None:
        self._fail_while_away()
        assert set(sessions.values()) == {USER}
        self.renewed.append(set(sessions))

    async def close(self, closing: Closing) -> Closed:
        self._fail_while_away()
        return Closed(closing.session_id, closing.total, closing.reason, 0)

    def _fail_while_away(self) -> None:
        if self.away:
            self.away -= 1
            raise self.error


class Events:
    """Collects the events of one session."""

    def __init__(self) -> None:
        self.events: list[ev.Event] = []
        self._changed = asyncio.Event()

    def report(self, event: ev.Event) -> None:
        self.events.append(event)
        self._changed.set()

    async def one(self) -> ev.Event:
        while not self.events:
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), 5)
        return self.events.pop(0)


@asynccontextmanager
async def running(ledger: FakeLedger) -> AsyncIterator[Settler]:
    settler = Settler(ledger)
    tasks = [asyncio.create_task(settler.run()), asyncio.create_task(settler.keep_leases())]
    yield settler
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_all_due_sessions_go_in_one_batch() -> None:
    ledger, events = FakeLedger(), Events()
    async with running(ledger) as settler:
        for _ in range(20):
            settler.settle(Settlement(uuid4(), USER, 1, 5), events.report)
        answers = [await events.one() for _ in range(20)]
    assert ledger.batches == [20]
    assert all(isinstance(answer, ev.SettleAnswered) for answer in answers)


async def test_long_batches_are_cut() -> None:
    ledger, events = FakeLedger(), Events()
    async with running(ledger) as settler:
        for _ in range(module.BATCH_SESSIONS + 1):
            settler.settle(Settlement(uuid4(), USER, 1, 5), events.report)
        for _ in range(module.BATCH_SESSIONS + 1):
            await events.one()
    assert ledger.batches == [module.BATCH_SESSIONS, 1]


async def test_a_locked_row_waits_for_the_next_tick() -> None:
    ledger, events, locked = FakeLedger(), Events(), uuid4()
    ledger.locked.add(locked)
    async with running(ledger) as settler:
        settler.settle(Settlement(locked, USER, 1, 5), events.report)
        while len(ledger.batches) < 3:
            await asyncio.sleep(0)
        assert events.events == []
        ledger.locked.clear()
        answer = await events.one()
    assert isinstance(answer, ev.SettleAnswered)


async def test_a_row_that_stays_locked_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LOCKED_SECONDS", 0.1)
    ledger, events, locked = FakeLedger(), Events(), uuid4()
    ledger.locked.add(locked)
    async with running(ledger) as settler:
        settler.settle(Settlement(locked, USER, 1, 5), events.report)
        assert await events.one() == ev.SettleFailed()


async def test_a_database_away_fails_every_settle_at_once() -> None:
    ledger, events = FakeLedger(away=1), Events()
    async with running(ledger) as settler:
        settler.settle(Settlement(uuid4(), USER, 1, 5), events.report)
        settler.settle(Settlement(uuid4(), USER, 1, 5), events.report)
        assert [await events.one(), await events.one()] == [ev.SettleFailed(), ev.SettleFailed()]


async def test_a_close_is_tried_until_it_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLOSE_BACKOFF", Backoff(0.01, 0.01))
    events, session = Events(), uuid4()
    settler = Settler(FakeLedger(away=3))
    settler.close(Closing(session, USER, 2, 7, Reason.CLIENT_STOP, 7000), events.report)
    assert await events.one() == ev.CloseCommitted(Closed(session, 7, Reason.CLIENT_STOP, 0))
    assert await settler.finish(1) == 0


async def test_a_close_takes_the_place_of_a_settle_that_waits() -> None:
    ledger, events, session = FakeLedger(), Events(), uuid4()
    settler = Settler(ledger)
    settler.settle(Settlement(session, USER, 1, 5), events.report)
    settler.close(Closing(session, USER, 2, 7, Reason.CLIENT_STOP, 7000), events.report)
    task = asyncio.create_task(settler.run())
    assert isinstance(await events.one(), ev.CloseCommitted)
    await asyncio.sleep(2 * module.TICK_SECONDS)
    assert ledger.batches == []
    task.cancel()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RENEW_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(module, "CLOSE_BACKOFF", Backoff(0.01, 0.01))


@pytest.mark.usefixtures("quick")
async def test_a_session_whose_settle_failed_keeps_its_lease_until_a_settle_succeeds() -> None:
    ledger, events, session = FakeLedger(away=1), Events(), uuid4()
    async with running(ledger) as settler:
        settler.settle(Settlement(session, USER, 1, 5), events.report)
        assert await events.one() == ev.SettleFailed()
        await until(lambda: {session} in ledger.renewed)
        settler.settle(Settlement(session, USER, 2, 5), events.report)
        assert isinstance(await events.one(), ev.SettleAnswered)
        ledger.renewed.clear()
        await asyncio.sleep(0.05)
    assert ledger.renewed == []


@pytest.mark.usefixtures("quick")
async def test_a_session_that_is_dead_does_not_keep_its_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FAILURE_SECONDS", 0.05)
    ledger, events = FakeLedger(away=1), Events()
    async with running(ledger) as settler:
        settler.settle(Settlement(uuid4(), USER, 1, 5), events.report)
        await events.one()
        await until(lambda: bool(ledger.renewed))
        await asyncio.sleep(0.1)
        assert not settler.is_failing
        ledger.renewed.clear()
        await asyncio.sleep(0.05)
    assert ledger.renewed == []


@pytest.mark.usefixtures("quick")
async def test_a_session_whose_settle_waits_keeps_its_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long before it counts as failed: many batches before it may each take their whole time to fail."""
    ledger, locked = FakeLedger(), uuid4()
    monkeypatch.setattr(Settler, "_fail", lambda *_, **__: None)
    monkeypatch.setattr(module, "MAX_LOCKED_SECONDS", 0.0)
    ledger.locked.add(locked)
    async with running(ledger) as settler:
        settler.settle(Settlement(locked, USER, 1, 5), Events().report)
        await until(lambda: {locked} in ledger.renewed)


@pytest.mark.usefixtures("quick")
async def test_a_session_that_cannot_be_closed_keeps_its_lease() -> None:
    ledger, events, session = FakeLedger(), Events(), uuid4()
    closed = ledger.close

    async def close(closing: Closing) -> Closed:
        if not ledger.renewed:
            raise Unavailable
        return await closed(closing)

    ledger.close = close  # type: ignore[method-assign]
    async with running(ledger) as settler:
        settler.close(Closing(session, USER, 2, 7, Reason.CLIENT_STOP, 7000), events.report)
        assert isinstance(await events.one(), ev.CloseCommitted)
    assert ledger.renewed[0] == {session}


@pytest.mark.usefixtures("quick")
async def test_failures_of_settles_and_renewals_are_counted() -> None:
    ledger, events = FakeLedger(away=2), Events()
    async with running(ledger) as settler:
        settler.settle(Settlement(uuid4(), USER, 1, 5), events.report)
        assert await events.one() == ev.SettleFailed()
        assert settler.failures == 1
        await until(lambda: bool(ledger.renewed))
        assert settler.failures == 2


@pytest.mark.parametrize("error", [Unavailable, TooSlow, ZeroDivisionError])
async def test_the_settler_is_failing_until_the_session_is_settled(error: type[Exception]) -> None:
    ledger, events, session = FakeLedger(away=1), Events(), uuid4()
    ledger.error = error
    async with running(ledger) as settler:
        assert not settler.is_failing
        settler.settle(Settlement(session, USER, 1, 5), events.report)
        await events.one()
        assert settler.is_failing
        settler.settle(
            Settlement(uuid4(), USER, 1, 5), events.report
        )  # another session's settle proves nothing about this one
        await events.one()
        assert settler.is_failing
        settler.settle(Settlement(session, USER, 2, 5), events.report)
        await events.one()
        assert not settler.is_failing


async def test_a_locked_row_is_no_failure_of_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LOCKED_SECONDS", 0.1)
    ledger, events, locked = FakeLedger(), Events(), uuid4()
    ledger.locked.add(locked)
    async with running(ledger) as settler:
        settler.settle(Settlement(locked, USER, 1, 5), events.report)
        assert await events.one() == ev.SettleFailed()
        assert (settler.failures, settler.is_failing) == (1, False)


@pytest.mark.parametrize(("error", "failing"), [(Unavailable, True), (TooSlow, False), (ZeroDivisionError, False)])
async def test_a_close_that_fails_shows_a_failing_database_unless_its_row_may_be_why(
    error: type[Exception], failing: bool
) -> None:
    ledger, events, session = FakeLedger(away=1), Events(), uuid4()
    ledger.error = error
    settler = Settler(ledger)
    settler.close(Closing(session, USER, 2, 7, Reason.CLIENT_STOP, 7000), events.report)
    await until(lambda: not ledger.away)
    await asyncio.sleep(0)
    assert settler.is_failing is failing
    assert isinstance(await events.one(), ev.CloseCommitted)
    assert not settler.is_failing

"""Jobs: each runs in one process, is retried until it succeeds, and survives the loss of a process or database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from tests.integration.db.servers import answers
from transcription_proxy.db.jobs import LONGEST_PAUSE_SECONDS, LOST_AFTER_SECONDS, MAX_TRIES, Handler, Jobs, enqueue
from transcription_proxy.db.pool import Database

TIMEOUT_SECONDS = 30.0


class Workers:
    """Two job runners on one database, as of two processes. `work`: the handler of the only kind of job."""

    def __init__(self, first: Database, second: Database) -> None:
        self.databases = (first, second)
        self.database = first
        self.done: list[str] = []
        self.work: Handler = self.note
        self.runners = [Jobs(database, {"test_job": self._do}, {}) for database in self.databases]

    async def _do(self, key: str) -> None:
        await self.work(key)

    async def note(self, key: str) -> None:
        self.done.append(key)

    async def fail(self, key: str) -> None:
        self.done.append(key)
        raise ValueError("hunter2")

    async def enqueue_all(self, *keys: str, kind: str = "test_job") -> None:
        async with self.database.transaction() as connection:
            for key in keys:
                await enqueue(connection, kind, key)

    async def rows(self) -> list[tuple[Any, ...]]:
        """Return kind, key, tries, and the seconds until it is due, of each job."""
        ahead = "round(extract(epoch FROM run_at - clock_timestamp()))::integer"
        async with self.database.transaction() as connection:
            found = await connection.execute(f"SELECT kind, key, tries, {ahead} FROM jobs ORDER BY id".encode())
            return await found.fetchall()

    async def has_run(self, *keys: str) -> bool:
        return self.done == list(keys)

    async def is_rescheduled(self) -> bool:
        """Return whether a recurring job waits for its next run."""
        return [(tries, due > LOST_AFTER_SECONDS) for _, _, tries, due in await self.rows()] == [(0, True)]

    async def clock(self) -> float:
        """Return the database's time, by which jobs are due."""
        return float(await self._number("SELECT extract(epoch FROM clock_timestamp())"))

    async def due_at(self) -> float:
        return float(await self._number("SELECT extract(epoch FROM run_at) FROM jobs"))

    async def _number(self, statement: str) -> Any:
        async with self.database.transaction() as connection:
            [(found,)] = await (await connection.execute(statement.encode())).fetchall()
        return found

    async def make_due(self) -> None:
        """Make all jobs due now."""
        async with self.database.transaction() as connection:
            await connection.execute("UPDATE jobs SET run_at = clock_timestamp() - interval '1 s'")


@pytest.fixture
async def workers(database: Database, database_url: str) -> AsyncIterator[Workers]:
    second = Database(database_url)
    await second.open()
    yield Workers(database, second)
    await second.close()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not await condition():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running(*work: Jobs) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(one.run()) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_job_runs_once_and_is_deleted(workers: Workers) -> None:
    await workers.enqueue_all("ann")
    assert await workers.runners[0].run_one()
    assert workers.done == ["ann"]
    assert not await workers.runners[0].run_one()
    assert not await workers.runners[1].run_one()
    assert await workers.rows() == []


async def test_a_rollback_removes_a_job(workers: Workers) -> None:
    with pytest.raises(ZeroDivisionError):
        async with workers.database.transaction() as connection:
            await enqueue(connection, "test_job", "ann")
            raise ZeroDivisionError
    assert not await workers.runners[0].run_one()
    assert await workers.rows() == []


async def test_a_job_does_not_run_before_its_transaction_commits(workers: Workers) -> None:
    async with workers.database.transaction() as connection:
        await enqueue(connection, "test_job", "ann")
        assert not await workers.runners[1].run_one()
    assert await workers.runners[1].run_one()


async def test_enqueuing_a_queued_job_changes_nothing(workers: Workers) -> None:
    await workers.enqueue_all("ann", "ann", "bob")
    await workers.enqueue_all("ann")
    while await workers.runners[0].run_one():
        pass
    assert workers.done == ["ann", "bob"]
    await workers.enqueue_all("ann")
    assert await workers.runners[0].run_one()
    assert workers.done == ["ann", "bob", "ann"]


async def test_concurrent_transactions_enqueue_the_same_job(workers: Workers) -> None:
    await asyncio.gather(*(workers.enqueue_all("ann") for _ in range(10)))
    assert [row[:2] for row in await workers.rows()] == [("test_job", "ann")]


async def test_two_processes_share_the_jobs_and_run_each_once(workers: Workers) -> None:
    keys = [f"{number:02}" for number in range(24)]
    await workers.enqueue_all(*keys)

    async def empty(runner: Jobs) -> int:
        count = 0
        while await runner.run_one():
            count += 1
        return count

    counts = await asyncio.gather(*(empty(runner) for runner in workers.runners * 2))
    assert sorted(workers.done) == keys
    assert sum(counts) == len(keys)


async def test_a_failing_job_backs_off_until_it_succeeds(workers: Workers) -> None:
    await workers.enqueue_all("ann")
    workers.work = workers.fail
    for tries, pause in enumerate([2, 4, 8, 16], 1):
        before = await workers.clock()
        assert await workers.runners[tries % 2].run_one()
        due_at, after = await workers.due_at(), await workers.clock()
        assert before + pause <= due_at <= after + pause
        await workers.make_due()
    workers.work = workers.note
    assert await workers.runners[0].run_one()
    assert await workers.rows() == []
    assert workers.done == ["ann"] * 5


async def test_a_job_that_never_succeeds_is_given_up(workers: Workers) -> None:
    await workers.enqueue_all("ann")
    workers.work = workers.fail
    async with workers.database.transaction() as connection:
        await connection.execute("UPDATE jobs SET tries = %s", [MAX_TRIES - 2])
    assert await workers.runners[0].run_one()
    [(_, _, _, due)] = await workers.rows()
    assert LONGEST_PAUSE_SECONDS - 60 <= due <= LONGEST_PAUSE_SECONDS
    assert not await workers.runners[1].run_one()
    await workers.make_due()
    assert await workers.runners[0].run_one()
    assert await workers.rows() == []


async def test_a_failing_job_does_not_delay_others(workers: Workers) -> None:
    await workers.enqueue_all("bad", "good")

    async def work(key: str) -> None:
        await (workers.fail if key == "bad" else workers.note)(key)

    workers.work = work
    assert await workers.runners[0].run_one()
    assert await workers.runners[0].run_one()
    assert workers.done == ["bad", "good"]
    assert [row[:3] for row in await workers.rows()] == [("test_job", "bad", 1)]


async def test_a_running_job_is_not_claimed_by_another_process(workers: Workers) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(key: str) -> None:
        begun.set()
        await go_on.wait()
        await workers.note(key)

    workers.work = slow
    await workers.enqueue_all("ann")
    first = asyncio.create_task(workers.runners[0].run_one())
    await begun.wait()
    assert not await workers.runners[1].run_one()
    [(_, _, _, due)] = await workers.rows()
    assert LOST_AFTER_SECONDS - 60 <= due <= LOST_AFTER_SECONDS
    go_on.set()
    assert await first
    assert workers.done == ["ann"]


@pytest.mark.parametrize("second", ["succeeds", "fails"])
async def test_a_lost_run_is_taken_over_and_its_late_result_is_ignored(workers: Workers, second: str) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def stuck(_key: str) -> None:
        begun.set()
        await go_on.wait()

    workers.work = stuck
    await workers.enqueue_all("ann")
    lost = asyncio.create_task(workers.runners[0].run_one())
    await begun.wait()
    await workers.make_due()
    workers.work = workers.note if second == "succeeds" else workers.fail
    assert await workers.runners[1].run_one()
    assert workers.done == ["ann"]
    left = [row[:3] for row in await workers.rows()]
    assert left == ([] if second == "succeeds" else [("test_job", "ann", 2)])
    go_on.set()
    assert await lost
    assert [row[:3] for row in await workers.rows()] == left


async def test_a_job_of_an_unknown_kind_is_left_for_another_version(workers: Workers) -> None:
    await workers.enqueue_all("ann", kind="novelty")
    assert not await workers.runners[0].run_one()
    assert [row[:3] for row in await workers.rows()] == [("novelty", "ann", 0)]


async def test_a_recurring_job_runs_at_the_start_and_then_periodically_in_one_process(workers: Workers) -> None:
    clocks = [Jobs(database, {"look": workers.note}, {"look": 3600.0}) for database in workers.databases]
    async with running(*clocks):
        await until(workers.is_rescheduled)
        assert workers.done == [""]
        await workers.make_due()
        await until(partial(workers.has_run, "", ""))
        await until(workers.is_rescheduled)
    [(kind, key, tries, due)] = await workers.rows()
    assert (kind, key, tries) == ("look", "", 0)
    assert 3500 <= due <= 3600


async def test_a_failing_recurring_job_is_retried_soon_and_never_given_up(workers: Workers) -> None:
    clock = Jobs(workers.database, {"look": workers.fail}, {"look": 3600.0})
    await workers.enqueue_all("", kind="look")
    assert await clock.run_one()
    [(_, _, tries, due)] = await workers.rows()
    assert tries == 1
    assert due <= 2
    async with workers.database.transaction() as connection:
        await connection.execute("UPDATE jobs SET tries = %s, run_at = now()", [MAX_TRIES + 5])
    assert await clock.run_one()
    [(_, _, tries, due)] = await workers.rows()
    assert 3500 <= due <= LONGEST_PAUSE_SECONDS


async def test_jobs_wait_while_the_database_is_away(workers: Workers, database_url: str, postgres_url: str) -> None:
    """The database is away before the first poll, and again while the runner works."""
    name = urlsplit(database_url).path[1:]
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        await workers.enqueue_all("ann")
        _let_in(admin, name, False)
        await until(partial(_is_cut_off, workers, admin, name))
        async with running(*workers.runners):
            _let_in(admin, name, True)
            await until(partial(workers.has_run, "ann"))
            _let_in(admin, name, False)
            await until(partial(_is_cut_off, workers, admin, name))
            _let_in(admin, name, True)
            async with await psycopg.AsyncConnection.connect(database_url) as connection:
                await enqueue(connection, "test_job", "bob")
            await until(partial(workers.has_run, "ann", "bob"))


def _let_in(admin: psycopg.Connection, name: str, allowed: bool) -> None:
    allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    admin.execute(allow.format(sql.Identifier(name), sql.Literal(allowed)))


async def _is_cut_off(workers: Workers, admin: psycopg.Connection, name: str) -> bool:
    """Return whether no connection is left. A connection that was just being opened is terminated a moment later."""
    admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
    return not await answers(workers.database)

"""Jobs: each is run by one process, again until it succeeds, and none is lost with a process or a database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from tests.integration.db.servers import answers
from tests.waiting import until
from transcription_proxy.db.jobs import BACKOFF, LOST_AFTER_SECONDS, MAX_TRIES, Handler, Jobs, enqueue
from transcription_proxy.db.pool import Database

PATIENCE = 30.0


class Office:
    """Two processes' worth of Jobs on one database, of one kind that does what the test says."""

    def __init__(self, first: Database, second: Database) -> None:
        self.databases = (first, second)
        self.database = first
        self.done: list[str] = []
        self.work: Handler = self.note
        self.clerks = [Jobs(database, {"letter": self._do}, {}) for database in self.databases]

    async def _do(self, key: str) -> None:
        await self.work(key)

    async def note(self, key: str) -> None:
        self.done.append(key)

    async def fail(self, key: str) -> None:
        self.done.append(key)
        raise ValueError("hunter2")

    async def order(self, *keys: str, kind: str = "letter") -> None:
        async with self.database.transaction() as connection:
            for key in keys:
                await enqueue(connection, kind, key)

    async def rows(self) -> list[tuple[Any, ...]]:
        """Kind, key, tries, and in how many seconds it is due."""
        ahead = "round(extract(epoch FROM run_at - clock_timestamp()))::integer"
        async with self.database.transaction() as connection:
            found = await connection.execute(f"SELECT kind, key, tries, {ahead} FROM jobs ORDER BY id".encode())
            return await found.fetchall()

    async def has_done(self, *keys: str) -> bool:
        return self.done == list(keys)

    async def has_put_off(self) -> bool:
        """Whether what recurs waits for its next run."""
        return [(tries, due > LOST_AFTER_SECONDS) for _, _, tries, due in await self.rows()] == [(0, True)]

    async def clock(self) -> float:
        """The database's, by which jobs are due."""
        return float(await self._number("SELECT extract(epoch FROM clock_timestamp())"))

    async def due_at(self) -> float:
        return float(await self._number("SELECT extract(epoch FROM run_at) FROM jobs"))

    async def _number(self, statement: str) -> Any:
        async with self.database.transaction() as connection:
            [(found,)] = await (await connection.execute(statement.encode())).fetchall()
        return found

    async def time_passes(self) -> None:
        """Until everything is due."""
        async with self.database.transaction() as connection:
            await connection.execute("UPDATE jobs SET run_at = clock_timestamp() - interval '1 s'")


@pytest.fixture
async def office(database: Database, database_url: str) -> AsyncIterator[Office]:
    second = Database(database_url)
    await second.open()
    yield Office(database, second)
    await second.close()


@asynccontextmanager
async def running(*work: Jobs) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(one.run()) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_job_is_run_once_and_is_gone(office: Office) -> None:
    await office.order("ann")
    assert await office.clerks[0].run_one()
    assert office.done == ["ann"]
    assert not await office.clerks[0].run_one()
    assert not await office.clerks[1].run_one()
    assert await office.rows() == []


async def test_a_job_of_a_transaction_that_is_rolled_back_never_was(office: Office) -> None:
    with pytest.raises(ZeroDivisionError):
        async with office.database.transaction() as connection:
            await enqueue(connection, "letter", "ann")
            raise ZeroDivisionError
    assert not await office.clerks[0].run_one()
    assert await office.rows() == []


async def test_a_job_is_not_run_before_its_transaction_has_committed(office: Office) -> None:
    async with office.database.transaction() as connection:
        await enqueue(connection, "letter", "ann")
        assert not await office.clerks[1].run_one()
    assert await office.clerks[1].run_one()


async def test_repeats_of_a_job_that_waits_change_nothing(office: Office) -> None:
    await office.order("ann", "ann", "bob")
    await office.order("ann")
    while await office.clerks[0].run_one():
        pass
    assert office.done == ["ann", "bob"]
    await office.order("ann")
    assert await office.clerks[0].run_one()
    assert office.done == ["ann", "bob", "ann"]


async def test_many_at_once_order_the_same_job(office: Office) -> None:
    await asyncio.gather(*(office.order("ann") for _ in range(10)))
    assert [row[:2] for row in await office.rows()] == [("letter", "ann")]


async def test_two_processes_share_the_work_and_do_nothing_twice(office: Office) -> None:
    keys = [f"{number:02}" for number in range(24)]
    await office.order(*keys)

    async def empty(clerk: Jobs) -> int:
        count = 0
        while await clerk.run_one():
            count += 1
        return count

    counts = await asyncio.gather(*(empty(clerk) for clerk in office.clerks * 2))
    assert sorted(office.done) == keys
    assert sum(counts) == len(keys)


async def test_a_job_that_fails_is_put_off_longer_each_time_until_it_succeeds(office: Office) -> None:
    await office.order("ann")
    office.work = office.fail
    for tries, pause in enumerate([2, 4, 8, 16], 1):
        before = await office.clock()
        assert await office.clerks[tries % 2].run_one()
        due_at, after = await office.due_at(), await office.clock()
        assert before + pause <= due_at <= after + pause
        await office.time_passes()
    office.work = office.note
    assert await office.clerks[0].run_one()
    assert await office.rows() == []
    assert office.done == ["ann"] * 5


async def test_a_job_that_never_succeeds_is_given_up_at_last(office: Office) -> None:
    await office.order("ann")
    office.work = office.fail
    async with office.database.transaction() as connection:
        await connection.execute("UPDATE jobs SET tries = %s", [MAX_TRIES - 2])
    assert await office.clerks[0].run_one()
    [(_, _, _, due)] = await office.rows()
    assert BACKOFF.longest - 60 <= due <= BACKOFF.longest
    assert not await office.clerks[1].run_one()
    await office.time_passes()
    assert await office.clerks[0].run_one()
    assert await office.rows() == []


async def test_one_that_fails_does_not_hold_up_the_others(office: Office) -> None:
    await office.order("bad", "good")

    async def work(key: str) -> None:
        await (office.fail if key == "bad" else office.note)(key)

    office.work = work
    assert await office.clerks[0].run_one()
    assert await office.clerks[0].run_one()
    assert office.done == ["bad", "good"]
    assert [row[:3] for row in await office.rows()] == [("letter", "bad", 1)]


async def test_a_running_job_is_not_claimed_by_another_process(office: Office) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(key: str) -> None:
        begun.set()
        await go_on.wait()
        await office.note(key)

    office.work = slow
    await office.order("ann")
    first = asyncio.create_task(office.clerks[0].run_one())
    await begun.wait()
    assert not await office.clerks[1].run_one()
    [(_, _, _, due)] = await office.rows()
    assert LOST_AFTER_SECONDS - 60 <= due <= LOST_AFTER_SECONDS
    go_on.set()
    assert await first
    assert office.done == ["ann"]


@pytest.mark.parametrize("second", ["succeeds", "fails"])
async def test_a_run_that_is_lost_is_taken_over_and_has_no_say_when_it_comes_back(office: Office, second: str) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def stuck(_key: str) -> None:
        begun.set()
        await go_on.wait()

    office.work = stuck
    await office.order("ann")
    lost = asyncio.create_task(office.clerks[0].run_one())
    await begun.wait()
    await office.time_passes()
    office.work = office.note if second == "succeeds" else office.fail
    assert await office.clerks[1].run_one()
    assert office.done == ["ann"]
    left = [row[:3] for row in await office.rows()]
    assert left == ([] if second == "succeeds" else [("letter", "ann", 2)])
    go_on.set()
    assert await lost
    assert [row[:3] for row in await office.rows()] == left


async def test_a_job_of_an_unknown_kind_is_left_for_another_version(office: Office) -> None:
    await office.order("ann", kind="novelty")
    assert not await office.clerks[0].run_one()
    assert [row[:3] for row in await office.rows()] == [("novelty", "ann", 0)]


async def test_what_recurs_is_run_at_the_start_and_then_every_so_often_by_one_process(office: Office) -> None:
    clocks = [Jobs(database, {"look": office.note}, {"look": 3600.0}) for database in office.databases]
    async with running(*clocks):
        await until(office.has_put_off)
        assert office.done == [""]
        await office.time_passes()
        await until(partial(office.has_done, "", ""))
        await until(office.has_put_off)
    [(kind, key, tries, due)] = await office.rows()
    assert (kind, key, tries) == ("look", "", 0)
    assert 3500 <= due <= 3600


async def test_what_recurs_is_tried_again_soon_when_it_fails_and_never_given_up(office: Office) -> None:
    clock = Jobs(office.database, {"look": office.fail}, {"look": 3600.0})
    await office.order("", kind="look")
    assert await clock.run_one()
    [(_, _, tries, due)] = await office.rows()
    assert tries == 1
    assert due <= 2
    async with office.database.transaction() as connection:
        await connection.execute("UPDATE jobs SET tries = %s, run_at = now()", [MAX_TRIES + 5])
    assert await clock.run_one()
    [(_, _, tries, due)] = await office.rows()
    assert 3500 <= due <= BACKOFF.longest


async def test_a_database_that_is_away_is_waited_for(office: Office, database_url: str, postgres_url: str) -> None:
    """From before the first look, and again in the middle."""
    name = urlsplit(database_url).path[1:]
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        await office.order("ann")
        _let_in(admin, name, False)
        await until(partial(_is_cut_off, office, admin, name))
        async with running(*office.clerks):
            _let_in(admin, name, True)
            await until(partial(office.has_done, "ann"))
            _let_in(admin, name, False)
            await until(partial(_is_cut_off, office, admin, name))
            _let_in(admin, name, True)
            async with await psycopg.AsyncConnection.connect(database_url) as connection:
                await enqueue(connection, "letter", "bob")
            await until(partial(office.has_done, "ann", "bob"))


def _let_in(admin: psycopg.Connection, name: str, allowed: bool) -> None:
    allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    admin.execute(allow.format(sql.Identifier(name), sql.Literal(allowed)))


async def _is_cut_off(office: Office, admin: psycopg.Connection, name: str) -> bool:
    """Who was just coming in when the door was shut is seen a moment later, and sent away then."""
    admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
    return not await answers(office.database)

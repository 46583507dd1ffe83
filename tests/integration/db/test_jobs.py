"""Jobs on a real PostgreSQL: each is run until it has succeeded, by one process at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from transcription_proxy.db import jobs as module
from transcription_proxy.db.jobs import Jobs, enqueue
from transcription_proxy.db.pool import Database

Row = tuple[str, int, float]


class Desk:
    """A table of jobs and what was done. `failing`: how often each key still fails."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.done: list[str] = []
        self.failing: dict[str, int] = {}

    def worker(self, *kinds: str, every: dict[str, float] | None = None) -> Jobs:
        return Jobs(self.database, dict.fromkeys((*kinds, *(every or {})), self._do), every or {})

    async def _do(self, key: str) -> None:
        self.done.append(key)
        if self.failing.get(key, 0):
            self.failing[key] -= 1
            raise RuntimeError("a secret of the job's")

    async def ask(self, *keys: str, kind: str = "mail") -> None:
        async with self.database.transaction() as connection:
            for key in keys:
                await enqueue(connection, kind, key)

    async def rows(self) -> list[Row]:
        """Key, tries and seconds until it is due."""
        async with self.database.transaction() as connection:
            cursor = await connection.execute(
                "SELECT key, tries, extract(epoch FROM run_at - clock_timestamp())::float FROM jobs ORDER BY key"
            )
            return [(str(key), int(tries), float(due)) for key, tries, due in await cursor.fetchall()]

    async def later(self, seconds: float = 1e6) -> None:
        async with self.database.transaction() as connection:
            await connection.execute("UPDATE jobs SET run_at = run_at - make_interval(secs => %s)", [seconds])


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


async def test_a_job_is_done_once_and_forgotten(desk: Desk) -> None:
    await desk.ask("a")
    worker = desk.worker("mail")
    assert [await worker.run_one(), await worker.run_one()] == [True, False]
    assert (desk.done, await desk.rows()) == (["a"], [])


async def test_a_job_comes_into_being_with_its_transaction(desk: Desk) -> None:
    with pytest.raises(RuntimeError):
        async with desk.database.transaction() as connection:
            await enqueue(connection, "mail", "a")
            raise RuntimeError
    assert await desk.rows() == []


async def test_of_a_kind_and_key_there_is_one_at_a_time(desk: Desk) -> None:
    await desk.ask("a", "b", "a")
    await desk.ask("a")
    await desk.ask("a", kind="other")
    worker = desk.worker("mail")
    while await worker.run_one():
        pass
    assert sorted(desk.done) == ["a", "b"]
    assert len(await desk.rows()) == 1  # of a kind that others do


async def test_many_workers_do_each_job_once(desk: Desk) -> None:
    keys = [str(number) for number in range(30)]
    await desk.ask(*keys)

    async def work() -> None:
        worker = desk.worker("mail")
        while await worker.run_one():
            pass

    await asyncio.gather(*(work() for _ in range(5)))
    assert sorted(desk.done) == sorted(keys)


async def test_one_that_fails_is_tried_again_ever_later_and_without_its_secrets_in_the_log(desk: Desk) -> None:
    await desk.ask("a")
    desk.failing["a"] = 13
    worker = desk.worker("mail")
    with capture_logs() as logs:
        for tries in range(1, 14):
            assert await worker.run_one()
            assert not await worker.run_one()
            [(_, tried, due)] = await desk.rows()
            wait = min(2**tries, module.LONGEST_PAUSE)
            assert (tried, wait - 5 < due <= wait) == (tries, True)
            await desk.later()
    assert await worker.run_one()
    assert await desk.rows() == []
    assert "secret" not in repr(logs)
    assert {entry["event"] for entry in logs} == {"job_failed"}


async def test_one_that_fails_for_days_is_given_up_with_an_error(desk: Desk) -> None:
    await desk.ask("a")
    desk.failing["a"] = 1000
    worker = desk.worker("mail")
    with capture_logs() as logs:
        for _ in range(module.MOST_TRIES):
            assert await worker.run_one()
            await desk.later()
    assert await desk.rows() == []
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["job_given_up"]


async def test_a_failing_job_stands_in_nobodys_way(desk: Desk) -> None:
    await desk.ask("a", "b")
    desk.failing["a"] = 1000
    worker = desk.worker("mail")
    while await worker.run_one():
        pass
    assert sorted(desk.done) == ["a", "b"]


async def test_the_job_of_a_process_that_died_is_taken_over_when_its_time_is_up(desk: Desk) -> None:
    await desk.ask("a")
    begun = asyncio.Event()
    dying = asyncio.create_task(jobs_of(desk, lambda key: _hang(begun)).run_one())
    await begun.wait()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    survivor = desk.worker("mail")
    assert not await survivor.run_one()
    await desk.later(module.LOST_AFTER)
    assert await survivor.run_one()
    assert (desk.done, await desk.rows()) == (["a"], [])


async def test_one_that_takes_too_long_is_cut_short_and_tried_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOST_AFTER", 0.1)
    await desk.ask("a")
    assert await jobs_of(desk, lambda key: _hang(asyncio.Event())).run_one()
    [(_, tries, due)] = await desk.rows()
    assert (tries, due > 0.5) == (1, True)


async def test_who_was_given_up_does_not_undo_what_another_does(desk: Desk) -> None:
    """A process that was stopped for long finishes a job that another has claimed: its claim stays."""
    await desk.ask("a")

    async def overtaken(key: str) -> None:
        async with desk.database.transaction() as connection:
            await connection.execute("UPDATE jobs SET tries = tries + 1")

    assert await jobs_of(desk, overtaken).run_one()
    [(key, tries, _)] = await desk.rows()
    assert (key, tries) == ("a", 2)


async def test_a_recurring_kind_is_done_for_ever_in_its_time_also_when_it_fails(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL", 0.01)
    desk.failing[""] = 2
    running = [asyncio.create_task(desk.worker(every={"hourly": 3600}).run()) for _ in range(3)]
    for times, wait in ((1, 2), (2, 4), (3, 3600), (4, 3600)):
        await until(lambda times=times: len(desk.done) == times)  # type: ignore[misc]
        async with asyncio.timeout(10):
            while not (rows := await desk.rows()) or not wait - 1.5 < rows[0][2] <= wait:
                await asyncio.sleep(0.01)
        assert len(rows) == 1
        await desk.later()
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def test_a_database_that_is_away_is_waited_for(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL", 0.01)
    desk = Desk(Database(database_url, timeout=0.2))
    running = asyncio.create_task(desk.worker("mail", every={"hourly": 3600}).run())
    with capture_logs() as logs:
        await until(lambda: len(logs) >= 2)
    assert {entry["event"] for entry in logs} == {"database_away"}
    await desk.database.open()
    await until(lambda: desk.done == [""])
    key = uuid4().hex
    await desk.ask(key)
    await until(lambda: desk.done == ["", key])
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await desk.database.close()


def jobs_of(desk: Desk, handler: Callable[[str], Awaitable[None]]) -> Jobs:
    return Jobs(desk.database, {"mail": handler}, {})


async def _hang(begun: asyncio.Event) -> None:
    begun.set()
    await asyncio.Event().wait()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not condition():
            await asyncio.sleep(0.005)

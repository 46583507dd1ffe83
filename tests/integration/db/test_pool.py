"""Transactions: they commit or roll back completely, and raise Unavailable while the database is away or too slow."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.integration.db.servers import answers, kill_postgres, postmaster
from tests.waiting import until
from transcription_proxy.db import places, pool
from transcription_proxy.db.embedded import Embedded
from transcription_proxy.db.migrate import migrate
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Unavailable


async def one(database: Database, statement: str, limit: float | None = None) -> object:
    async with database.transaction(limit) as connection:
        cursor = await connection.execute(statement.encode())
        row = await cursor.fetchone()
    return row[0] if row else None


async def away(database: Database) -> bool:
    return not await answers(database)


async def test_commit_and_rollback(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute("CREATE TABLE t (n int)")
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO t VALUES (1)")
            raise ZeroDivisionError
    assert await one(database, "SELECT count(*) FROM t") == 0


async def test_an_error_does_not_repeat_the_row(database: Database) -> None:
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        async with database.transaction() as connection:
            await connection.execute("CREATE TABLE t (secret text CHECK (false)); INSERT INTO t VALUES ('hunter2')")
    assert "check constraint" in str(caught.value)
    assert "hunter2" not in str(caught.value)


async def test_isolation_and_timeouts_belong_to_the_transaction(database: Database) -> None:
    assert await one(database, "SHOW transaction_isolation", 3) == "read committed"
    assert await one(database, "SHOW statement_timeout", 3) == "3s"


async def test_a_separate_schema(empty_database_url: str) -> None:
    await migrate(empty_database_url, "captions")
    database = Database(empty_database_url, schema="captions")
    await database.open()
    assert await one(database, "SELECT count(*) FROM users") == 0
    await database.close()


async def test_other_errors_pass_through(database: Database) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable):
        await one(database, "SELECT * FROM nowhere")
    assert await one(database, "SELECT 1") == 1


async def test_a_transaction_with_a_swallowed_error_does_not_commit_silently(database: Database) -> None:
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        async with database.transaction() as connection:
            with pytest.raises(psycopg.errors.DivisionByZero):
                await connection.execute("SELECT 1 / 0")
    assert await one(database, "SELECT 1") == 1


async def test_a_slow_statement_raises_unavailable(database: Database) -> None:
    with pytest.raises(Unavailable):
        await one(database, "SELECT pg_sleep(30)", 0.2)
    assert await one(database, "SELECT 1") == 1


async def test_the_server_ends_a_transaction_whose_process_cannot_be_reached(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that is cut off neither commits nor closes its connection. Its locks must not outlive it."""
    monkeypatch.setattr(pool, "_cut", lambda _: None)
    lock = "SELECT pg_advisory_xact_lock(7)"
    locked, over = asyncio.Event(), asyncio.Event()

    async def cut_off() -> None:
        async with database.transaction(0.2) as connection:
            await connection.execute(lock)
            locked.set()
            await over.wait()
            await connection.execute("SELECT 1")

    lost = asyncio.create_task(cut_off())
    await locked.wait()
    await one(database, lock, 4)
    over.set()
    with pytest.raises(Unavailable):
        await lost


async def test_a_cancelled_transaction_leaves_a_working_pool(database_url: str) -> None:
    database = Database(database_url, max_size=1)
    await database.open()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await one(database, "SELECT pg_sleep(30)")
    assert await one(database, "SELECT 1") == 1
    await database.close()


@pytest.mark.parametrize("turns", range(12))
async def test_a_cancellation_at_any_moment_is_not_swallowed(database_url: str, turns: int) -> None:
    """`turns` of the loop pass between the pool's handing over a connection and the cancellation."""
    database = Database(database_url, max_size=1)
    await database.open()
    taken = await database._pool.getconn()
    waiting = asyncio.create_task(one(database, "SELECT pg_sleep(5)"))
    while not database._pool._waiting:
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    [client] = database._pool._waiting
    await client.set(taken)
    for _ in range(turns):
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await database.close()


async def test_a_caller_without_a_free_connection_gets_unavailable(database_url: str) -> None:
    database = Database(database_url, max_size=1)
    await database.open()
    async with database.transaction():
        with pytest.raises(Unavailable):
            await one(database, "SELECT 1", 0.1)
    await database.close()


async def test_a_terminated_connection_is_replaced_silently(database: Database, database_url: str) -> None:
    assert await one(database, "SELECT 1") == 1
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert await one(database, "SELECT 1") == 1


async def test_a_pool_opens_without_a_database() -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/none")
    await database.open()
    assert not await answers(database)
    with pytest.raises(Unavailable):
        await one(database, "SELECT 1", 0.5)
    await database.close()
    with pytest.raises(Unavailable):
        await one(database, "SELECT 1")


@pytest.fixture
def server(reachable_dir: Path) -> Iterator[Embedded]:
    folder = places.make_folder(reachable_dir / uuid4().hex, 0o711)
    with Embedded.acquire(folder, settings={"fsync": "off"}) as server:
        yield server


async def test_a_pool_recovers_from_a_killed_server(server: Embedded) -> None:
    database = Database(server.url)
    await database.open()
    await asyncio.gather(*(one(database, "SELECT pg_sleep(0.2)") for _ in range(8)))
    kill_postgres(server)
    await until(lambda: away(database))  # its backends run on for a moment
    with pytest.raises(Unavailable):
        await one(database, "SELECT 1", 0.5)
    server.ensure()
    await until(lambda: answers(database))
    assert await asyncio.gather(*(one(database, "SELECT 1") for _ in range(20))) == [1] * 20
    await database.close()


async def test_calls_after_a_restart_succeed(server: Embedded) -> None:
    database = Database(server.url)
    await database.open()
    await asyncio.gather(*(one(database, "SELECT pg_sleep(0.2)") for _ in range(8)))
    kill_postgres(server)
    server.ensure()
    assert await asyncio.gather(*(one(database, "SELECT 1") for _ in range(20))) == [1] * 20
    await database.close()


async def test_a_frozen_server_delays_a_caller_only_by_its_timeout(server: Embedded) -> None:
    database = Database(server.url, max_size=1)
    await database.open()
    async with database.transaction() as connection:
        cursor = await connection.execute("SELECT pg_backend_pid()")
        row = await cursor.fetchone()
    assert row is not None
    os.kill(row[0], 19)
    try:
        started = time.monotonic()
        with pytest.raises(Unavailable):
            await one(database, "SELECT 1", 0.5)
        assert time.monotonic() - started < 5
        assert await one(database, "SELECT 1") == 1
    finally:
        os.kill(row[0], 18)
        await database.close()
    assert postmaster(server)


async def prepared(database: Database) -> list[str]:
    async with database.transaction() as connection:
        rows = await (await connection.execute("SELECT statement FROM pg_prepared_statements")).fetchall()
    return [statement for (statement,) in rows]


async def double(database: Database, number: int) -> object:
    async with database.transaction() as connection:
        cursor = await connection.execute("SELECT 2 * %s::int", [number], prepare=True)
        row = await cursor.fetchone()
    return row[0] if row else None


async def test_only_a_statement_that_asks_for_it_is_prepared(empty_database_url: str) -> None:
    database = Database(empty_database_url, max_size=1)
    await database.open()
    for number in range(10):
        assert await double(database, number) == 2 * number
        assert await one(database, "SELECT 1") == 1
    assert await prepared(database) == ["SELECT 2 * $1::int"]
    await database.close()


async def test_nothing_is_prepared_once_a_pooler_has_lost_a_statement(empty_database_url: str) -> None:
    database = Database(empty_database_url, max_size=1)
    await database.open()
    assert await double(database, 1) == 2
    async with database.transaction() as connection:
        await connection.execute("DO $$BEGIN EXECUTE 'DEALLOCATE ALL'; END$$")  # psycopg can't see it
    with pytest.raises(Unavailable, match="pooler"):
        await double(database, 2)
    assert await double(database, 3) == 6
    assert await prepared(database) == []
    await database.close()

"""The keys of version 0.3 arrive while version 0.2 serves: nothing waits long, and its statements go on working."""

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest

from tests.integration.ledger.harness import OWNERS, LedgerHarness, closing, settlement
from tests.waiting import until
from transcription_proxy.db import migrate as module
from transcription_proxy.db import queries
from transcription_proxy.db.migrate import concurrent_indexes, migrate, migrations
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Unavailable
from transcription_proxy.ledger import store
from transcription_proxy.ledger.entries import Balance
from transcription_wire.codes import Reason

BEFORE, INDEXES, SWAP = 18, 19, 22
OLD = queries.parse((Path(__file__).parent / "version_0_2.sql").read_text())
BOOKS: LiteralString = """
WITH people AS (
  INSERT INTO users (email, password_hash) SELECT n || '@example.org', '' FROM generate_series(1, 50) n RETURNING id
), balances AS (
  INSERT INTO credit_balance (user_id, seconds_remaining, seconds_held) SELECT id, 92, 10 FROM people
), bought AS (
  INSERT INTO purchases
    (user_id, package_id, label, seconds, amount_cents, currency, status, paid_at, paid_cents, checkout_session,
     payment_intent)
  SELECT id, 'p', 'p', 100, 300, 'usd', 'paid', now(), 300, 'cs_' || id, 'pi_' || id FROM people RETURNING id, user_id
), credited AS (
  INSERT INTO usage_ledger (user_id, seconds, description, balance_after, purchase_id)
  SELECT user_id, 100, 'credit_purchase', 100, id FROM bought RETURNING user_id
), opened AS (
  INSERT INTO transcription_sessions (user_id, mode, hold, lease_until, ready_at, seconds_used)
  SELECT user_id, 'managed', 10, now() + interval '1 hour', now(), 8 FROM credited RETURNING id, user_id
)
INSERT INTO usage_ledger (user_id, session_id, seconds, description, balance_after)
SELECT user_id, id, -8, 'session_usage', 92 FROM opened"""


@contextmanager
def working(url: str, statement: LiteralString) -> Iterator[list[float]]:
    """Run a statement again and again on a connection of its own. Yield how long each run took, in seconds."""
    took: list[float] = []
    over = threading.Event()

    def work() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not over.is_set():
                began = monotonic()
                connection.execute(statement)
                took.append(monotonic() - began)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield took
    finally:
        over.set()
        thread.join()


def lived_in(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(BOOKS)


def rows(url: str, statement: LiteralString) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


def test_a_migration_of_indexes_has_no_other_statements() -> None:
    for step in migrations().values():
        code = re.sub(r"--.*", "", step.decode())
        assert len(concurrent_indexes(step)) == (code.count(";") if "CONCURRENTLY" in code else 0)


async def test_old_rows_get_their_keys_while_sessions_settle(empty_database_url: str) -> None:
    url = empty_database_url
    await migrate(url, upto=BEFORE)
    lived_in(url)
    with working(url, "UPDATE transcription_sessions SET number = number + 1 WHERE status = 'active'") as took:
        await until(lambda: took)
        await migrate(url)
    assert rows(url, "SELECT count(*), count(DISTINCT checkout_session) FROM purchase_owners") == [(50, 50)]
    assert rows(url, "SELECT conname FROM pg_constraint WHERE NOT convalidated") == []
    database = Database(url)
    await database.open()
    harness = LedgerHarness(database)
    assert await harness.findings() == []
    await database.close()


async def test_an_index_that_could_not_be_built_is_built_again(empty_database_url: str) -> None:
    url = empty_database_url
    await migrate(url, upto=BEFORE)
    lived_in(url)
    with psycopg.connect(url, autocommit=True) as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(
            "CREATE UNIQUE INDEX CONCURRENTLY transcription_sessions_key ON transcription_sessions (hold)"
        )
    await migrate(url, upto=INDEXES)
    assert rows(
        url,
        "SELECT indisvalid, pg_get_indexdef(indexrelid) LIKE '%(id, user_id)' FROM pg_index"
        " WHERE indexrelid = 'transcription_sessions_key'::regclass",
    ) == [(True, True)]


async def test_a_schema_of_its_own_gets_the_indexes(empty_database_url: str) -> None:
    await migrate(empty_database_url, "captions")
    found = rows(empty_database_url, "SELECT count(*) FROM pg_indexes WHERE indexname = 'transcription_sessions_pkey'")
    assert found == [(1,)]


async def test_a_long_query_delays_the_new_keys_and_not_the_sessions(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup reads a table for as long as it takes. Statements that queue behind the migration wait 0.5 s at most."""
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.1)
    url = empty_database_url
    await migrate(url, upto=SWAP - 1)
    lived_in(url)
    backup = psycopg.connect(url)
    backup.execute("SELECT count(*) FROM usage_ledger")
    with working(url, "UPDATE transcription_sessions SET number = number + 1 WHERE status = 'active'") as took:
        migrating = asyncio.create_task(migrate(url))
        await until(lambda: sum(each > module.LOCK_TIMEOUT_MS / 2000 for each in took) >= 2)
        assert not migrating.done()
        backup.close()
        assert await migrating == max(migrations())
    assert max(took) < 2


async def test_a_table_that_stays_locked_is_reported(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(module, "LOCK_TRIES", 2)
    await migrate(empty_database_url, upto=SWAP - 1)
    with psycopg.connect(empty_database_url) as backup:
        backup.execute("SELECT FROM purchases")
        with pytest.raises(Unavailable, match="lock timeout"):
            await migrate(empty_database_url)


async def test_statements_of_version_0_2_book_on_these_tables(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "SQL", {**store.SQL, **OLD})
    harness = LedgerHarness(database)
    user = await harness.user(1000)
    ended, lost = await harness.open(user), await harness.open(user)
    assert (await harness.settle(ended, 2, 8)).seconds_used == 8
    assert (await harness.settle(lost, 2, 5)).seconds_used == 5
    await harness.ledger.renew_leases({lost: UUID(int=0)})
    assert (await harness.ledger.close(closing(ended, 3, 9))).seconds_used == 9
    await harness.expire(lost)
    assert [each.session_id for each in await harness.ledger.reap()] == [lost]
    assert await harness.ledger.balance(user) == Balance(986)
    assert await harness.findings() == []


async def test_lookups_of_version_0_2_use_an_index(database: Database) -> None:
    harness = LedgerHarness(database)
    session = await harness.open(await harness.user(1000))
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await connection.execute(f"EXPLAIN {OLD['lock_session']}".encode(), {"session_id": session})
        text = "\n".join(row[0] for row in await plan.fetchall())
    assert "Index Scan using transcription_sessions_pkey" in text
    assert "Seq Scan" not in text


async def test_another_users_session_is_as_good_as_none(database: Database) -> None:
    """The relay names session and user. A mistake there must not book on anybody."""
    harness = LedgerHarness(database)
    session, other = await harness.open(await harness.user(1000)), await harness.user(500)
    mine, OWNERS[session] = OWNERS[session], other
    try:
        assert await harness.ledger.settle([settlement(session, 2, 8)]) == []
        closed = await harness.ledger.close(closing(session, 2, 8))
        assert (closed.seconds_used, closed.reason) == (0, Reason.INTERNAL)
        assert not await harness.mark_ending(session, Reason.ENDED_BY_USER)
    finally:
        OWNERS[session] = mine
    assert await harness.ledger.balance(other) == Balance(500)
    assert await harness.row(session, "status, seconds_used") == ("active", 0)

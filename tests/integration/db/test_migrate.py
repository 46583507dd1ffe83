"""Migrations: each file is applied once, by concurrent processes too, and to databases of any version."""

import asyncio
from uuid import uuid4

import psycopg
import pytest

from transcription_proxy.db.migrate import migrate, migrations
from transcription_proxy.errors import ConfigError, Unavailable

NEWEST = max(migrations())


def rows(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement.encode()).fetchall()


def tables(url: str, schema: str) -> set[object]:
    found = rows(url, f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{schema}'")
    return {name for (name,) in found}


def test_migrations_are_numbered_without_gaps() -> None:
    assert sorted(migrations()) == list(range(1, NEWEST + 1))


async def test_an_empty_database_gets_every_migration_once(empty_database_url: str) -> None:
    assert await migrate(empty_database_url) == NEWEST
    assert await migrate(empty_database_url) == NEWEST
    assert rows(empty_database_url, "SELECT version FROM schema_migrations ORDER BY 1") == [
        (version,) for version in range(1, NEWEST + 1)
    ]


async def test_concurrent_processes_apply_each_migration_once(empty_database_url: str) -> None:
    assert set(await asyncio.gather(*(migrate(empty_database_url) for _ in range(5)))) == {NEWEST}
    assert rows(empty_database_url, "SELECT count(*) FROM schema_migrations") == [(NEWEST,)]


async def test_a_database_of_version_4_keeps_its_rows(empty_database_url: str) -> None:
    assert await migrate(empty_database_url, upto=4) == 4
    user, session = uuid4(), uuid4()
    with psycopg.connect(empty_database_url) as old:
        old.execute("INSERT INTO users (id, email, password_hash) VALUES (%s, 'Ann@Example.org', 'x')", [user])
        old.execute("INSERT INTO credit_balance (user_id, seconds_remaining) VALUES (%s, 90)", [user])
        old.execute(
            "INSERT INTO transcription_sessions (id, user_id, mode) VALUES (%s, %s, 'managed')", [session, user]
        )
        for seconds, description in ((100, "credit_purchase"), (-10, "session_usage")):
            old.execute(
                "INSERT INTO usage_ledger (user_id, seconds, description) VALUES (%s, %s, %s)",
                [user, seconds, description],
            )
    assert await migrate(empty_database_url) == NEWEST
    assert rows(empty_database_url, "SELECT email FROM users") == [("ann@example.org",)]
    assert rows(empty_database_url, "SELECT balance_after FROM usage_ledger ORDER BY seq") == [(100,), (90,)]
    assert rows(empty_database_url, "SELECT status, reason FROM transcription_sessions") == [
        ("terminated", "lease_expired")
    ]


async def test_logins_from_before_the_logins_table_stay_valid(empty_database_url: str) -> None:
    """A login whose tokens are all used had been revoked. A live login has an unused token."""
    await migrate(empty_database_url, upto=10)
    user, alive, revoked = uuid4(), uuid4(), uuid4()
    with psycopg.connect(empty_database_url) as old:
        old.execute("INSERT INTO users (id, email, password_hash) VALUES (%s, 'ann@example.org', 'x')", [user])
        for token, family, used in ((b"1", alive, True), (b"2", alive, False), (b"3", revoked, True)):
            old.execute(
                "INSERT INTO refresh_tokens (token_hash, user_id, family, expires_at, used_at)"
                " VALUES (%s, %s, %s, now() + interval '1 day', CASE WHEN %s THEN now() END)",
                [token, user, family, used],
            )
    assert await migrate(empty_database_url) == NEWEST
    logins = rows(empty_database_url, "SELECT id, user_id, ended_at IS NOT NULL FROM logins ORDER BY 3")
    assert logins == [(alive, user, False), (revoked, user, True)]


async def test_old_sessions_get_the_engine_that_their_cost_implies(empty_database_url: str) -> None:
    await migrate(empty_database_url, upto=11)
    with psycopg.connect(empty_database_url) as old:
        [user] = old.execute("INSERT INTO users (email, password_hash) VALUES ('a', '') RETURNING id").fetchone() or ()
        old.cursor().executemany(
            "INSERT INTO transcription_sessions (user_id, mode, status, cost_micro)"
            " VALUES (%s, 'managed', 'completed', %s)",
            [(user, cost) for cost in (0, 6000, None)],
        )
    await migrate(empty_database_url)
    assert rows(empty_database_url, "SELECT cost_micro, engine FROM transcription_sessions ORDER BY 1") == [
        (0, "builtin"),
        (6000, "deepgram"),
        (None, None),
    ]


async def test_a_separate_schema(empty_database_url: str) -> None:
    assert await migrate(empty_database_url, "captions") == NEWEST
    assert await migrate(empty_database_url, "captions") == NEWEST
    assert "users" in tables(empty_database_url, "captions")
    assert tables(empty_database_url, "public") == set()


async def test_a_newer_database_is_refused(database_url: str) -> None:
    with psycopg.connect(database_url) as newer:
        newer.execute("INSERT INTO schema_migrations (version) VALUES (999)")
    with pytest.raises(ConfigError, match=f"version 999, newer than this program's {NEWEST}"):
        await migrate(database_url)


async def test_a_failing_migration_is_rolled_back(empty_database_url: str) -> None:
    await migrate(empty_database_url, upto=3)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("CREATE INDEX idx_ledger_user_id ON users (id)")  # a name that 004 uses at its end
    with pytest.raises(psycopg.errors.DuplicateTable):
        await migrate(empty_database_url)
    assert rows(empty_database_url, "SELECT max(version) FROM schema_migrations") == [(3,)]
    assert "usage_ledger" not in tables(empty_database_url, "public")


async def test_a_database_that_is_away_raises_unavailable() -> None:
    with pytest.raises(Unavailable):
        await migrate("postgresql://nobody@127.0.0.1:1/none")


async def test_an_invalid_url_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="DATABASE_URL"):
        await migrate("postgresql:///db?bogus=1")

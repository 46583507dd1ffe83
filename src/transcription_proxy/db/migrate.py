"""Migrates a database to this program's version by numbered files, each applied once, in a separate transaction."""

import asyncio
from importlib.resources import files
from typing import Final

import psycopg
from psycopg import AsyncConnection, sql

from transcription_proxy.db.pool import AWAY, CONNECTION
from transcription_proxy.errors import ConfigError, Unavailable

LOCK: Final = 0x7472616E7363  # "transc": the advisory lock of all processes that migrate
LONGEST_SECONDS: Final = 900
"""How long one statement of a migration may take."""
OLDEST: Final = 15
"""The oldest major version of PostgreSQL that works."""


async def migrate(url: str, schema: str | None = None, *, upto: int | None = None) -> int:
    """Apply the missing migrations and return the version reached. Several processes may run this at once.

    Raise ConfigError for a database that is too old, newer than this program, or not ours to change, and Unavailable
    when it is away.
    """
    steps = migrations()
    try:
        async with asyncio.timeout(10):
            connection = await AsyncConnection.connect(url, **CONNECTION)
        async with connection:
            _check_server(connection)
            while (version := await _step(connection, schema, steps, upto or max(steps))) is None:
                pass
            return version
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigError([f"The user in DATABASE_URL isn't allowed to change the database: {error}"]) from error
    except psycopg.ProgrammingError as error:
        if error.sqlstate is not None:  # of this connection's statements
            raise
        raise ConfigError([f"DATABASE_URL isn't valid: {error}"]) from error
    except AWAY as error:
        raise Unavailable(f"Can't reach the database, or it is too slow: {error}") from error


def migrations() -> dict[int, bytes]:
    """Return the SQL of each version, from files named `NNN_what.sql`."""
    folder = files("transcription_proxy.db") / "migrations"
    return {int(file.name[:3]): file.read_bytes() for file in folder.iterdir() if file.name.endswith(".sql")}


def _check_server(connection: AsyncConnection) -> None:
    found = connection.info.server_version // 10000
    if found < OLDEST:
        raise ConfigError([f"DATABASE_URL points to PostgreSQL {found}. Use version {OLDEST} or newer"])


async def _step(connection: AsyncConnection, schema: str | None, steps: dict[int, bytes], goal: int) -> int | None:
    """Apply the next migration and return None, or return the version if no migration is left.

    The version is read again under the lock. The lock lasts for the transaction; a pooler supports no longer one.
    """
    async with connection.transaction():
        await connection.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(LONGEST_SECONDS * 1000))
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        if schema is not None:
            await _use_schema(connection, schema)
        version = await _version(connection)
        if version > max(steps):
            raise ConfigError(
                [f"The database is at version {version}, newer than this program's {max(steps)}. Run a newer program"]
            )
        if version >= goal:
            return version
        await connection.execute(steps[version + 1])
        await connection.execute("INSERT INTO schema_migrations (version) VALUES (%s)", [version + 1])
        return None


async def _use_schema(connection: AsyncConnection, schema: str) -> None:
    name = sql.Identifier(schema)
    found = await connection.execute("SELECT FROM pg_namespace WHERE nspname = %s", [schema])
    if await found.fetchone() is None:  # IF NOT EXISTS would need the right to create a schema even if it exists
        await connection.execute(sql.SQL("CREATE SCHEMA {}").format(name))
    await connection.execute(sql.SQL("SET LOCAL search_path = {}").format(name))


async def _version(connection: AsyncConnection) -> int:
    cursor = await connection.execute("SELECT to_regclass('schema_migrations') IS NOT NULL")
    row = await cursor.fetchone()
    if row is None or not row[0]:
        return 0
    cursor = await connection.execute("SELECT coalesce(max(version), 0) FROM schema_migrations")
    row = await cursor.fetchone()
    return int(row[0]) if row else 0

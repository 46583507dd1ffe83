"""Migrates a database to this program's version by numbered files, each applied once, in a separate transaction.

A file of indexes that are built CONCURRENTLY is applied without a transaction, while the service writes."""

import asyncio
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.rows import scalar_row

from transcription_proxy.db.pool import AWAY, CONNECTION
from transcription_proxy.errors import ConfigError, Unavailable

LOCK: Final = 0x7472616E7363  # "transc": the advisory lock of all processes that migrate
INDEX_LOCK: Final = LOCK + 1
"""The advisory lock of the process that builds indexes. An index waits until older snapshots are gone, and a process
that waits for a lock has one, so nobody waits for this lock: they try again."""
LONGEST_SECONDS: Final = 900
"""How long one statement of a migration may take."""
LOCK_TIMEOUT_MS: Final = 500
"""How long a migration waits for a table's lock. Statements of the service queue behind it, so it gives up soon, and
tries again."""
LOCK_TRIES: Final = 300
PAUSE_SECONDS: Final = 1.0
"""Pause before the next try, in which the service works on."""
OLDEST: Final = 15
"""The oldest major version of PostgreSQL that works."""
Connection = AsyncConnection[Any]


@dataclass(frozen=True, slots=True)
class Index:
    """An index that is built while the service writes. `rest`: its columns and its condition."""

    unique: bool
    name: str
    table: str
    rest: str


async def migrate(url: str, schema: str | None = None, *, upto: int | None = None) -> int:
    """Apply the missing migrations and return the version reached. Several processes may run this at once.

    Raise ConfigError for a database that is too old, newer than this program, or not ours to change, and Unavailable
    when it is away, or a table stays locked.
    """
    steps = migrations()
    try:
        async with await _connect(url) as connection:
            _check_server(connection)
            while (version := await _patient_step(connection, url, schema, steps, upto or max(steps))) is None:
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


async def _connect(url: str) -> Connection:
    async with asyncio.timeout(10):
        return await AsyncConnection.connect(url, **CONNECTION)


def _check_server(connection: Connection) -> None:
    found = connection.info.server_version // 10000
    if found < OLDEST:
        raise ConfigError([f"DATABASE_URL points to PostgreSQL {found}. Use version {OLDEST} or newer"])


async def _patient_step(
    connection: Connection, url: str, schema: str | None, steps: dict[int, bytes], goal: int
) -> int | None:
    """Apply the next migration as `_step` does, and build its indexes. Try again while a table is locked."""
    for _ in range(LOCK_TRIES):
        try:
            version, indexes = await _step(connection, schema, steps, goal)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            reason = error
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            if indexes:
                await _build(connection, url, schema, indexes)
            return version
    raise reason


async def _step(
    connection: Connection, schema: str | None, steps: dict[int, bytes], goal: int
) -> tuple[int | None, list[Index]]:
    """Apply the next migration. Return the version if no migration is left, and the indexes that are not built yet.

    The version is read again under the lock. The lock lasts for the transaction; a pooler supports no longer one.
    """
    async with connection.transaction():
        await connection.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(LONGEST_SECONDS * 1000))
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        await connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(LOCK_TIMEOUT_MS))
        if schema is not None:
            await _use_schema(connection, schema)
        version = await _version(connection)
        if version > max(steps):
            raise ConfigError(
                [f"The database is at version {version}, newer than this program's {max(steps)}. Run a newer program"]
            )
        if version >= goal:
            return version, []
        step = steps[version + 1]
        indexes = concurrent_indexes(step)
        if missing := [index for index in indexes if not await _is_valid(connection, schema, index)]:
            return None, missing
        if not indexes:
            await connection.execute(step)
        await connection.execute("INSERT INTO schema_migrations (version) VALUES (%s)", [version + 1])
        return None, []


def concurrent_indexes(step: bytes) -> list[Index]:
    """Return the indexes of a migration that builds them CONCURRENTLY, which then has no other statements."""
    found = re.findall(r"CREATE( UNIQUE)? INDEX CONCURRENTLY (\w+) ON (\w+) ([^;]+);", step.decode())
    return [Index(bool(unique), *rest) for unique, *rest in found]


async def _build(connection: Connection, url: str, schema: str | None, indexes: list[Index]) -> None:
    """Build indexes on a second connection, while the first one's transaction keeps other processes from it."""
    lock = f"SELECT pg_try_advisory_xact_lock({INDEX_LOCK})"  # with a parameter, its portal would keep its snapshot
    async with connection.transaction():
        if not await _scalar(connection, lock):
            await asyncio.sleep(PAUSE_SECONDS)  # another process builds them
            return
        async with await _connect(url) as builder:
            await builder.execute("SET statement_timeout = 0")
            for index in indexes:
                if not await _is_valid(builder, schema, index):
                    await _build_one(builder, schema, index)


async def _build_one(builder: Connection, schema: str | None, index: Index) -> None:
    name, table = _qualified(schema, index.name), _qualified(schema, index.table)
    await builder.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(name))  # what a failed try has left
    statement = "CREATE UNIQUE INDEX CONCURRENTLY {} ON {} " if index.unique else "CREATE INDEX CONCURRENTLY {} ON {} "
    await builder.execute(sql.SQL(statement).format(sql.Identifier(index.name), table) + sql.SQL(index.rest))


async def _is_valid(connection: Connection, schema: str | None, index: Index) -> bool:
    name = _qualified(schema, index.name).as_string(connection)
    query = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)"
    return bool(await _scalar(connection, query, [name]))


def _qualified(schema: str | None, name: str) -> sql.Identifier:
    return sql.Identifier(name) if schema is None else sql.Identifier(schema, name)


async def _use_schema(connection: Connection, schema: str) -> None:
    name = sql.Identifier(schema)
    found = await connection.execute("SELECT FROM pg_namespace WHERE nspname = %s", [schema])
    if await found.fetchone() is None:  # IF NOT EXISTS would need the right to create a schema even if it exists
        await connection.execute(sql.SQL("CREATE SCHEMA {}").format(name))
    await connection.execute(sql.SQL("SET LOCAL search_path = {}").format(name))


async def _version(connection: Connection) -> int:
    if not await _scalar(connection, "SELECT to_regclass('schema_migrations') IS NOT NULL"):
        return 0
    return int(await _scalar(connection, "SELECT coalesce(max(version), 0) FROM schema_migrations"))


async def _scalar(connection: Connection, query: str, values: list[Any] | None = None) -> Any:
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(query.encode(), values)
        return await cursor.fetchone()

"""Access to the database: short transactions on pooled connections, and the exception Unavailable when it is away.

A pooler in transaction mode may be between, so connections keep no session state, except that a statement that asks for
it (`prepare=True`) is prepared where the connection leads to PostgreSQL itself."""

import asyncio
import logging
import os
import select
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from transcription_proxy.db.capacity import POOL_SIZE
from transcription_proxy.errors import TooSlow, Unavailable

log = logging.getLogger(__name__)
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # it logs every checkout and every failed attempt

CONNECTION: Final[dict[str, Any]] = {
    "autocommit": True,
    "prepare_threshold": None,
    "connect_timeout": 5,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "application_name": "transcription-proxy",
}
AWAY: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg.errors.TransactionTimeout,
    PoolClosed,
    PoolTimeout,
    TimeoutError,
)
"""Exceptions that mean that the database is away or too slow, whatever the statement."""
UNPREPARED: Final = (psycopg.errors.InvalidSqlStatementName, psycopg.errors.DuplicatePreparedStatement)
"""Exceptions that mean that another server process got the statement than the one that prepared it."""
ONLY_WHEN_ASKED: Final = 1 << 30
"""Executions after which psycopg prepares a statement by itself: never."""
RETRY_SECONDS: Final = 1.0
"""Pause between attempts to reach a database that is away."""


class Database:
    """A pool of connections to one database. It opens while the database is away, and reconnects when it is back."""

    def __init__(
        self, url: str, *, schema: str | None = None, min_size: int = 1, max_size: int = POOL_SIZE, timeout: float = 5.0
    ) -> None:
        self._timeout = timeout
        self._path = sql.SQL("; SET LOCAL search_path = {}").format(sql.Identifier(schema)) if schema else sql.SQL("")
        self._away = False
        self._may_prepare = True
        self._pool = AsyncConnectionPool(
            url,
            kwargs=CONNECTION,
            min_size=min_size,
            max_size=max_size,
            open=False,
            configure=self._reached,
            check=self._check,
            timeout=timeout,
            reconnect_timeout=RETRY_SECONDS,
            reconnect_failed=self._not_reached,
        )

    async def open(self) -> None:
        """Start connecting in the background. This neither waits nor fails while the database is away."""
        await self._pool.open()

    async def close(self) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def transaction(self, timeout: float | None = None) -> AsyncIterator[AsyncConnection]:  # noqa: ASYNC109
        """Open a READ COMMITTED transaction, which is committed after the block, and rolled back on any exception.

        `timeout`, seconds, limits the wait for a connection and each statement. A second later the connection is cut
        off. Raise Unavailable, after which a commit may or may not have happened.
        """
        seconds = self._timeout if timeout is None else timeout
        cancelled = _cancellations()
        try:
            async with self._pool.connection(min(seconds, RETRY_SECONDS) if self._away else seconds) as connection:
                if _cancellations() > cancelled:  # the pool's wait_for may swallow it in Python 3.11
                    raise asyncio.CancelledError
                with _deadline(connection, seconds + 1):
                    async with self._replaced_if_read_only(), connection:
                        await connection.execute(self._begin(seconds))
                        yield connection
                        _refuse_to_commit_nothing(connection)
        except psycopg.errors.IntegrityError as error:
            error.args = (error.diag.message_primary or "",)  # the rest repeats the row, and ends in a log
            raise
        except (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable) as error:
            raise TooSlow(f"The database is too slow: {error}") from error
        except UNPREPARED as error:
            self._may_prepare = False
            await self._pool.drain()
            raise Unavailable(f"A pooler lost a prepared statement; none is prepared from now on: {error}") from error
        except AWAY as error:
            raise Unavailable(f"Can't reach the database, or it is too slow: {error}") from error

    @asynccontextmanager
    async def snapshot(self, timeout: float) -> AsyncIterator[AsyncConnection]:  # noqa: ASYNC109
        """Open a read-only transaction in which every statement sees the tables as the first one found them."""
        async with self.transaction(timeout) as connection:
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield connection

    @asynccontextmanager
    async def _replaced_if_read_only(self) -> AsyncIterator[None]:
        """Replace all connections when one turns out to be read-only.

        A connection keeps the setting that it began with, although the server may have changed it since.
        """
        try:
            yield
        except psycopg.errors.ReadOnlySqlTransaction:
            await self._pool.drain()
            raise

    def _begin(self, seconds: float) -> sql.Composed:
        """Return the statements that begin a transaction. The simple protocol sends them in one round trip.

        A host that is cut off from the network cannot end its transaction, and its rows would stay locked for all
        others. The server ends it when the transaction has waited for a statement as long as this process would let it.
        """
        return sql.SQL(
            "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = {};"
            " SET LOCAL idle_in_transaction_session_timeout = {}{}"
        ).format(max(1, round(seconds * 1000)), round((seconds + 1) * 1000), self._path)

    async def _check(self, connection: AsyncConnection) -> None:
        """Check a connection without a round trip: an idle one has data to read only if the server has closed it."""
        if connection.closed or _readable(connection.fileno()):
            await connection.close()
            await self._pool.drain()  # the server has closed the other connections too
            raise psycopg.OperationalError("the server closed the connection")

    async def _reached(self, connection: AsyncConnection) -> None:
        if self._may_prepare and await _is_direct(connection):
            connection.prepare_threshold = ONLY_WHEN_ASKED
        if self._away:
            log.info("the database is back")
        self._away = False

    async def _not_reached(self, pool: AsyncConnectionPool[AsyncConnection]) -> None:
        if not self._away:
            log.warning("the database cannot be reached")
        self._away = True
        await pool.check()  # makes the pool reconnect every RETRY_SECONDS, instead of with its own exponential back-off


async def _is_direct(connection: AsyncConnection) -> bool:
    """Return whether the connection leads to PostgreSQL itself. A pooler names a process of its own."""
    row = await (await connection.execute("SELECT pg_backend_pid()")).fetchone()
    return row == (connection.info.backend_pid,)


def _cancellations() -> int:
    """Return how many cancellations of the running task are pending."""
    task = asyncio.current_task()
    return task.cancelling() if task else 0


@contextmanager
def _deadline(connection: AsyncConnection, seconds: float) -> Iterator[None]:
    """Shut the connection's socket down after `seconds`, so that whatever waits for it fails at once."""
    timer = asyncio.get_running_loop().call_later(seconds, _cut, connection)
    try:
        yield
    finally:
        timer.cancel()


def _cut(connection: AsyncConnection) -> None:
    with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as end:
        end.shutdown(socket.SHUT_RDWR)


def _readable(fileno: int) -> bool:
    poll = select.poll()
    poll.register(fileno, select.POLLIN)
    return bool(poll.poll(0))


def _refuse_to_commit_nothing(connection: AsyncConnection) -> None:
    """Raise where a statement has failed, because PostgreSQL answers COMMIT with a silent rollback then."""
    if connection.info.transaction_status is TransactionStatus.INERROR:
        raise psycopg.errors.InFailedSqlTransaction("a statement failed and its error was swallowed")

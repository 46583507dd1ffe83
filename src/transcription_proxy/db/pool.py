"""The way to the database: short transactions on pooled connections, and one word for "away": Unavailable.

It keeps no session state, so that a pooler in transaction mode may stand between."""

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
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # it reports every loan and every failed attempt

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
"""What means that the database is away or too slow, whatever was asked of it."""
RETRY: Final = 1.0
"""Seconds between attempts to reach a database that is away."""


class Database:
    """Connections to one database. It opens whether or not the database answers, and finds it when it is back."""

    def __init__(
        self, url: str, *, schema: str | None = None, min_size: int = 1, max_size: int = POOL_SIZE, timeout: float = 5.0
    ) -> None:
        self._timeout = timeout
        self._path = sql.SQL("; SET LOCAL search_path = {}").format(sql.Identifier(schema)) if schema else sql.SQL("")
        self._away = False
        self._pool = AsyncConnectionPool(
            url,
            kwargs=CONNECTION,
            min_size=min_size,
            max_size=max_size,
            open=False,
            configure=self._reached,
            check=self._check,
            timeout=timeout,
            reconnect_timeout=RETRY,
            reconnect_failed=self._not_reached,
        )

    async def open(self) -> None:
        """Starts connecting in the background: never waits and never fails for a database that is away."""
        await self._pool.open()

    async def close(self) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def transaction(self, timeout: float | None = None) -> AsyncIterator[AsyncConnection]:  # noqa: ASYNC109
        """A READ COMMITTED transaction, committed at the end of the block and rolled back on any exception.

        `timeout` bounds, in seconds, the wait for a connection and each statement; a second later the whole
        transaction is cut off. Raises Unavailable; after it a commit may or may not have happened.
        """
        seconds = self._timeout if timeout is None else timeout
        try:
            async with self._pool.connection(min(seconds, RETRY) if self._away else seconds) as connection:
                with _deadline(connection, seconds + 1):
                    async with self._replaced_if_read_only(), connection:
                        await connection.execute(self._begin(seconds))
                        yield connection
                        _refuse_to_commit_nothing(connection)
        except (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable) as error:
            raise TooSlow(f"The database is too slow: {error}") from error
        except AWAY as error:
            raise Unavailable(f"Can't reach the database, or it is too slow: {error}") from error

    @asynccontextmanager
    async def snapshot(self, timeout: float) -> AsyncIterator[AsyncConnection]:  # noqa: ASYNC109
        """A read-only transaction in which every statement sees the tables as the first one found them."""
        async with self.transaction(timeout) as connection:
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield connection

    @asynccontextmanager
    async def _replaced_if_read_only(self) -> AsyncIterator[None]:
        """Replace all connections when one turns out to be read-only. Its server may have been demoted since, or the
        setting taken back: what a connection began with, it keeps."""
        try:
            yield
        except psycopg.errors.ReadOnlySqlTransaction:
            await self._pool.drain()
            raise

    def _begin(self, seconds: float) -> sql.Composed:
        """One round trip: the simple protocol takes several statements."""
        return sql.SQL("BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = {}{}").format(
            max(1, round(seconds * 1000)), self._path
        )

    async def _check(self, connection: AsyncConnection) -> None:
        """Without a round trip: an idle connection has something to read only when the server has left it."""
        if connection.closed or _readable(connection.fileno()):
            await connection.close()
            await self._pool.drain()  # its neighbours were left by the same server
            raise psycopg.OperationalError("the server closed the connection")

    async def _reached(self, _connection: AsyncConnection) -> None:
        if self._away:
            log.info("the database is back")
        self._away = False

    async def _not_reached(self, pool: AsyncConnectionPool[AsyncConnection]) -> None:
        if not self._away:
            log.warning("the database cannot be reached")
        self._away = True
        await pool.check()  # makes it try again, at a steady pace and not at its own doubling one


@contextmanager
def _deadline(connection: AsyncConnection, seconds: float) -> Iterator[None]:
    """Cuts the connection off by force when the time is up, so that whatever waits on it fails at once."""
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
    """PostgreSQL answers COMMIT after a failed statement with a silent rollback."""
    if connection.info.transaction_status is TransactionStatus.INERROR:
        raise psycopg.errors.InFailedSqlTransaction("a statement failed and its error was swallowed")

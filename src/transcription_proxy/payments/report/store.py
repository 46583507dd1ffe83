"""Reads the report's figures from the tables, in one snapshot."""

from datetime import datetime
from typing import Any, Final, TypeVar

from psycopg import AsyncConnection
from psycopg.rows import class_row, scalar_row

from transcription_proxy.db import queries
from transcription_proxy.db.pool import Database
from transcription_proxy.metering.rates import Rates
from transcription_proxy.payments.report.figures import Report, Sold, Standing, Used

Connection = AsyncConnection[Any]
SQL: Final = queries.load("transcription_proxy.payments.report")
STATEMENT_SECONDS: Final = 600.0
"""How long one statement of a report may take."""
T = TypeVar("T")


async def report(database: Database, rates: Rates, since: datetime) -> Report:
    """Return the report since a moment. Raise Unavailable."""
    async with database.snapshot(STATEMENT_SECONDS) as connection:
        [standing] = await _rows(connection, "standing", Standing, since)
        return Report(
            since=since,
            until=await _scalar(connection, "now", since),
            sold=await _rows(connection, "sold", Sold, since),
            used=await _rows(connection, "used", Used, since),
            given=await _scalar(connection, "given", since),
            standing=standing,
            rates=rates,
        )


async def _rows(connection: Connection, query: str, kind: type[T], since: datetime) -> list[T]:
    async with connection.cursor(row_factory=class_row(kind)) as cursor:
        await cursor.execute(SQL[query], {"since": since})
        return await cursor.fetchall()


async def _scalar(connection: Connection, query: str, since: datetime) -> Any:
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(SQL[query], {"since": since})
        return await cursor.fetchone()

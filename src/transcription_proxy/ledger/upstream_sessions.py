"""Reads what sessions sent to the upstream, to be compared with the upstream's own usage report."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import kwargs_row

from transcription_proxy.db.pool import Database
from transcription_proxy.ledger.entries import UpstreamSession
from transcription_proxy.ledger.store import SQL
from transcription_proxy.metering import engines
from transcription_proxy.values import UpstreamConnection

STATEMENT_SECONDS: Final = 600.0
"""How long the statement may take."""


async def upstream_sessions(database: Database, since: datetime, ids: Sequence[UUID]) -> list[UpstreamSession]:
    """Return the sessions that started since a moment, and those with these ids. Raise Unavailable."""
    values = {"since": since, "ids": list(ids), "engine": engines.DEEPGRAM}
    async with (
        database.snapshot(STATEMENT_SECONDS) as connection,
        connection.cursor(row_factory=kwargs_row(_session)) as cursor,
    ):
        await cursor.execute(SQL["upstream_sessions"], values)
        return await cursor.fetchall()


def _session(connections: list[dict[str, Any]], **rest: Any) -> UpstreamSession:
    return UpstreamSession(connections=[UpstreamConnection(**one) for one in connections], **rest)

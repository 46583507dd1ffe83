"""/account/*.csv: all sessions and all purchases of an account, streamed page by page."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from transcription_proxy.web.account import Purchase, Session
from transcription_proxy.web.cursors import Cursor
from transcription_proxy.web.errors import FOR_ACCOUNT, documented
from transcription_proxy.web.services import Provided, SignedIn
from transcription_proxy.web.spreadsheets import Cell, line

router = APIRouter(prefix="/account", tags=["Account"])
ROWS_PER_READ: Final = 500
"""Rows read in one transaction."""
SESSIONS: Final = (
    "id",
    "started_at",
    "ended_at",
    "status",
    "reason",
    "engine",
    "model",
    "audio_seconds",
    "seconds_used",
)
PURCHASES: Final = ("date", "label", "amount", "currency", "seconds", "status", "receipt_url")
T = TypeVar("T")
Fetch = Callable[[Cursor | None], Awaitable[Sequence[T]]]


class Csv(StreamingResponse):
    media_type = "text/csv"


ANSWERS: Final = {**documented(*FOR_ACCOUNT), 200: {"content": {"text/csv": {}}, "description": "A CSV file"}}


@router.get("/sessions.csv", summary="Download all sessions as CSV", response_class=Response, responses=ANSWERS)
async def sessions(user: SignedIn, services: Provided) -> Csv:
    """Newest first. Times are UTC, lengths are seconds, `seconds_used` is what was billed."""
    return await _download(
        "sessions",
        SESSIONS,
        lambda before: services.ledger.sessions(user.id, limit=ROWS_PER_READ, before=before),
        lambda row: (row.started_at, row.id),
        lambda row: _session(Session.model_validate(row)),
    )


@router.get("/purchases.csv", summary="Download all purchases as CSV", response_class=Response, responses=ANSWERS)
async def purchases(user: SignedIn, services: Provided) -> Csv:
    """Newest first. Times are UTC, `seconds` is what was bought."""
    return await _download(
        "purchases",
        PURCHASES,
        lambda before: services.payments.purchases(user.id, ROWS_PER_READ, before),
        lambda row: (row.created_at, row.id),
        lambda row: _purchase(Purchase.of(row)),
    )


def _session(row: Session) -> Sequence[Cell]:
    times = (row.started_at, row.ended_at)
    return (str(row.id), *times, row.status, row.reason, row.engine, row.model, row.audio_seconds, row.seconds_used)


def _purchase(row: Purchase) -> Sequence[Cell]:
    amount = f"{row.amount_cents // 100}.{row.amount_cents % 100:02}"
    return (row.date, row.label, amount, row.currency.upper(), row.seconds, row.status, row.receipt_url)


async def _download(
    name: str,
    columns: Sequence[str],
    fetch: Fetch[T],
    place: Callable[[T], Cursor],
    cells: Callable[[T], Sequence[Cell]],
) -> Csv:
    """Return a CSV of all rows. The first rows are read before the answer begins, so Unavailable becomes an error."""
    first = await fetch(None)

    async def lines() -> AsyncIterator[str]:
        yield line(columns)
        rows = first
        while rows:
            yield "".join(line(cells(row)) for row in rows)
            rows = await fetch(place(rows[-1])) if len(rows) == ROWS_PER_READ else ()

    filename = f"{name}-{datetime.now(UTC):%Y-%m-%d}.csv"
    return Csv(lines(), headers={"Content-Disposition": f'attachment; filename="{filename}"'})

"""Cursors: where a page of a list ends, as text that clients pass back unread. They hold the last row's time and id."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, TypeVar
from uuid import UUID

from fastapi import Query

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal

Cursor = tuple[datetime, UUID]
T = TypeVar("T")
MAX_ROWS: Final = 100
"""Rows in one page."""
Before = Annotated[str | None, Query(description="`next` of the page before: what follows it.")]
Limit = Annotated[int | None, Query(ge=1, le=MAX_ROWS, description="Rows of a page.")]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def write(cursor: Cursor) -> str:
    moment, row_id = cursor
    return f"{(moment - _EPOCH) // _MICROSECOND}.{row_id.hex}"


def read(text: str | None) -> Cursor | None:
    """Return the cursor, None for None. Raise Refusal invalid_request."""
    if text is None:
        return None
    microseconds, _, row_id = text.partition(".")
    try:
        return _EPOCH + int(microseconds) * _MICROSECOND, UUID(row_id)
    except (ValueError, OverflowError):
        raise Refusal("invalid_request", sentences.BAD_CURSOR) from None


def cut(rows: Sequence[T], limit: int, place: Callable[[T], Cursor]) -> tuple[Sequence[T], str | None]:
    """Return a page of at most `limit` rows, and the cursor of the next page, None at the end.

    `rows` has one row more than the page if there is a next page.
    """
    page = rows[:limit]
    return page, write(place(page[-1])) if len(rows) > limit else None

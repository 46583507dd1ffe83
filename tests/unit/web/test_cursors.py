"""Cursors: what a client hands back names the same row, and anything else is refused."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from transcription_proxy.errors import Refusal
from transcription_proxy.web import cursors

ROW = UUID("5f0c1b1e-5b1c-4a37-9a3f-0d1f5a4c2e11")


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 11, 28, 19, 2, 11, 123_457, UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC),
        datetime.max.replace(tzinfo=UTC),
    ],
)
def test_a_cursor_is_exact_to_the_microsecond(moment: datetime) -> None:
    assert cursors.read(cursors.write((moment, ROW))) == (moment, ROW)


def test_no_cursor_is_the_first_page() -> None:
    assert cursors.read(None) is None


@pytest.mark.parametrize("text", ["", ".", "1", f"x.{ROW}", "1.x", f"{'9' * 40}.{ROW}", f"{'9' * 9000}.{ROW}", "\0"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as refusal:
        cursors.read(text)
    assert refusal.value.code == "invalid_request"


def test_a_page_has_a_next_one_only_where_a_row_is_left() -> None:
    def place(second: int) -> cursors.Cursor:
        return datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC), ROW

    assert cursors.cut([3, 2, 1], 2, place) == ([3, 2], cursors.write(place(2)))
    assert cursors.cut([2, 1], 2, place) == ([2, 1], None)
    assert cursors.cut([], 2, place) == ([], None)

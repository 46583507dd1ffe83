"""Lines of CSV (RFC 4180) that a spreadsheet shows and never runs."""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from io import StringIO
from typing import Final

Cell = str | int | float | datetime | None
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""Text that begins with one of these is a formula to some spreadsheets."""


def line(cells: Sequence[Cell]) -> str:
    """Return one record with its line break. Moments are UTC, in seconds; text that looks like a formula is quoted."""
    buffer = StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow([_text(cell) for cell in cells])
    return buffer.getvalue()


def _text(cell: Cell) -> str | int | float | None:
    if isinstance(cell, datetime):
        return cell.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell

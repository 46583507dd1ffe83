"""CSV lines (RFC 4180) that a spreadsheet never runs as formulas."""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from io import StringIO
from typing import Final

Cell = str | int | float | datetime | None
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""Some spreadsheets read text as a formula if it begins with one of these."""


def line(cells: Sequence[Cell]) -> str:
    """Return one record with its line break. Times are UTC, to the second. Text that looks like a formula is quoted."""
    buffer = StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow([_text(cell) for cell in cells])
    return buffer.getvalue()


def _text(cell: Cell) -> str | int | float | None:
    if isinstance(cell, datetime):
        return cell.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell

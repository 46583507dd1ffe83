"""How commands print rows: a table for people, JSON for scripts."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from typing import Any, Final

import typer
from rich.console import Console
from rich.table import Table

WIDEST: Final = 400
"""Columns of a terminal, or characters of a line in a file."""


def print_json(value: Any) -> None:
    """Print plain values, dataclasses, ids and dates as JSON."""
    typer.echo(json.dumps(value, default=_plain))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], nothing: str) -> None:
    """Print a table, or the sentence `nothing` where there are no rows."""
    if not rows:
        typer.echo(nothing)
        return
    table = Table(box=None, pad_edge=False, show_header=any(columns))
    for column in columns:
        table.add_column(column, no_wrap=True)  # an id that is cut cannot be copied
    for row in rows:
        table.add_row(*(_shown(cell) for cell in row))
    forced = None if sys.stdout.isatty() else False  # else FORCE_COLOR would put escape sequences into a file
    Console(highlight=False, markup=False, emoji=False, width=WIDEST, force_terminal=forced).print(table)


def one_line(error: Exception) -> str:
    """Return an error's text on one line. PostgreSQL's errors have several."""
    return " ".join(str(error).split())


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _shown(cell: Any) -> str:
    if cell is None:
        return "-"
    return cell.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if isinstance(cell, datetime) else str(cell)

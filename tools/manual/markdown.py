"""Markdown tables for the generated pages."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

NOT_CODE: Final = re.compile(r"(`[^`]*`)|<")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table, or nothing where there are no rows."""
    lines = [_row(row) for row in rows]
    return "\n".join([_row(head), _row(["---"] * len(head)), *lines, ""]) if lines else ""


def code(text: str) -> str:
    return f"`{text}`"


def page(title: str, introduction: str, *sections: str) -> str:
    return "\n\n".join([f"# {title}", introduction, *(section.strip() for section in sections if section)]) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    """Return text as one line that neither ends the cell nor begins a tag of HTML."""
    shown = NOT_CODE.sub(lambda found: found[1] or "&lt;", text)
    return " ".join(shown.split()).replace("|", "\\|")

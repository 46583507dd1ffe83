"""Loads SQL from the `queries.sql` beside a module: each statement has a name and a line that gives its purpose."""

import re
from collections.abc import Mapping
from dataclasses import fields
from importlib.resources import files
from typing import Any


def load(package: str, *rows: type[Any]) -> Mapping[str, str]:
    """Return the statements of `queries.sql` in `package`, by name. `rows`: the dataclasses that they name."""
    return parse((files(package) / "queries.sql").read_text(), *rows)


def parse(text: str, *rows: type[Any]) -> Mapping[str, str]:
    """Return the statements in `text`, by name. Raise ValueError for a mistake.

    Each statement follows `-- name: x` and at least one comment line with its purpose. `{Row}` stands for the field
    names of the dataclass `Row`, one of `rows`, so that the columns of a table are written once.
    """
    columns = {row.__name__: ", ".join(field.name for field in fields(row)) for row in rows}
    statements: dict[str, str] = {}
    for block in ("\n" + text).split("\n-- name:")[1:]:
        name, statement = _statement(block)
        if name in statements:
            raise ValueError(f"two queries are named {name}")
        statements[name] = _filled_in(name, statement, columns)
    return statements


def _statement(block: str) -> tuple[str, str]:
    head, *lines = block.strip().splitlines()
    name = head.strip()
    body = [line for line in lines if not line.startswith("--")]
    if not name.isidentifier() or len(body) == len(lines) or not "".join(body).strip():
        raise ValueError(f"query {name!r} needs a plain name, a line of purpose and a statement")
    return name, "\n".join(body).strip()


def _filled_in(name: str, statement: str, columns: Mapping[str, str]) -> str:
    try:
        return re.sub(r"\{(\w+)\}", lambda found: columns[found[1]], statement)
    except KeyError as error:
        raise ValueError(f"query {name} names a row that is not there: {error}") from None

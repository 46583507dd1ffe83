"""Which rows of which tables a statement of a `queries.sql` touches, as far as its text tells.

It knows the style of this project's SQL, not all of SQL: each subquery is looked at alone, and what it finds about a
table is that some condition there compares the table's user_id."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

QUERY = re.compile(r"\s*(WITH|SELECT|INSERT|UPDATE|DELETE|VALUES)\b")
NEGATED = re.compile(r"\bNOT \([^()]*(?:\([^()]*\)[^()]*)*\)")
PARAMETER = re.compile(r"%\((user_id|users|user_ids)\)")
"""What a statement about given users gets."""
AFTER_A_TABLE = ("SET", "WHERE", "USING", "ON", "LEFT", "JOIN", "CROSS", "FULL", "GROUP", "ORDER", "LIMIT", "FOR")


@dataclass(frozen=True, slots=True)
class Use:
    """A table in one (sub)query. `verb`: FROM, JOIN, UPDATE or INTO. `query`: the text without its subqueries.

    `is_alone`: no other of the tables that were looked for is in the query."""

    verb: str
    table: str
    alias: str
    query: str
    is_alone: bool

    @property
    def names_user(self) -> bool:
        """Whether the query inserts a user_id, or compares the table's with that of a user or of another table."""
        if self.verb == "INTO":
            columns = re.search(rf"INTO\s+{self.table}(?:\s+AS\s+\w+)?\s*\(([^)]*)\)", self.query)
            return columns is not None and "user_id" in re.findall(r"\w+", columns[1])
        column = rf"\b{self.alias}\.user_id\b"
        patterns = [rf"{column}\s*(=|IN\b)", rf"(?<![<>!])=\s*{column}", r"\bUSING\s*\([^)]*\buser_id\b"]
        if self.is_alone:
            patterns += [r"(?<![.\w])user_id\s*(=|IN\b)", r"\(id, user_id\)\s*(=|IN\b)"]
        return any(re.search(pattern, self.query) for pattern in patterns)


def uses(sql: str, tables: set[str]) -> list[Use]:
    """Return where a statement names these tables."""
    code = re.sub(r"--[^\n]*|'[^']*'", "''", sql)
    return [use for query in _queries(code) for use in _uses(NEGATED.sub("", query), tables)]


def asks_all(sql: str, tables: set[str]) -> bool:
    """Return whether a statement that names these tables is not limited to given users."""
    found = uses(sql, tables)
    return bool(found) and (not PARAMETER.search(sql) or not all(use.names_user for use in found))


def _uses(query: str, tables: set[str]) -> Iterator[Use]:
    ends = "|".join(AFTER_A_TABLE)
    named = rf"\b(FROM|JOIN|UPDATE|INTO)\s+({'|'.join(sorted(tables))})\b(?:\s+(?:AS\s+)?(?!(?:{ends})\b)(\w+))?"
    found = re.findall(named, query)
    for verb, table, alias in found:
        yield Use(verb, table, alias or table, query, len(found) == 1)


def _queries(code: str) -> Iterator[str]:
    """Yield each query without the queries inside it: the texts in parentheses that begin as a query does."""
    rest, depth, begin = "", 0, 0
    for at, character in enumerate(code):
        if character == "(":
            if depth == 0 and QUERY.match(code, at + 1):
                depth, begin = 1, at + 1
                continue
            depth += depth > 0
        elif character == ")" and depth > 0:
            depth -= 1
            if depth == 0:
                yield from _queries(code[begin:at])
                continue
        if depth == 0:
            rest += character
    yield from _parts(rest)


def _parts(query: str) -> Iterator[str]:
    """Yield the query, or the halves of a UNION."""
    yield from re.split(r"\bUNION(?:\s+ALL)?\b", query)

from dataclasses import dataclass

import pytest

from transcription_proxy.db.queries import parse

TWO = """-- Statements of the ledger.

-- name: open_session
-- Takes a hold.
-- And says so.
SELECT 1,
  -- a reason
  2;

-- name: audit
-- Sums it up.
SELECT 3
"""


@dataclass
class Row:
    id: int
    email: str


def test_statements_by_name() -> None:
    queries = parse(TWO)
    assert queries == {"open_session": "SELECT 1,\n  -- a reason\n  2;", "audit": "SELECT 3"}


def test_a_row_stands_for_its_columns() -> None:
    text = "-- name: users\n-- All of them.\nSELECT {Row} FROM users"
    assert parse(text, Row) == {"users": "SELECT id, email FROM users"}
    with pytest.raises(ValueError, match="Row"):
        parse(text)


def test_a_missing_name_raises() -> None:
    with pytest.raises(KeyError):
        _ = parse(TWO)["nothing"]


@pytest.mark.parametrize(
    "text",
    [
        TWO + "\n-- name: audit\n-- Again.\nSELECT 4",
        "-- name: two words\n-- Purpose.\nSELECT 1",
        "-- name: no_purpose\nSELECT 1",
        "-- name: nothing\n-- Purpose.\n",
    ],
)
def test_mistakes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="quer"):
        parse(text)

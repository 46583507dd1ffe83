"""What the benchmark asks PostgreSQL itself: the time spent on statements, and what sessions have left behind."""

from typing import Any, LiteralString

import psycopg

ACTIVE_MS: LiteralString = "SELECT active_time FROM pg_stat_database WHERE datname = current_database()"
LEFTOVERS: LiteralString = """SELECT
  (SELECT count(*) FROM transcription_sessions WHERE status = 'active') AS leases,
  (SELECT coalesce(sum(seconds_held), 0)::bigint FROM credit_balance) AS held"""


def connect(url: str) -> "psycopg.Connection[Any]":
    """Connect for single statements. Raise psycopg.OperationalError."""
    return psycopg.connect(url, autocommit=True, connect_timeout=5)


def active_ms(connection: "psycopg.Connection[Any]") -> float:
    """Return the milliseconds that this database's connections have spent on statements so far.

    A connection reports once a second at most, when its transaction ends: measure over several seconds.
    """
    return float(_row(connection, ACTIVE_MS)[0])


def leftovers(connection: "psycopg.Connection[Any]") -> tuple[int, int]:
    """Return how many sessions have a lease, and the credits in all holds."""
    leases, held = _row(connection, LEFTOVERS)
    return leases, held


def server_version(connection: "psycopg.Connection[Any]") -> str:
    """Return PostgreSQL's version, such as 18.1."""
    return str(_row(connection, "SHOW server_version")[0]).split()[0]


def _row(connection: "psycopg.Connection[Any]", statement: LiteralString) -> Any:
    row = connection.execute(statement).fetchone()
    if row is None:
        raise LookupError("the statement gave no row")
    return row

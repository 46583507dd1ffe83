"""The tables that grow with use can be distributed by user: their keys and the statements keep within one user_id.

docs/scale.md says what for. A statement that must ask about all users is listed here, with its reason."""

import re
from importlib.resources import files
from typing import Final

import psycopg
import pytest

from tests.integration.db.statements import asks_all, uses
from tests.unit.test_table_owners import OWNERS
from transcription_proxy.db import queries

HOT: Final = {"credit_balance", "usage_ledger", "transcription_sessions", "key_spending", "purchases"}
SHARED: Final = {"users"}
"""Tables that each node has, so that a statement within one user may name them too."""
KEYS: Final = """
  SELECT c.relname, i.relname, array_agg(a.attname::text)
  FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (x.indkey)
  WHERE x.indisunique AND c.relname = ANY (%s) AND c.relnamespace = current_schema()::regnamespace
  GROUP BY 1, 2"""
FOREIGN_KEYS: Final = """
  SELECT conrelid::regclass::text, conname, confrelid::regclass::text,
    ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey)),
    ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = confrelid AND attnum = ANY (confkey))
  FROM pg_constraint
  WHERE contype = 'f' AND ARRAY[conrelid::regclass::text, confrelid::regclass::text] && %s::text[]"""
PACKAGES: Final = ("ledger", "payments", "payments.report", "accounts", "overlay", "db")
ALL_USERS: Final = {
    "ledger.count_streams": "the upstream's limit of streams is one of all users together",
    "ledger.mark_muted_ending": "where streams run short, whose session gives way is chosen among all users",
    "ledger.cut_leases": "the reaper looks after the sessions of all users; each node can do it for its own",
    "ledger.end_abandoned": "the reaper, as before",
    "ledger.life_is_over": "a process that is gone had sessions of many users",
    "ledger.upstream_sessions": "an operator compares the sessions of all users with the upstream's report",
    "ledger.sessions_of_all": "an operator lists the sessions of all users",
    "ledger.live_ids": "an operator names a session by the beginning of its id",
    "ledger.live_count": "the status page and the metrics count the sessions of all users",
    "ledger.audit_entries": "the audit reads everything; each of its checks is within one user",
    "ledger.audit_balances": "the audit, as before",
    "ledger.audit_chain": "the audit, as before",
    "ledger.audit_holds": "the audit, as before",
    "ledger.audit_key_spending": "the audit, as before",
    "ledger.audit_ended_holds": "the audit, as before",
    "ledger.audit_leases": "the audit, as before",
    "ledger.audit_sessions": "the audit, as before",
    "ledger.audit_overdrafts": "the audit, as before",
    "accounts.recent": "an operator lists accounts with their balances",
    "payments.audit_frozen": "the audit, as before",
    "payments.audit_purchases": "the audit, as before",
    "payments.audit_checkouts": "the audit, as before; this check alone is about two users at once",
    "payments.unowned": "version 0.2 knew no purchase_owners; the release after this one needs no such search",
    "payments.pending": "reconciliation goes through the pending purchases of all users once an hour",
    "payments.open_claims": "reconciliation, as before",
    "payments.report.sold": "an operator's report is about all users",
    "payments.report.used": "the report, as before",
    "payments.report.given": "the report, as before",
    "payments.report.standing": "the report, as before",
}
WHOLE_TABLES: Final = {"ledger.lock_for_booking": "it locks tables and reads no rows; each node locks its own"}


def statements() -> dict[str, str]:
    """Return all statements by package and name."""
    found: dict[str, str] = {}
    for package in PACKAGES:
        text = (files(f"transcription_proxy.{package}") / "queries.sql").read_text()
        columns = re.sub(r"\{\w+\}", "*", text)
        found |= {f"{package}.{name}": sql for name, sql in queries.parse(columns).items()}
    return found


def test_each_file_of_statements_is_looked_at() -> None:
    root = files("transcription_proxy")
    found = {str(path.relative_to(str(root)).parent).replace("/", ".") for path in root.rglob("queries.sql")}  # type: ignore[attr-defined]
    assert found == set(PACKAGES)


def test_each_key_of_a_hot_table_contains_its_user(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        keys = connection.execute(KEYS, [list(HOT)]).fetchall()
    assert {table for table, _, _ in keys} == HOT
    assert [(table, index) for table, index, columns in keys if "user_id" not in columns] == []


def test_foreign_keys_stay_within_one_user_or_lead_to_a_table_that_each_node_has(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        found = connection.execute(FOREIGN_KEYS, [list(HOT)]).fetchall()
    between = [(name, ours, theirs) for table, name, to, ours, theirs in found if {table, to} <= HOT]
    assert {name for name, _, _ in between} == {"usage_ledger_purchase_id_fkey"}
    assert all("user_id" in ours and "user_id" in theirs for _, ours, theirs in between)
    assert {to for table, _, to, _, _ in found if not {table, to} <= HOT} == SHARED


@pytest.mark.parametrize("name", sorted(set(statements()) - set(ALL_USERS) - set(WHOLE_TABLES)))
def test_a_statement_names_the_user_of_each_hot_table(name: str) -> None:
    sql = statements()[name]
    assert not asks_all(sql, HOT)
    if uses(sql, HOT):
        assert uses(sql, set(OWNERS) - HOT - SHARED) == []


@pytest.mark.parametrize("name", sorted(ALL_USERS))
def test_a_listed_statement_asks_about_all_users_and_writes_row_by_row(name: str) -> None:
    """Such a statement is only listed as long as it must be, and what it writes it finds by its user."""
    sql = statements()[name]
    assert asks_all(sql, HOT)
    assert all(use.names_user for use in uses(sql, HOT) if use.verb in ("UPDATE", "INTO"))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT seconds FROM usage_ledger WHERE session_id = %(id)s",
        "SELECT FROM usage_ledger WHERE user_id <> %(user_id)s",
        "SELECT FROM usage_ledger WHERE NOT (user_id = %(user_id)s)",
        "SELECT FROM users u JOIN credit_balance b ON b.user_id = u.id",
        "UPDATE transcription_sessions SET hold = 0 WHERE id = %(id)s",
        "UPDATE transcription_sessions s SET hold = 0 FROM asked WHERE s.id = asked.id",
        "INSERT INTO usage_ledger (session_id, seconds) SELECT id, 1 FROM settled",
        "SELECT FROM users u WHERE u.id = %(user_id)s AND EXISTS (SELECT FROM purchases p WHERE p.id = %(id)s)",
        "SELECT FROM credit_balance b JOIN transcription_sessions s ON s.id = b.id WHERE b.user_id = %(user_id)s",
        "WITH x AS (SELECT FROM purchases) SELECT FROM credit_balance WHERE user_id = %(user_id)s",
        "SELECT FROM purchases WHERE user_id = %(user_id)s UNION ALL SELECT FROM purchases",
        "SELECT FROM usage_ledger -- WHERE user_id = %(user_id)s",
        "SELECT FROM usage_ledger WHERE description = 'user_id = 1'",
        "DELETE FROM key_spending WHERE key_id = %(key_id)s",
    ],
)
def test_a_statement_without_its_user_is_found(sql: str) -> None:
    assert asks_all(sql, HOT)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT seconds FROM usage_ledger WHERE user_id = %(user_id)s AND session_id = %(id)s",
        "SELECT FROM credit_balance WHERE user_id = ANY (ARRAY(SELECT unnest(%(users)s)))",
        "UPDATE usage_ledger SET x = 0 WHERE (id, user_id) IN (SELECT id, user_id FROM unnest(%(ids)s, %(users)s))",
        "SELECT FROM unnest(%(users)s) JOIN transcription_sessions s USING (id, user_id)",
        "SELECT FROM users u LEFT JOIN credit_balance b ON b.user_id = u.id WHERE u.id = %(user_id)s",
        "INSERT INTO usage_ledger (user_id, seconds) VALUES (%(user_id)s, 1)",
    ],
)
def test_a_statement_with_its_user_is_not(sql: str) -> None:
    assert not asks_all(sql, HOT)

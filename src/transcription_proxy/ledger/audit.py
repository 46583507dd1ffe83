"""The audit (money 26): each check is a statement that selects what is wrong, as `subject` and `detail`.

Callers run it in one `Database.snapshot`, so that a running service cannot change rows between two checks."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg.rows import kwargs_row, scalar_row

from transcription_proxy.ledger.entries import Audit, Finding, Severity
from transcription_proxy.ledger.store import SQL

AUDIT_SECONDS: Final = 600.0
"""How long one statement of an audit may take."""
CHECKS: Final = {
    "balances": Severity.ERROR,
    "chain": Severity.ERROR,
    "holds": Severity.ERROR,
    "key_spending": Severity.ERROR,
    "ended_holds": Severity.ERROR,
    "leases": Severity.WARNING,
    "sessions": Severity.ERROR,
    "overdrafts": Severity.ERROR,
}
Connection = AsyncConnection[Any]


async def audit(connection: Connection) -> Audit:
    """Return what is wrong with balances, ledger entries and sessions, and the number of entries checked."""
    findings = await run_checks(connection, SQL, CHECKS)
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(SQL["audit_entries"])
        return Audit(int(await cursor.fetchone() or 0), findings)


async def run_checks(
    connection: Connection, statements: Mapping[str, str], checks: Mapping[str, Severity]
) -> list[Finding]:
    """Run the statement `audit_<name>` of each check, and return a finding for each row that it selects."""
    findings: list[Finding] = []
    for check, severity in checks.items():
        async with connection.cursor(row_factory=kwargs_row(partial(Finding, severity, check))) as cursor:
            await cursor.execute(statements[f"audit_{check}"])
            findings += await cursor.fetchall()
    return findings

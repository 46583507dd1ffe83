"""The payments' part of the audit (money 26): purchases against the ledger's entries and balances."""

from typing import Final

from transcription_proxy.ledger.audit import run_checks
from transcription_proxy.ledger.entries import Finding, Severity
from transcription_proxy.payments.store import SQL, Connection

CHECKS: Final = {
    "frozen": Severity.WARNING,
    "purchases": Severity.ERROR,
    "checkouts": Severity.ERROR,
}


async def audit(connection: Connection) -> list[Finding]:
    """Return what is wrong with purchases. Run it in the same `Database.snapshot` as the ledger's audit."""
    return await run_checks(connection, SQL, CHECKS)

"""Each check of the audit finds its kind of error, and nothing else."""

from uuid import UUID

import pytest

from tests.integration.ledger.harness import LedgerHarness, closing
from transcription_proxy.db.pool import Database
from transcription_proxy.ledger.entries import Severity


async def lived_in(database: Database) -> tuple[LedgerHarness, UUID, UUID]:
    """Create sound books with every kind of row. Return one of the users and that user's live session."""
    harness = LedgerHarness(database)
    user = await harness.user(1000)
    ended, live = await harness.open(user), await harness.open(user)
    await harness.settle(ended, 2, 30)
    await harness.ledger.close(closing(ended, 3, 20))
    await harness.settle(live, 2, 5)
    await harness.user()
    assert await harness.ledger.audit() == []
    return harness, user, live


@pytest.mark.parametrize(
    ("harm", "checks"),
    [
        ("UPDATE credit_balance SET seconds_remaining = 5 WHERE seconds_held > 0", {"balances"}),
        ("UPDATE usage_ledger SET balance_after = 1 WHERE seconds = -30", {"chain"}),
        ("UPDATE usage_ledger SET balance_after = 1 WHERE seconds = -5", {"balances", "chain"}),
        ("UPDATE usage_ledger SET seconds = 900 WHERE seconds = 1000", {"balances", "chain"}),
        ("DELETE FROM credit_balance WHERE seconds_held > 0", {"balances", "holds"}),
        ("UPDATE credit_balance SET seconds_held = seconds_held + 1 WHERE seconds_held > 0", {"holds"}),
        ("UPDATE transcription_sessions SET seconds_used = 6 WHERE status = 'active'", {"sessions"}),
        ("UPDATE usage_ledger SET session_id = NULL WHERE seconds = -5", {"sessions"}),
    ],
)
async def test_each_check_finds_its_error(database: Database, harm: str, checks: set[str]) -> None:
    harness, user, live = await lived_in(database)
    await harness.sql(harm)
    findings = await harness.ledger.audit()
    assert {finding.check for finding in findings} == checks
    assert {finding.severity for finding in findings} == {Severity.ERROR}
    assert {finding.subject for finding in findings} <= {user, live}


async def test_a_hold_on_an_ended_session_is_found(database: Database) -> None:
    harness, _, live = await lived_in(database)
    await harness.sql("ALTER TABLE transcription_sessions DROP CONSTRAINT sessions_no_hold_after_end")
    await harness.sql("UPDATE transcription_sessions SET status = 'completed' WHERE id = %s", live)
    assert {finding.check for finding in await harness.ledger.audit()} == {"holds", "ended_holds"}


async def test_rows_of_another_user_are_found(database: Database) -> None:
    harness, _, live = await lived_in(database)
    other = await harness.user()
    await harness.sql("UPDATE usage_ledger SET user_id = %s WHERE session_id = %s", other, live)
    assert "sessions" in {finding.check for finding in await harness.ledger.audit()}


async def test_rows_of_a_session_without_its_user_are_found(database: Database) -> None:
    """Sums that are right by chance hide nothing: no credits of the session are its user's."""
    harness, _, live = await lived_in(database)
    other = await harness.user()
    await harness.sql(
        "INSERT INTO usage_ledger (user_id, session_id, seconds, description, balance_after)"
        " VALUES (%s, %s, 0, 'session_usage', 0)",
        other,
        live,
    )
    assert [(finding.check, finding.subject) for finding in await harness.ledger.audit()] == [("sessions", live)]


async def test_a_lease_that_the_reaper_missed_is_a_warning(database: Database) -> None:
    harness, _, live = await lived_in(database)
    late = "UPDATE transcription_sessions SET lease_until = clock_timestamp() - %s * interval '1 s' WHERE id = %s"
    await harness.sql(late, 80, live)
    assert await harness.ledger.audit() == []
    await harness.sql(late, 91, live)
    [finding] = await harness.ledger.audit()
    assert (finding.severity, finding.check, finding.subject) == (Severity.WARNING, "leases", live)


async def test_usage_below_zero_needs_a_claw_back_since_the_session_began(database: Database) -> None:
    harness = LedgerHarness(database)
    user = await harness.user(100)
    before = await harness.open(user)
    await harness.claw_back(user, 95, "dispute")
    await harness.settle(before, 2, 20)
    await harness.ledger.close(closing(before, 3, 10))
    assert (await harness.ledger.balance(user)).seconds_remaining == -5
    assert await harness.ledger.audit() == []
    await harness.sql("UPDATE transcription_sessions SET opened_seq = 2")
    findings = await harness.ledger.audit()
    assert [(finding.check, finding.subject) for finding in findings] == [("overdrafts", before)] * 2

"""Each check of the payments' audit finds its kind of error, and nothing else."""

import pytest

from tests.integration.payments.events import dispute, event, refund, session
from tests.integration.payments.harness import PaymentsHarness
from transcription_proxy.db.pool import Database


async def test_a_checkout_session_of_two_users_is_found(database: Database) -> None:
    harness = PaymentsHarness(database)
    for _ in range(2):
        await harness.old_purchase(await harness.buyer(), "cs_1")
    [finding] = await harness.findings()
    assert (finding.severity, finding.check) == ("error", "checkouts")


@pytest.mark.parametrize(
    ("harm", "checks"),
    [
        ("UPDATE credit_balance SET seconds_frozen = seconds_frozen + 1", {("warning", "frozen")}),
        ("UPDATE purchases SET seconds_frozen = 0", {("warning", "frozen")}),
        ("UPDATE purchases SET seconds_taken = seconds_taken + 1", {("error", "purchases")}),
        ("UPDATE purchases SET seconds = seconds + 1", {("error", "purchases")}),
        ("UPDATE usage_ledger SET purchase_id = NULL WHERE description = 'refund'", {("error", "purchases")}),
    ],
)
async def test_each_check_finds_its_error(database: Database, harm: str, checks: set[tuple[str, str]]) -> None:
    harness = PaymentsHarness(database)
    await harness.purchase(await harness.buyer(), "cs_1")
    await harness.receive(event("checkout.session.completed", session("cs_1", payment="pi_1")))
    await harness.receive(event("refund.updated", refund("re_1", "pi_1", 100, "succeeded")))
    await harness.receive(event("charge.dispute.created", dispute("dp_1", "pi_1", 100, "needs_response")))
    assert await harness.findings() == []
    await harness.sql(harm)
    assert {(finding.severity, finding.check) for finding in await harness.findings()} == checks

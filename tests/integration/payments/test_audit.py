"""Each check of the payments' audit finds its kind of error, and nothing else."""

import pytest

from tests.integration.payments.events import dispute, event, refund, session
from tests.integration.payments.setup import PaymentsSetup
from transcription_proxy.db.pool import Database


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
    setup = PaymentsSetup(database)
    await setup.purchase(await setup.buyer(), "cs_1")
    await setup.receive(event("checkout.session.completed", session("cs_1", payment="pi_1")))
    await setup.receive(event("refund.updated", refund("re_1", "pi_1", 100, "succeeded")))
    await setup.receive(event("charge.dispute.created", dispute("dp_1", "pi_1", 100, "needs_response")))
    assert await setup.findings() == []
    await setup.sql(harm)
    assert {(finding.severity, finding.check) for finding in await setup.findings()} == checks

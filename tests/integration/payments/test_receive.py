"""Webhooks on a real database: what each event does to the balance, once, whatever the order."""

from uuid import uuid4

import pytest

from tests.integration.payments.events import charge, dispute, event, names, refund, session
from tests.integration.payments.till import Till

COMPLETED = "checkout.session.completed"


async def test_a_paid_session_is_credited_once_however_often_it_is_told(till: Till) -> None:
    user = await till.buyer()
    await till.purchase(user, "cs_1")
    body = event(COMPLETED, session("cs_1", payment="pi_1"))
    await till.hear(body)
    await till.hear(body)
    await till.hear(event(COMPLETED, session("cs_1", payment="pi_1")))
    assert await till.ledger_rows(user) == [("credit_purchase", 30000)]


async def test_a_session_that_is_complete_and_not_paid_is_credited_when_the_money_arrives(till: Till) -> None:
    user = await till.buyer()
    await till.purchase(user, "cs_1")
    await till.hear(event(COMPLETED, session("cs_1", payment="pi_1", paid="unpaid")))
    assert (await till.ledger.balance(user)).seconds_remaining == 0
    await till.hear(event("checkout.session.async_payment_succeeded", session("cs_1", payment="pi_1")))
    assert (await till.ledger.balance(user)).seconds_remaining == 30000


async def test_a_free_order_is_credited_without_a_payment(till: Till) -> None:
    user = await till.buyer()
    await till.purchase(user, "cs_1")
    await till.hear(event(COMPLETED, session("cs_1", paid="no_payment_required", total=0)))
    assert (await till.ledger.balance(user)).seconds_remaining == 30000


async def test_a_purchase_that_has_no_session_yet_is_found_by_the_metadata(till: Till) -> None:
    user = await till.buyer()
    purchase = await till.purchase(user)
    await till.hear(event(COMPLETED, session("cs_1", payment="pi_1", metadata=names(purchase, user, seconds=1))))
    assert await till.ledger_rows(user) == [("credit_purchase", 30000)]


@pytest.mark.parametrize(("seconds", "credited"), [(7, 7), (None, 30000)])
async def test_without_a_purchase_the_metadata_or_todays_package_say_what_is_credited(
    till: Till, seconds: int | None, credited: int
) -> None:
    user = await till.buyer()
    metadata = names(uuid4(), user, seconds=seconds)
    await till.hear(event(COMPLETED, session("cs_1", payment="pi_1", metadata=metadata)))
    await till.hear(event(COMPLETED, session("cs_1", payment="pi_1", metadata=metadata)))
    assert await till.ledger_rows(user) == [("credit_purchase", credited)]


async def test_refunds_take_back_in_proportion_and_the_rest_at_the_end(till: Till) -> None:
    user = await till.buyer()
    await till.purchase(user, "cs_1", seconds=1000)
    await till.hear(event(COMPLETED, session("cs_1", payment="pi_1")))
    for refunded, left in [(100, 667), (100, 667), (200, 334), (300, 0), (200, 0)]:
        await till.hear(event("charge.refunded", charge("pi_1", refunded)))
        assert (await till.ledger.balance(user)).seconds_remaining == left


async def test_a_refund_that_comes_before_the_purchase_waits_for_it(till: Till) -> None:
    user = await till.buyer()
    await till.purchase(user, "cs_1")
    await till.hear(event("charge.refunded", charge("pi_1", 300)))
    assert [kind for kind, _ in await till.unmatched()] == ["charge.refunded"]
    await till.hear(event(COMPLETED, session("cs_1", payment="pi_1")))
    assert await till.ledger_rows(user) == [("credit_purchase", 30000), ("refund", -30000)]
    assert await till.unmatched() == []


async def test_a_refund_that_failed_gives_back(till: Till) -> None:
    user = await till.buyer()
    await till.purchase(user, "cs_1")
    await till.hear(event(COMPLETED, session("cs_1", payment="pi_1")))
    await till.hear(event("charge.refunded", charge("pi_1", 100)))
    await till.hear(event("refund.failed", refund("re_1", "pi_1", 100, "failed")))
    await till.hear(event("refund.updated", refund("re_1", "pi_1", 100, "pending")))
    assert await till.ledger_rows(user) == [("credit_purchase", 30000), ("refund", -10000), ("refund", 10000)]


async def test_a_dispute_freezes_and_what_is_lost_is_taken_in_one_row(till: Till) -> None:
    user = await till.buyer()
    await till.purchase(user, "cs_1")
    await till.hear(event(COMPLETED, session("cs_1", payment="pi_1")))
    await till.hear(event("charge.dispute.created", dispute("dp_1", "pi_1", 300, "needs_response")))
    balance = await till.ledger.balance(user)
    assert (balance.seconds_remaining, balance.seconds_frozen, balance.available) == (30000, 30000, 0)
    await till.hear(event("charge.dispute.closed", dispute("dp_1", "pi_1", 300, "lost")))
    await till.hear(event("charge.dispute.created", dispute("dp_1", "pi_1", 300, "needs_response")))
    assert await till.ledger_rows(user) == [("credit_purchase", 30000), ("dispute", -30000)]
    await till.hear(event("charge.dispute.funds_reinstated", dispute("dp_1", "pi_1", 300, "lost")))
    balance = await till.ledger.balance(user)
    assert (balance.seconds_remaining, balance.seconds_frozen) == (30000, 0)

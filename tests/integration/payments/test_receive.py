"""Webhooks on a real database: each event changes the balance once, in any order."""

from functools import partial
from uuid import uuid4

import pytest

from tests.integration.payments.events import charge, dispute, event, names, refund, session
from tests.integration.payments.harness import PaymentsHarness
from tests.integration.payments.model import another_id
from transcription_proxy.ledger.entries import MAX_CREDITS, Description

COMPLETED = "checkout.session.completed"


async def test_a_paid_session_is_credited_once_however_often_its_event_arrives(harness: PaymentsHarness) -> None:
    user = await harness.buyer()
    await harness.purchase(user, "cs_1")
    body = event(COMPLETED, session("cs_1", payment="pi_1"))
    await harness.receive(body)
    await harness.receive(body)
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    assert await harness.ledger_rows(user) == [("credit_purchase", 30000)]


async def test_a_completed_unpaid_session_is_credited_when_the_money_arrives(harness: PaymentsHarness) -> None:
    user = await harness.buyer()
    await harness.purchase(user, "cs_1")
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1", paid="unpaid")))
    assert (await harness.ledger.balance(user)).seconds_remaining == 0
    await harness.receive(event("checkout.session.async_payment_succeeded", session("cs_1", payment="pi_1")))
    assert (await harness.ledger.balance(user)).seconds_remaining == 30000


async def test_a_free_order_is_credited_without_a_payment(harness: PaymentsHarness) -> None:
    user = await harness.buyer()
    await harness.purchase(user, "cs_1")
    await harness.receive(event(COMPLETED, session("cs_1", paid="no_payment_required", total=0)))
    assert (await harness.ledger.balance(user)).seconds_remaining == 30000


async def test_a_purchase_without_a_session_is_found_by_the_metadata(harness: PaymentsHarness) -> None:
    user = await harness.buyer()
    purchase = await harness.purchase(user)
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1", metadata=names(purchase, user, seconds=1))))
    assert await harness.ledger_rows(user) == [("credit_purchase", 30000)]


@pytest.mark.parametrize(("seconds", "credited"), [(7, 7), (None, 30000)])
async def test_a_lost_purchase_is_credited_by_its_metadata_or_todays_package(
    harness: PaymentsHarness, seconds: int | None, credited: int
) -> None:
    user = await harness.buyer()
    metadata = names(uuid4(), user, seconds=seconds)
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1", metadata=metadata)))
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1", metadata=metadata)))
    assert await harness.ledger_rows(user) == [("credit_purchase", credited)]


async def test_refunds_take_back_in_proportion_and_the_rest_at_the_end(harness: PaymentsHarness) -> None:
    user = await harness.buyer()
    await harness.purchase(user, "cs_1", seconds=1000)
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    for refunded, left in [(100, 667), (100, 667), (200, 334), (300, 0), (200, 0)]:
        await harness.receive(event("charge.refunded", charge("pi_1", refunded)))
        assert (await harness.ledger.balance(user)).seconds_remaining == left


async def test_a_refund_that_arrives_before_its_purchase_waits(harness: PaymentsHarness) -> None:
    user = await harness.buyer()
    await harness.purchase(user, "cs_1")
    await harness.receive(event("charge.refunded", charge("pi_1", 300)))
    assert [kind for kind, _ in await harness.unmatched()] == ["charge.refunded"]
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    assert await harness.ledger_rows(user) == [("credit_purchase", 30000), ("refund", -30000)]
    assert await harness.unmatched() == []


async def test_a_failed_refund_gives_the_credit_back(harness: PaymentsHarness) -> None:
    user = await harness.buyer()
    await harness.purchase(user, "cs_1")
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    await harness.receive(event("charge.refunded", charge("pi_1", 100)))
    await harness.receive(event("refund.failed", refund("re_1", "pi_1", 100, "failed")))
    await harness.receive(event("refund.updated", refund("re_1", "pi_1", 100, "pending")))
    assert await harness.ledger_rows(user) == [("credit_purchase", 30000), ("refund", -10000), ("refund", 10000)]


async def test_a_failed_refund_and_an_equal_new_one_are_told_apart(harness: PaymentsHarness) -> None:
    """The charge reports 100 each time. Only the ids show that there are two refunds."""
    user = await harness.buyer()
    await harness.purchase(user, "cs_1")
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    events = [
        event("refund.created", refund("re_1", "pi_1", 100, "succeeded")),
        event("charge.refunded", charge("pi_1", 100)),
        event("refund.failed", refund("re_1", "pi_1", 100, "failed")),
        event("charge.refunded", charge("pi_1", 100)),
        event("refund.created", refund("re_2", "pi_1", 100, "succeeded")),
    ]
    left = []
    for body in events:
        await harness.receive(body)
        left.append((await harness.ledger.balance(user)).seconds_remaining)
    assert left == [20000, 20000, 30000, 30000, 20000]
    for body in events[::-1] + events:
        await harness.receive(another_id(body))
    assert (await harness.ledger.balance(user)).seconds_remaining == 20000


async def test_refunds_listed_in_a_charge_count_by_their_ids(harness: PaymentsHarness) -> None:
    user = await harness.buyer()
    await harness.purchase(user, "cs_1")
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    first, second = refund("re_1", None, 100, "failed"), refund("re_2", None, 50, "succeeded")
    await harness.receive(event("charge.refunded", charge("pi_1", 100, refunds=[first | {"status": "succeeded"}])))
    await harness.receive(event("charge.refunded", charge("pi_1", 50, refunds=[second, first])))
    assert (await harness.ledger.balance(user)).seconds_remaining == 25000


@pytest.mark.parametrize(("known", "asks"), [(None, True), (100, True), (150, False)])
async def test_refunds_known_only_by_a_charges_amount_are_fetched(
    harness: PaymentsHarness, known: int | None, asks: bool
) -> None:
    user = await harness.buyer()
    await harness.purchase(user, "cs_1")
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    if known:
        await harness.receive(event("refund.created", refund("re_1", "pi_1", known, "pending")))
    await harness.receive(event("charge.refunded", charge("pi_1", 150)))
    jobs = await harness.sql("SELECT key FROM jobs WHERE kind = 'refunds'")
    assert jobs == [("ch_of_pi_1",)] * asks


async def test_a_dispute_freezes_credit_and_a_lost_one_takes_it_in_one_row(harness: PaymentsHarness) -> None:
    user = await harness.buyer()
    await harness.purchase(user, "cs_1")
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    await harness.receive(event("charge.dispute.created", dispute("dp_1", "pi_1", 300, "needs_response")))
    balance = await harness.ledger.balance(user)
    assert (balance.seconds_remaining, balance.seconds_frozen, balance.available) == (30000, 30000, 0)
    await harness.receive(event("charge.dispute.closed", dispute("dp_1", "pi_1", 300, "lost")))
    await harness.receive(event("charge.dispute.created", dispute("dp_1", "pi_1", 300, "needs_response")))
    assert await harness.ledger_rows(user) == [("credit_purchase", 30000), ("dispute", -30000)]
    await harness.receive(event("charge.dispute.funds_reinstated", dispute("dp_1", "pi_1", 300, "lost")))
    balance = await harness.ledger.balance(user)
    assert (balance.seconds_remaining, balance.seconds_frozen) == (30000, 0)


@pytest.mark.parametrize("claim_first", [True, False])
async def test_a_claim_that_names_only_its_charge_is_matched_once_the_charge_is_known(
    harness: PaymentsHarness, claim_first: bool
) -> None:
    user = await harness.buyer()
    await harness.purchase(user, "cs_1")
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    only_charge = dispute("dp_1", "pi_1", 300, "lost") | {"payment_intent": None}
    intent = {"id": "pi_1", "status": "succeeded", "latest_charge": charge("pi_1", 0)}
    steps = [
        partial(harness.receive, event("charge.dispute.closed", only_charge)),
        partial(harness.apply, session("cs_1") | {"payment_intent": intent}),
    ]
    for step in steps if claim_first else reversed(steps):
        await step()
    assert await harness.ledger_rows(user) == [("credit_purchase", 30000), ("dispute", -30000)]
    assert await harness.unmatched() == []


async def test_looking_up_a_session_books_its_refund(harness: PaymentsHarness) -> None:
    user = await harness.buyer()
    await harness.purchase(user, "cs_1")
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    intent = {"id": "pi_1", "status": "succeeded", "latest_charge": charge("pi_1", 100)}
    for _ in range(2):
        await harness.apply(session("cs_1") | {"payment_intent": intent})
    await harness.receive(event("charge.refunded", charge("pi_1", 100)))
    assert await harness.ledger_rows(user) == [("credit_purchase", 30000), ("refund", -10000)]


async def test_each_ledger_row_names_a_refund_or_a_dispute(harness: PaymentsHarness) -> None:
    user = await harness.buyer()
    await harness.purchase(user, "cs_1")
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    await harness.receive(event("charge.refunded", charge("pi_1", 100)))
    await harness.receive(event("charge.dispute.closed", dispute("dp_1", "pi_1", 300, "lost")))
    await harness.receive(event("charge.refunded", charge("pi_1", 200)))  # the dispute has taken that already
    await harness.receive(event("charge.dispute.funds_reinstated", dispute("dp_1", "pi_1", 300, "lost")))
    await harness.receive(event("charge.refunded", charge("pi_1", 300)))
    assert await harness.ledger_rows(user) == [
        ("credit_purchase", 30000),
        ("refund", -10000),
        ("dispute", -20000),
        ("dispute", 10000),
        ("refund", -10000),
    ]


async def test_two_paid_sessions_of_one_purchase_are_credited_twice(harness: PaymentsHarness) -> None:
    """Stripe forgets an idempotency key after a day. Each session has its own payment and refund."""
    user = await harness.buyer()
    metadata = names(await harness.purchase(user), user)
    for number in (1, 2, 1):
        await harness.receive(event(COMPLETED, session(f"cs_{number}", payment=f"pi_{number}", metadata=metadata)))
    await harness.receive(event("charge.refunded", charge("pi_2", 300) | {"metadata": metadata}))
    assert await harness.ledger_rows(user) == [("credit_purchase", 30000)] * 2 + [("refund", -30000)]
    rows = await harness.sql("SELECT checkout_session, seconds_taken FROM purchases ORDER BY checkout_session")
    assert rows == [("cs_1", 0), ("cs_2", 30000)]


async def test_a_purchase_belongs_to_its_buyer_whatever_the_metadata_say(harness: PaymentsHarness) -> None:
    ann, eve = await harness.buyer(), await harness.buyer()
    metadata = names(await harness.purchase(ann, "cs_1"), eve, seconds=10**8)
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1", metadata=metadata)))
    assert await harness.ledger_rows(ann) == [("credit_purchase", 30000)]
    assert await harness.ledger_rows(eve) == []


async def test_a_claim_never_matches_a_purchase_with_another_payment(harness: PaymentsHarness) -> None:
    user = await harness.buyer()
    metadata = names(await harness.purchase(user, "cs_1"), user)
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1", metadata=metadata)))
    await harness.receive(event("charge.refunded", charge("pi_9", 300) | {"metadata": metadata}))
    assert await harness.ledger_rows(user) == [("credit_purchase", 30000)]
    assert [kind for kind, _ in await harness.unmatched()] == ["charge.refunded"]


@pytest.mark.parametrize(
    "before", [("expired", "unpaid"), ("async_payment_failed", "unpaid"), ("completed", "unpaid"), ("expired", "paid")]
)
async def test_a_paid_session_is_credited_whatever_other_events_say(
    harness: PaymentsHarness, before: tuple[str, str]
) -> None:
    user = await harness.buyer()
    await harness.purchase(user, "cs_1")
    kind, paid = before
    said = event(f"checkout.session.{kind}", session("cs_1", payment="pi_1", paid=paid))
    await harness.receive(said)
    await harness.receive(event("checkout.session.async_payment_succeeded", session("cs_1", payment="pi_1")))
    await harness.receive(another_id(said))
    assert await harness.ledger_rows(user) == [("credit_purchase", 30000)]
    assert await harness.sql("SELECT status FROM purchases") == [("paid",)]


async def test_a_blocked_user_keeps_what_was_paid(harness: PaymentsHarness) -> None:
    user = await harness.buyer()
    await harness.purchase(user, "cs_1")
    await harness.sql("UPDATE users SET blocked_at = now() WHERE id = %s", user)
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    assert await harness.ledger_rows(user) == [("credit_purchase", 30000)]


async def test_a_payment_that_exceeds_the_largest_balance_waits(harness: PaymentsHarness) -> None:
    user = await harness.buyer()
    await harness.purchase(user, "cs_1")
    await harness.ledger.credit(user, MAX_CREDITS - 29_999, Description.MANUAL_ADJUSTMENT)
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    [kept] = await harness.payments.unmatched()
    assert "1,000,000,000" in kept.why
    assert await harness.sql("SELECT status FROM purchases") == [("open",)]
    await harness.ledger.credit(user, -1, Description.MANUAL_ADJUSTMENT)
    assert await harness.payments.retry(kept)
    assert (await harness.ledger.balance(user)).seconds_remaining == MAX_CREDITS
    assert await harness.unmatched() == []


async def test_an_inquiry_freezes_nothing_until_it_becomes_a_dispute(harness: PaymentsHarness) -> None:
    user = await harness.buyer()
    await harness.purchase(user, "cs_1")
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    for kind, status, frozen in [
        ("created", "warning_needs_response", 0),
        ("updated", "warning_under_review", 0),
        ("updated", "needs_response", 30000),
        ("created", "warning_needs_response", 30000),
        ("closed", "won", 0),
        ("updated", "under_review", 0),
    ]:
        await harness.receive(event(f"charge.dispute.{kind}", dispute("dp_1", "pi_1", 300, status)))
        assert (await harness.ledger.balance(user)).seconds_frozen == frozen
    assert await harness.ledger_rows(user) == [("credit_purchase", 30000)]


async def test_the_newest_unmatched_events_are_listed_oldest_first(harness: PaymentsHarness) -> None:
    """Another product of the same Stripe account may cause very many unmatched events."""
    for number in range(4):
        await harness.receive(event(COMPLETED, session(f"cs_{number}", payment="pi_1")))
    assert [one.object_id for one in await harness.payments.unmatched(limit=3)] == ["cs_1", "cs_2", "cs_3"]

"""Webhooks on a real database: each event changes the balance once, in any order."""

from functools import partial
from uuid import uuid4

import pytest

from tests.integration.payments.events import charge, dispute, event, names, refund, session
from tests.integration.payments.model import another_id
from tests.integration.payments.setup import PaymentsSetup
from transcription_proxy.ledger.entries import MAX_CREDITS, Description

COMPLETED = "checkout.session.completed"


async def test_a_paid_session_is_credited_once_however_often_its_event_arrives(setup: PaymentsSetup) -> None:
    user = await setup.buyer()
    await setup.purchase(user, "cs_1")
    body = event(COMPLETED, session("cs_1", payment="pi_1"))
    await setup.receive(body)
    await setup.receive(body)
    await setup.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    assert await setup.ledger_rows(user) == [("credit_purchase", 30000)]


async def test_a_completed_unpaid_session_is_credited_when_the_money_arrives(setup: PaymentsSetup) -> None:
    user = await setup.buyer()
    await setup.purchase(user, "cs_1")
    await setup.receive(event(COMPLETED, session("cs_1", payment="pi_1", paid="unpaid")))
    assert (await setup.ledger.balance(user)).seconds_remaining == 0
    await setup.receive(event("checkout.session.async_payment_succeeded", session("cs_1", payment="pi_1")))
    assert (await setup.ledger.balance(user)).seconds_remaining == 30000


async def test_a_free_order_is_credited_without_a_payment(setup: PaymentsSetup) -> None:
    user = await setup.buyer()
    await setup.purchase(user, "cs_1")
    await setup.receive(event(COMPLETED, session("cs_1", paid="no_payment_required", total=0)))
    assert (await setup.ledger.balance(user)).seconds_remaining == 30000


async def test_a_purchase_without_a_session_is_found_by_the_metadata(setup: PaymentsSetup) -> None:
    user = await setup.buyer()
    purchase = await setup.purchase(user)
    await setup.receive(event(COMPLETED, session("cs_1", payment="pi_1", metadata=names(purchase, user, seconds=1))))
    assert await setup.ledger_rows(user) == [("credit_purchase", 30000)]


@pytest.mark.parametrize(("seconds", "credited"), [(7, 7), (None, 30000)])
async def test_a_lost_purchase_is_credited_by_its_metadata_or_todays_package(
    setup: PaymentsSetup, seconds: int | None, credited: int
) -> None:
    user = await setup.buyer()
    metadata = names(uuid4(), user, seconds=seconds)
    await setup.receive(event(COMPLETED, session("cs_1", payment="pi_1", metadata=metadata)))
    await setup.receive(event(COMPLETED, session("cs_1", payment="pi_1", metadata=metadata)))
    assert await setup.ledger_rows(user) == [("credit_purchase", credited)]


async def test_refunds_take_back_in_proportion_and_the_rest_at_the_end(setup: PaymentsSetup) -> None:
    user = await setup.buyer()
    await setup.purchase(user, "cs_1", seconds=1000)
    await setup.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    for refunded, left in [(100, 667), (100, 667), (200, 334), (300, 0), (200, 0)]:
        await setup.receive(event("charge.refunded", charge("pi_1", refunded)))
        assert (await setup.ledger.balance(user)).seconds_remaining == left


async def test_a_refund_that_arrives_before_its_purchase_waits(setup: PaymentsSetup) -> None:
    user = await setup.buyer()
    await setup.purchase(user, "cs_1")
    await setup.receive(event("charge.refunded", charge("pi_1", 300)))
    assert [kind for kind, _ in await setup.unmatched()] == ["charge.refunded"]
    await setup.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    assert await setup.ledger_rows(user) == [("credit_purchase", 30000), ("refund", -30000)]
    assert await setup.unmatched() == []


async def test_a_failed_refund_gives_the_credit_back(setup: PaymentsSetup) -> None:
    user = await setup.buyer()
    await setup.purchase(user, "cs_1")
    await setup.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    await setup.receive(event("charge.refunded", charge("pi_1", 100)))
    await setup.receive(event("refund.failed", refund("re_1", "pi_1", 100, "failed")))
    await setup.receive(event("refund.updated", refund("re_1", "pi_1", 100, "pending")))
    assert await setup.ledger_rows(user) == [("credit_purchase", 30000), ("refund", -10000), ("refund", 10000)]


async def test_a_failed_refund_and_an_equal_new_one_are_told_apart(setup: PaymentsSetup) -> None:
    """The charge reports 100 each time. Only the ids show that there are two refunds."""
    user = await setup.buyer()
    await setup.purchase(user, "cs_1")
    await setup.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    events = [
        event("refund.created", refund("re_1", "pi_1", 100, "succeeded")),
        event("charge.refunded", charge("pi_1", 100)),
        event("refund.failed", refund("re_1", "pi_1", 100, "failed")),
        event("charge.refunded", charge("pi_1", 100)),
        event("refund.created", refund("re_2", "pi_1", 100, "succeeded")),
    ]
    left = []
    for body in events:
        await setup.receive(body)
        left.append((await setup.ledger.balance(user)).seconds_remaining)
    assert left == [20000, 20000, 30000, 30000, 20000]
    for body in events[::-1] + events:
        await setup.receive(another_id(body))
    assert (await setup.ledger.balance(user)).seconds_remaining == 20000


async def test_refunds_listed_in_a_charge_count_by_their_ids(setup: PaymentsSetup) -> None:
    user = await setup.buyer()
    await setup.purchase(user, "cs_1")
    await setup.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    first, second = refund("re_1", None, 100, "failed"), refund("re_2", None, 50, "succeeded")
    await setup.receive(event("charge.refunded", charge("pi_1", 100, refunds=[first | {"status": "succeeded"}])))
    await setup.receive(event("charge.refunded", charge("pi_1", 50, refunds=[second, first])))
    assert (await setup.ledger.balance(user)).seconds_remaining == 25000


@pytest.mark.parametrize(("known", "asks"), [(None, True), (100, True), (150, False)])
async def test_refunds_known_only_by_a_charges_amount_are_fetched(
    setup: PaymentsSetup, known: int | None, asks: bool
) -> None:
    user = await setup.buyer()
    await setup.purchase(user, "cs_1")
    await setup.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    if known:
        await setup.receive(event("refund.created", refund("re_1", "pi_1", known, "pending")))
    await setup.receive(event("charge.refunded", charge("pi_1", 150)))
    jobs = await setup.sql("SELECT key FROM jobs WHERE kind = 'refunds'")
    assert jobs == [("ch_of_pi_1",)] * asks


async def test_a_dispute_freezes_credit_and_a_lost_one_takes_it_in_one_row(setup: PaymentsSetup) -> None:
    user = await setup.buyer()
    await setup.purchase(user, "cs_1")
    await setup.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    await setup.receive(event("charge.dispute.created", dispute("dp_1", "pi_1", 300, "needs_response")))
    balance = await setup.ledger.balance(user)
    assert (balance.seconds_remaining, balance.seconds_frozen, balance.available) == (30000, 30000, 0)
    await setup.receive(event("charge.dispute.closed", dispute("dp_1", "pi_1", 300, "lost")))
    await setup.receive(event("charge.dispute.created", dispute("dp_1", "pi_1", 300, "needs_response")))
    assert await setup.ledger_rows(user) == [("credit_purchase", 30000), ("dispute", -30000)]
    await setup.receive(event("charge.dispute.funds_reinstated", dispute("dp_1", "pi_1", 300, "lost")))
    balance = await setup.ledger.balance(user)
    assert (balance.seconds_remaining, balance.seconds_frozen) == (30000, 0)


@pytest.mark.parametrize("claim_first", [True, False])
async def test_a_claim_that_names_only_its_charge_is_matched_once_the_charge_is_known(
    setup: PaymentsSetup, claim_first: bool
) -> None:
    user = await setup.buyer()
    await setup.purchase(user, "cs_1")
    await setup.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    only_charge = dispute("dp_1", "pi_1", 300, "lost") | {"payment_intent": None}
    intent = {"id": "pi_1", "status": "succeeded", "latest_charge": charge("pi_1", 0)}
    steps = [
        partial(setup.receive, event("charge.dispute.closed", only_charge)),
        partial(setup.apply, session("cs_1") | {"payment_intent": intent}),
    ]
    for step in steps if claim_first else reversed(steps):
        await step()
    assert await setup.ledger_rows(user) == [("credit_purchase", 30000), ("dispute", -30000)]
    assert await setup.unmatched() == []


async def test_looking_up_a_session_books_its_refund(setup: PaymentsSetup) -> None:
    user = await setup.buyer()
    await setup.purchase(user, "cs_1")
    await setup.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    intent = {"id": "pi_1", "status": "succeeded", "latest_charge": charge("pi_1", 100)}
    for _ in range(2):
        await setup.apply(session("cs_1") | {"payment_intent": intent})
    await setup.receive(event("charge.refunded", charge("pi_1", 100)))
    assert await setup.ledger_rows(user) == [("credit_purchase", 30000), ("refund", -10000)]


async def test_each_ledger_row_names_a_refund_or_a_dispute(setup: PaymentsSetup) -> None:
    user = await setup.buyer()
    await setup.purchase(user, "cs_1")
    await setup.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    await setup.receive(event("charge.refunded", charge("pi_1", 100)))
    await setup.receive(event("charge.dispute.closed", dispute("dp_1", "pi_1", 300, "lost")))
    await setup.receive(event("charge.refunded", charge("pi_1", 200)))  # the dispute has taken that already
    await setup.receive(event("charge.dispute.funds_reinstated", dispute("dp_1", "pi_1", 300, "lost")))
    await setup.receive(event("charge.refunded", charge("pi_1", 300)))
    assert await setup.ledger_rows(user) == [
        ("credit_purchase", 30000),
        ("refund", -10000),
        ("dispute", -20000),
        ("dispute", 10000),
        ("refund", -10000),
    ]


async def test_two_paid_sessions_of_one_purchase_are_credited_twice(setup: PaymentsSetup) -> None:
    """Stripe forgets an idempotency key after a day. Each session has its own payment and refund."""
    user = await setup.buyer()
    metadata = names(await setup.purchase(user), user)
    for number in (1, 2, 1):
        await setup.receive(event(COMPLETED, session(f"cs_{number}", payment=f"pi_{number}", metadata=metadata)))
    await setup.receive(event("charge.refunded", charge("pi_2", 300) | {"metadata": metadata}))
    assert await setup.ledger_rows(user) == [("credit_purchase", 30000)] * 2 + [("refund", -30000)]
    rows = await setup.sql("SELECT checkout_session, seconds_taken FROM purchases ORDER BY checkout_session")
    assert rows == [("cs_1", 0), ("cs_2", 30000)]


async def test_a_purchase_belongs_to_its_buyer_whatever_the_metadata_say(setup: PaymentsSetup) -> None:
    ann, eve = await setup.buyer(), await setup.buyer()
    metadata = names(await setup.purchase(ann, "cs_1"), eve, seconds=10**8)
    await setup.receive(event(COMPLETED, session("cs_1", payment="pi_1", metadata=metadata)))
    assert await setup.ledger_rows(ann) == [("credit_purchase", 30000)]
    assert await setup.ledger_rows(eve) == []


async def test_a_claim_never_matches_a_purchase_with_another_payment(setup: PaymentsSetup) -> None:
    user = await setup.buyer()
    metadata = names(await setup.purchase(user, "cs_1"), user)
    await setup.receive(event(COMPLETED, session("cs_1", payment="pi_1", metadata=metadata)))
    await setup.receive(event("charge.refunded", charge("pi_9", 300) | {"metadata": metadata}))
    assert await setup.ledger_rows(user) == [("credit_purchase", 30000)]
    assert [kind for kind, _ in await setup.unmatched()] == ["charge.refunded"]


@pytest.mark.parametrize(
    "before", [("expired", "unpaid"), ("async_payment_failed", "unpaid"), ("completed", "unpaid"), ("expired", "paid")]
)
async def test_a_paid_session_is_credited_whatever_other_events_say(
    setup: PaymentsSetup, before: tuple[str, str]
) -> None:
    user = await setup.buyer()
    await setup.purchase(user, "cs_1")
    kind, paid = before
    said = event(f"checkout.session.{kind}", session("cs_1", payment="pi_1", paid=paid))
    await setup.receive(said)
    await setup.receive(event("checkout.session.async_payment_succeeded", session("cs_1", payment="pi_1")))
    await setup.receive(another_id(said))
    assert await setup.ledger_rows(user) == [("credit_purchase", 30000)]
    assert await setup.sql("SELECT status FROM purchases") == [("paid",)]


async def test_a_blocked_user_keeps_what_was_paid(setup: PaymentsSetup) -> None:
    user = await setup.buyer()
    await setup.purchase(user, "cs_1")
    await setup.sql("UPDATE users SET blocked_at = now() WHERE id = %s", user)
    await setup.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    assert await setup.ledger_rows(user) == [("credit_purchase", 30000)]


async def test_a_payment_that_exceeds_the_largest_balance_waits(setup: PaymentsSetup) -> None:
    user = await setup.buyer()
    await setup.purchase(user, "cs_1")
    await setup.ledger.credit(user, MAX_CREDITS - 29_999, Description.MANUAL_ADJUSTMENT)
    await setup.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    [kept] = await setup.payments.unmatched()
    assert "1,000,000,000" in kept.why
    assert await setup.sql("SELECT status FROM purchases") == [("open",)]
    await setup.ledger.credit(user, -1, Description.MANUAL_ADJUSTMENT)
    assert await setup.payments.retry(kept)
    assert (await setup.ledger.balance(user)).seconds_remaining == MAX_CREDITS
    assert await setup.unmatched() == []


async def test_an_inquiry_freezes_nothing_until_it_becomes_a_dispute(setup: PaymentsSetup) -> None:
    user = await setup.buyer()
    await setup.purchase(user, "cs_1")
    await setup.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    for kind, status, frozen in [
        ("created", "warning_needs_response", 0),
        ("updated", "warning_under_review", 0),
        ("updated", "needs_response", 30000),
        ("created", "warning_needs_response", 30000),
        ("closed", "won", 0),
        ("updated", "under_review", 0),
    ]:
        await setup.receive(event(f"charge.dispute.{kind}", dispute("dp_1", "pi_1", 300, status)))
        assert (await setup.ledger.balance(user)).seconds_frozen == frozen
    assert await setup.ledger_rows(user) == [("credit_purchase", 30000)]


async def test_the_newest_unmatched_events_are_listed_oldest_first(setup: PaymentsSetup) -> None:
    """Another product of the same Stripe account may cause very many unmatched events."""
    for number in range(4):
        await setup.receive(event(COMPLETED, session(f"cs_{number}", payment="pi_1")))
    assert [one.object_id for one in await setup.payments.unmatched(limit=3)] == ["cs_1", "cs_2", "cs_3"]

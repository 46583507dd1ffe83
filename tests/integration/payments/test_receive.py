"""Webhooks on a real database: what each event does to the balance, once, whatever the order."""

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


async def test_a_session_that_is_complete_and_not_paid_is_credited_when_the_money_arrives(
    harness: PaymentsHarness,
) -> None:
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


async def test_a_purchase_that_has_no_session_yet_is_found_by_the_metadata(harness: PaymentsHarness) -> None:
    user = await harness.buyer()
    purchase = await harness.purchase(user)
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1", metadata=names(purchase, user, seconds=1))))
    assert await harness.ledger_rows(user) == [("credit_purchase", 30000)]


@pytest.mark.parametrize(("seconds", "credited"), [(7, 7), (None, 30000)])
async def test_without_a_purchase_the_metadata_or_todays_package_say_what_is_credited(
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


async def test_a_refund_that_comes_before_the_purchase_waits_for_it(harness: PaymentsHarness) -> None:
    user = await harness.buyer()
    await harness.purchase(user, "cs_1")
    await harness.receive(event("charge.refunded", charge("pi_1", 300)))
    assert [kind for kind, _ in await harness.unmatched()] == ["charge.refunded"]
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    assert await harness.ledger_rows(user) == [("credit_purchase", 30000), ("refund", -30000)]
    assert await harness.unmatched() == []


async def test_a_refund_that_failed_gives_back(harness: PaymentsHarness) -> None:
    user = await harness.buyer()
    await harness.purchase(user, "cs_1")
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    await harness.receive(event("charge.refunded", charge("pi_1", 100)))
    await harness.receive(event("refund.failed", refund("re_1", "pi_1", 100, "failed")))
    await harness.receive(event("refund.updated", refund("re_1", "pi_1", 100, "pending")))
    assert await harness.ledger_rows(user) == [("credit_purchase", 30000), ("refund", -10000), ("refund", 10000)]


async def test_a_refund_that_fails_and_a_new_one_of_the_same_amount(harness: PaymentsHarness) -> None:
    """The charge says 100 each time: only the ids tell that they are two."""
    user = await harness.buyer()
    await harness.purchase(user, "cs_1")
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    told = [
        event("refund.created", refund("re_1", "pi_1", 100, "succeeded")),
        event("charge.refunded", charge("pi_1", 100)),
        event("refund.failed", refund("re_1", "pi_1", 100, "failed")),
        event("charge.refunded", charge("pi_1", 100)),
        event("refund.created", refund("re_2", "pi_1", 100, "succeeded")),
    ]
    left = []
    for body in told:
        await harness.receive(body)
        left.append((await harness.ledger.balance(user)).seconds_remaining)
    assert left == [20000, 20000, 30000, 30000, 20000]
    for body in told[::-1] + told:
        await harness.receive(another_id(body))
    assert (await harness.ledger.balance(user)).seconds_remaining == 20000


async def test_refunds_that_a_charge_lists_count_by_their_ids_too(harness: PaymentsHarness) -> None:
    user = await harness.buyer()
    await harness.purchase(user, "cs_1")
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    first, second = refund("re_1", None, 100, "failed"), refund("re_2", None, 50, "succeeded")
    await harness.receive(event("charge.refunded", charge("pi_1", 100, refunds=[first | {"status": "succeeded"}])))
    await harness.receive(event("charge.refunded", charge("pi_1", 50, refunds=[second, first])))
    assert (await harness.ledger.balance(user)).seconds_remaining == 25000


@pytest.mark.parametrize(("known", "asks"), [(None, True), (100, True), (150, False)])
async def test_refunds_that_a_charge_counts_and_no_event_named_are_fetched(
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


async def test_a_dispute_freezes_and_what_is_lost_is_taken_in_one_row(harness: PaymentsHarness) -> None:
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


@pytest.mark.parametrize("told_first", [True, False])
async def test_a_claim_that_names_only_its_charge_is_found_once_the_payment_was_asked_about(
    harness: PaymentsHarness, told_first: bool
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
    for step in steps if told_first else reversed(steps):
        await step()
    assert await harness.ledger_rows(user) == [("credit_purchase", 30000), ("dispute", -30000)]
    assert await harness.unmatched() == []


async def test_looking_a_session_up_books_its_refund(harness: PaymentsHarness) -> None:
    user = await harness.buyer()
    await harness.purchase(user, "cs_1")
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    intent = {"id": "pi_1", "status": "succeeded", "latest_charge": charge("pi_1", 100)}
    for _ in range(2):
        await harness.apply(session("cs_1") | {"payment_intent": intent})
    await harness.receive(event("charge.refunded", charge("pi_1", 100)))
    assert await harness.ledger_rows(user) == [("credit_purchase", 30000), ("refund", -10000)]


async def test_each_row_says_whether_a_refund_or_a_dispute_had_it(harness: PaymentsHarness) -> None:
    user = await harness.buyer()
    await harness.purchase(user, "cs_1")
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    await harness.receive(event("charge.refunded", charge("pi_1", 100)))
    await harness.receive(event("charge.dispute.closed", dispute("dp_1", "pi_1", 300, "lost")))
    await harness.receive(event("charge.refunded", charge("pi_1", 200)))  # the dispute has that already
    await harness.receive(event("charge.dispute.funds_reinstated", dispute("dp_1", "pi_1", 300, "lost")))
    await harness.receive(event("charge.refunded", charge("pi_1", 300)))
    assert await harness.ledger_rows(user) == [
        ("credit_purchase", 30000),
        ("refund", -10000),
        ("dispute", -20000),
        ("dispute", 10000),
        ("refund", -10000),
    ]


async def test_two_sessions_of_one_purchase_that_are_both_paid_are_two_credits(harness: PaymentsHarness) -> None:
    """Stripe forgets an idempotency key after a day; each has its own payment, and its own refund."""
    user = await harness.buyer()
    metadata = names(await harness.purchase(user), user)
    for number in (1, 2, 1):
        await harness.receive(event(COMPLETED, session(f"cs_{number}", payment=f"pi_{number}", metadata=metadata)))
    await harness.receive(event("charge.refunded", charge("pi_2", 300) | {"metadata": metadata}))
    assert await harness.ledger_rows(user) == [("credit_purchase", 30000)] * 2 + [("refund", -30000)]
    rows = await harness.sql("SELECT checkout_session, seconds_taken FROM purchases ORDER BY checkout_session")
    assert rows == [("cs_1", 0), ("cs_2", 30000)]


async def test_a_purchase_is_its_buyers_whomever_the_metadata_name(harness: PaymentsHarness) -> None:
    ann, eve = await harness.buyer(), await harness.buyer()
    metadata = names(await harness.purchase(ann, "cs_1"), eve, seconds=10**8)
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1", metadata=metadata)))
    assert await harness.ledger_rows(ann) == [("credit_purchase", 30000)]
    assert await harness.ledger_rows(eve) == []


async def test_a_claim_is_not_that_of_a_purchase_with_another_payment_whatever_its_metadata_name(
    harness: PaymentsHarness,
) -> None:
    user = await harness.buyer()
    metadata = names(await harness.purchase(user, "cs_1"), user)
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1", metadata=metadata)))
    await harness.receive(event("charge.refunded", charge("pi_9", 300) | {"metadata": metadata}))
    assert await harness.ledger_rows(user) == [("credit_purchase", 30000)]
    assert [kind for kind, _ in await harness.unmatched()] == ["charge.refunded"]


@pytest.mark.parametrize(
    "before", [("expired", "unpaid"), ("async_payment_failed", "unpaid"), ("completed", "unpaid"), ("expired", "paid")]
)
async def test_what_is_paid_in_the_end_is_credited_whatever_was_said_before_and_after(
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


async def test_a_payment_that_no_balance_holds_waits_until_there_is_room(harness: PaymentsHarness) -> None:
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


async def test_of_many_unmatched_events_the_newest_are_listed_oldest_first(harness: PaymentsHarness) -> None:
    """Another product of the same account may leave more than anybody looks at."""
    for number in range(4):
        await harness.receive(event(COMPLETED, session(f"cs_{number}", payment="pi_1")))
    assert [one.object_id for one in await harness.payments.unmatched(limit=3)] == ["cs_1", "cs_2", "cs_3"]

"""Whose a purchase is: a payment is credited once over all users, also while version 0.2 serves on other hosts."""

import asyncio
from uuid import UUID

import psycopg
import pytest

from tests.integration.payments.events import event, names, refund, session
from tests.integration.payments.harness import PaymentsHarness
from transcription_proxy.ledger.entries import Description

COMPLETED = "checkout.session.completed"
PAID = "UPDATE purchases SET status = 'paid', paid_at = now(), paid_cents = 300, payment_intent = %s WHERE id = %s"
CREDIT = (
    "INSERT INTO usage_ledger (user_id, seconds, description, balance_after, purchase_id)"
    " VALUES (%s, 1, 'credit_purchase', 1, %s)"
)


async def owners(harness: PaymentsHarness) -> list[tuple[object, ...]]:
    return await harness.sql("SELECT purchase_id, user_id, checkout_session, payment_intent FROM purchase_owners")


async def paid_in_0_2(harness: PaymentsHarness, user: UUID, purchase: UUID) -> None:
    """Book a payment as version 0.2 does: the owner's row does not name it."""
    await harness.sql(PAID, "pi_1", purchase)
    await harness.ledger.credit(user, 30000, Description.CREDIT_PURCHASE)
    await harness.sql("UPDATE usage_ledger SET purchase_id = %s WHERE user_id = %s", purchase, user)


async def credits(harness: PaymentsHarness) -> int:
    [(count,)] = await harness.sql("SELECT count(*) FROM usage_ledger WHERE description = 'credit_purchase'")
    return int(count)


@pytest.mark.parametrize("known_session", ["cs_1", None])
async def test_a_purchase_of_version_0_2_is_found(harness: PaymentsHarness, known_session: str | None) -> None:
    user = await harness.buyer()
    purchase = await harness.old_purchase(user, known_session)
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1", metadata=names(purchase, user))))
    assert await harness.ledger_rows(user) == [("credit_purchase", 30000)]
    assert await owners(harness) == [(purchase, user, "cs_1", "pi_1")]
    assert await harness.findings() == []


async def test_a_payment_that_version_0_2_booked_is_found_by_its_refund(harness: PaymentsHarness) -> None:
    user = await harness.buyer()
    purchase = await harness.purchase(user, "cs_1")
    await paid_in_0_2(harness, user, purchase)
    await harness.receive(event("refund.updated", refund("re_1", "pi_1", 300, "succeeded")))
    assert await harness.ledger_rows(user) == [("credit_purchase", 30000), ("refund", -30000)]
    assert await owners(harness) == [(purchase, user, "cs_1", "pi_1")]


async def test_a_purchase_of_another_payment_is_not_taken_for_one_without(harness: PaymentsHarness) -> None:
    user = await harness.buyer()
    purchase = await harness.purchase(user, "cs_1")
    await paid_in_0_2(harness, user, purchase)
    claim = refund("re_1", "pi_2", 300, "succeeded") | {"metadata": {"purchase_id": str(purchase)}}
    await harness.receive(event("refund.updated", claim))
    assert [why for _, why in await harness.unmatched()] == ["it belongs to no known purchase"]


async def test_one_checkout_session_is_credited_once_whichever_users_its_events_name(
    harness: PaymentsHarness,
) -> None:
    users = [await harness.buyer(), await harness.buyer()]
    sessions = [session("cs_1", payment="pi_1", metadata=names(UUID(int=n), user)) for n, user in enumerate(users)]
    await asyncio.gather(*(harness.receive(event(COMPLETED, each)) for each in sessions * 3))
    assert await credits(harness) == 1
    assert len(await owners(harness)) == 1
    assert await harness.findings() == []


async def test_the_schema_refuses_a_second_credit_and_a_second_purchase(harness: PaymentsHarness) -> None:
    user, other = await harness.buyer(), await harness.buyer()
    purchase = await harness.purchase(user, "cs_1")
    await harness.receive(event(COMPLETED, session("cs_1", payment="pi_1")))
    with pytest.raises(psycopg.errors.UniqueViolation):
        await harness.sql(CREDIT, user, purchase)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        await harness.sql(CREDIT, other, purchase)
    with pytest.raises(psycopg.errors.UniqueViolation):
        await harness.sql("INSERT INTO purchase_owners VALUES (%s, %s, 'cs_1')", UUID(int=1), other)

"""The round trips of a webhook: it locks and reads its purchase and its balance once."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from tests.integration.payments.events import Body, charge, dispute, event, names, refund, session
from tests.integration.payments.harness import PaymentsHarness
from tests.integration.round_trips import round_trips

COMPLETED = "checkout.session.completed"
Prepare = Callable[[PaymentsHarness, UUID], Awaitable[Body]]


async def paid(harness: PaymentsHarness, user: UUID) -> Body:
    purchase = await harness.purchase(user, "cs_1")
    return event(COMPLETED, session("cs_1", payment="pi_1", metadata=names(purchase, user)), name="evt_paid")


async def repeated(harness: PaymentsHarness, user: UUID) -> Body:
    await harness.receive(body := await paid(harness, user))
    return body


async def paid_again(harness: PaymentsHarness, user: UUID) -> Body:
    await harness.receive(await paid(harness, user))
    return event("checkout.session.async_payment_succeeded", session("cs_1", payment="pi_1"))


async def without_a_purchase(harness: PaymentsHarness, user: UUID) -> Body:
    return event(COMPLETED, session("cs_1", payment="pi_1", metadata=names(UUID(int=1), user)))


async def refunded(harness: PaymentsHarness, user: UUID) -> Body:
    await harness.receive(await paid(harness, user))
    return event("refund.updated", refund("re_1", "pi_1", 100, "succeeded"))


async def charge_refunded(harness: PaymentsHarness, user: UUID) -> Body:
    await harness.receive(await paid(harness, user))
    return event("charge.refunded", charge("pi_1", 100))


async def disputed(harness: PaymentsHarness, user: UUID) -> Body:
    await harness.receive(await paid(harness, user))
    return event("charge.dispute.created", dispute("dp_1", "pi_1", 300, "needs_response"))


async def dispute_lost(harness: PaymentsHarness, user: UUID) -> Body:
    await harness.receive(await disputed(harness, user))
    return event("charge.dispute.closed", dispute("dp_1", "pi_1", 300, "lost"))


@pytest.mark.parametrize(
    ("prepare", "most"),
    [
        (paid, 12),
        (repeated, 3),
        (paid_again, 9),
        (without_a_purchase, 15),
        (refunded, 13),
        (charge_refunded, 15),
        (disputed, 12),
        (dispute_lost, 14),
    ],
)
async def test_a_webhook_makes_few_round_trips(harness: PaymentsHarness, prepare: Prepare, most: int) -> None:
    """A payment made 17 and a refund 18 when each step read the purchase and locked the balance again."""
    body = await prepare(harness, await harness.buyer())
    with round_trips() as made:
        await harness.receive(body)
    assert len(made) == most, made

"""What Stripe says becomes money, once: facts in, a purchase's status, its credit and its claw-backs out.

Each call works inside the caller's transaction, so an event's row and its effect are committed together."""

from typing import Final
from uuid import UUID, uuid4

import structlog

from transcription_proxy.db import jobs
from transcription_proxy.errors import Refusal
from transcription_proxy.ledger import store as ledger
from transcription_proxy.ledger.entries import Description
from transcription_proxy.payments import notices, store
from transcription_proxy.payments.packages import CURRENCY, Package
from transcription_proxy.payments.standing import Claim, standing
from transcription_proxy.payments.store import Connection, Draft, Purchase
from transcription_proxy.payments.translate import Checkout, furthest

RECEIPT: Final = "receipt"
"""The job that fetches a paid purchase's receipt."""
log = structlog.get_logger(__name__)


class UnbookableFact(Exception):
    """The fact belongs to no purchase of ours, or cannot be booked; with why. A claim is kept nevertheless."""


class Fulfillment:
    """`packages`: what is sold today, for sessions whose purchase and metadata are both lost."""

    def __init__(self, packages: dict[str, Package]) -> None:
        self._packages = packages

    async def apply(self, connection: Connection, fact: Checkout | Claim) -> None:
        """Book what is new in a fact. Raise UnbookableFact, with nothing booked."""
        session, claim = (fact.session_id, fact.charge) if isinstance(fact, Checkout) else (None, fact)
        charge = claim.charge if claim else None
        purchase = str(fact.purchase_id) if fact.purchase_id else None
        await store.lock_payment(connection, [session, fact.payment_intent, charge, purchase])
        for known in (claim, *claim.refunds) if claim else ():
            await store.merge_claim(connection, known)
        try:
            async with connection.transaction():  # a savepoint: a claim stays known
                if isinstance(fact, Checkout):
                    await self._checkout(connection, fact)
                else:
                    await self._claim(connection, fact)
        except Refusal as refusal:
            raise UnbookableFact(refusal.message) from refusal

    async def _checkout(self, connection: Connection, fact: Checkout) -> None:
        found = await store.purchase_of_checkout(connection, fact.session_id, fact.purchase_id)
        if found is None:
            found = await self._make_up(connection, fact)
        await ledger.lock_balance(connection, found.user_id)
        purchase = await store.purchase(connection, found.id)
        status = furthest(purchase.status, fact.status)
        pays = status == "paid" != purchase.status
        if pays and fact.currency != purchase.currency:
            raise UnbookableFact(f"it was paid in {fact.currency}, but the purchase is in {purchase.currency}")
        await store.set_status(connection, purchase.id, status, fact)
        if status == "failed" != purchase.status:
            await jobs.enqueue(connection, notices.FAILED, str(purchase.id))
        if pays:
            await self._credit(connection, purchase)
        if pays or fact.charge:
            await _restate(connection, purchase.id)

    async def _credit(self, connection: Connection, purchase: Purchase) -> None:
        kind = Description.CREDIT_PURCHASE
        await ledger.credit(connection, purchase.user_id, purchase.seconds, kind, purchase_id=purchase.id)
        for job in (RECEIPT, notices.PAID):
            await jobs.enqueue(connection, job, str(purchase.id))
        log.info("purchase_paid", purchase=str(purchase.id), seconds=purchase.seconds)

    async def _make_up(self, connection: Connection, fact: Checkout) -> Purchase:
        """A purchase for a session of which we have no row, from its metadata or today's packages (money 27)."""
        buyer = await store.buyer(connection, fact.user_id) if fact.user_id else None
        if buyer is None:
            raise UnbookableFact("it names no known user")
        package = self._packages.get(fact.package_id or "")
        seconds = fact.seconds or (package.seconds if package else None)
        if seconds is None:
            raise UnbookableFact("it names no known package")
        if fact.currency != CURRENCY:
            raise UnbookableFact(f"it is in {fact.currency}, but everything here is sold in {CURRENCY}")
        draft = Draft(
            id=uuid4(),
            user_id=buyer.id,
            package_id=fact.package_id or "",
            label=package.label if package else f"{seconds // 60} minutes",
            seconds=seconds,
            cents=fact.paid_cents,
            currency=fact.currency,
            checkout_session=fact.session_id,
        )
        return await store.add_purchase(connection, draft)

    async def _claim(self, connection: Connection, fact: Claim) -> None:
        purchase = await store.purchase_of_payment(connection, fact)
        if purchase is None:
            raise UnbookableFact("it belongs to no known purchase")
        await ledger.lock_balance(connection, purchase.user_id)
        await _restate(connection, purchase.id)


async def _restate(connection: Connection, purchase_id: UUID) -> None:
    """Fulfillment the difference between what claims have of a paid purchase and what was booked of them so far."""
    purchase = await store.purchase(connection, purchase_id)
    claims = await store.claims(connection, purchase)
    if claims:
        await store.match_claims(connection, claims)
    if not claims or purchase.paid_cents is None:
        return
    new = standing(purchase.seconds, purchase.paid_cents, purchase.currency, claims)
    take, freeze = new.taken - purchase.seconds_taken, new.frozen - purchase.seconds_frozen
    await store.set_standing(connection, purchase.id, new)
    if take or freeze:
        _, lost, _ = sorted((0, new.lost - await store.lost(connection, purchase.id), take))
        await ledger.claw_back(connection, purchase.user_id, purchase.id, take - lost, 0, Description.REFUND)
        await ledger.claw_back(connection, purchase.user_id, purchase.id, lost, freeze, Description.DISPUTE)
        for seconds, by_dispute in ((take - lost, False), (lost, True)):
            if seconds > 0:
                taken = notices.Taken(purchase.id, seconds, by_dispute, new.taken)
                await jobs.enqueue(connection, notices.TAKEN, taken.key)
        log.warning("purchase_clawed_back", purchase=str(purchase.id), taken=take, frozen=freeze)

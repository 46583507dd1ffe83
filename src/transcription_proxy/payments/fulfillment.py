"""Books facts from Stripe about a payment, each once: a purchase's status, its credit, and its claw-backs.

`Fulfillment.apply` works in its caller's transaction, so an event's row and its effect are committed together. It
locks the payment, its purchase and the user's balance, reads each once, and passes the rows along."""

from typing import Final
from uuid import uuid4

import structlog

from transcription_proxy.db import jobs
from transcription_proxy.errors import Refusal
from transcription_proxy.ledger import store as ledger
from transcription_proxy.ledger.entries import Balance, Description, balance_after, balance_clawed_back
from transcription_proxy.payments import notices, store
from transcription_proxy.payments.packages import CURRENCY, Package
from transcription_proxy.payments.standing import Claim, Kind, Standing, standing
from transcription_proxy.payments.store import Connection, Draft, Purchase
from transcription_proxy.payments.translate import Checkout, furthest

RECEIPT: Final = "receipt"
"""The job that fetches a paid purchase's receipt."""
log = structlog.get_logger(__name__)


class UnbookableFact(Exception):
    """A fact that belongs to no known purchase, or that cannot be booked. Its text says why."""


class Fulfillment:
    """`packages`: what is sold today, by id, for Checkout Sessions whose purchase and metadata are both lost."""

    def __init__(self, packages: dict[str, Package]) -> None:
        self._packages = packages

    async def apply(self, connection: Connection, fact: Checkout | Claim) -> None:
        """Book what is new in a fact. Raise UnbookableFact, having booked nothing; the claims in it are kept.

        Every check that may fail comes before the ledger entries, so no savepoint is needed.
        """
        session_id, claim = (fact.session_id, fact.charge) if isinstance(fact, Checkout) else (None, fact)
        charge_id = claim.charge if claim else None
        purchase_id = str(fact.purchase_id) if fact.purchase_id else None
        await store.lock_payment(connection, [session_id, fact.payment_intent, charge_id, purchase_id])
        for known in (claim, *claim.refunds) if claim else ():
            await store.merge_claim(connection, known)
        try:
            if isinstance(fact, Checkout):
                await self._apply_checkout(connection, fact)
            else:
                await self._apply_claim(connection, fact)
        except Refusal as refusal:
            raise UnbookableFact(refusal.message) from refusal

    async def _apply_checkout(self, connection: Connection, fact: Checkout) -> None:
        purchase = await store.purchase_of_checkout(connection, fact.session_id, fact.purchase_id, lock=True)
        draft = purchase or await self._draft(connection, fact)
        balance = await ledger.lock_or_add_balance(connection, draft.user_id)
        status_before = purchase.status if purchase else "open"
        status = furthest(status_before, fact.status)
        pays = status == "paid" != status_before
        if pays and fact.currency != draft.currency:
            raise UnbookableFact(f"it was paid in {fact.currency}, but the purchase is in {draft.currency}")
        if pays:
            balance_after(balance, draft.seconds)  # raises a Refusal before anything is written
        if isinstance(draft, Draft):
            await store.add_purchase(connection, draft)
        purchase = await store.set_status(connection, draft, status, fact)
        if status == "failed" != status_before:
            await jobs.enqueue(connection, notices.FAILED, str(purchase.id))
        if pays:
            balance = await _credit(connection, purchase, balance)
        if pays or fact.charge:
            await _apply_claims(connection, purchase, balance)

    async def _draft(self, connection: Connection, fact: Checkout) -> Draft:
        """Return a purchase for a Checkout Session that has none, from its metadata or today's packages (money 27)."""
        buyer = await store.buyer(connection, fact.user_id) if fact.user_id else None
        if buyer is None:
            raise UnbookableFact("it names no known user")
        package = self._packages.get(fact.package_id or "")
        seconds = fact.seconds or (package.seconds if package else None)
        if seconds is None:
            raise UnbookableFact("it names no known package")
        if fact.currency != CURRENCY:
            raise UnbookableFact(f"it is in {fact.currency}, but everything here is sold in {CURRENCY}")
        return Draft(
            id=uuid4(),
            user_id=buyer.id,
            package_id=fact.package_id or "",
            label=package.label if package else f"{seconds // 60} minutes",
            seconds=seconds,
            cents=fact.paid_cents,
            currency=fact.currency,
            checkout_session=fact.session_id,
        )

    async def _apply_claim(self, connection: Connection, fact: Claim) -> None:
        purchase = await store.purchase_of_payment(connection, fact, lock=True)
        if purchase is None:
            raise UnbookableFact("it belongs to no known purchase")
        await _apply_claims(connection, purchase, await ledger.lock_or_add_balance(connection, purchase.user_id))


async def _credit(connection: Connection, purchase: Purchase, balance: Balance) -> Balance:
    """Credit a purchase that has just been paid, and return the new balance."""
    kind = Description.CREDIT_PURCHASE
    after = await ledger.credit(connection, purchase.user_id, balance, purchase.seconds, kind, purchase_id=purchase.id)
    await jobs.enqueue_all(connection, [(job, str(purchase.id)) for job in (RECEIPT, notices.PAID)])
    log.info("purchase_paid", purchase=str(purchase.id), seconds=purchase.seconds)
    return after


async def _apply_claims(connection: Connection, purchase: Purchase, balance: Balance) -> None:
    """Book the difference between what all claims take of a paid purchase and what was booked before."""
    claims = await store.claims(connection, purchase)
    if not claims:
        return
    if purchase.paid_cents is None:
        await store.match_claims(connection, claims)
        return
    new = standing(purchase.seconds, purchase.paid_cents, purchase.currency, claims)
    take, freeze = new.taken - purchase.seconds_taken, new.frozen - purchase.seconds_frozen
    balance_clawed_back(balance, take)  # raises a Refusal before anything of the claims is written
    await store.match_claims(connection, claims)
    if take or freeze or new.refunded != purchase.refunded_cents:
        await store.set_standing(connection, purchase, new)
    if take or freeze:
        may_have_lost = purchase.seconds_taken > 0 and any(claim.kind is Kind.DISPUTE for claim in claims)
        lost_before = await store.lost(connection, purchase) if may_have_lost else 0
        await _claw_back(connection, purchase, balance, new, lost_before)
        log.warning("purchase_clawed_back", purchase=str(purchase.id), taken=take, frozen=freeze)


async def _claw_back(
    connection: Connection, purchase: Purchase, balance: Balance, new: Standing, lost_before: int
) -> None:
    """Book the change of a purchase's standing, and enqueue its mails. `lost_before`: seconds disputes had taken."""
    take = new.taken - purchase.seconds_taken
    _, by_disputes, _ = sorted((0, new.lost - lost_before, take))
    by_refunds = take - by_disputes
    for seconds, kind in ((by_refunds, Description.REFUND), (by_disputes, Description.DISPUTE)):
        balance = await ledger.claw_back(connection, purchase.user_id, balance, purchase.id, seconds, kind)
    await ledger.freeze(connection, purchase.user_id, new.frozen - purchase.seconds_frozen)
    taken = [
        notices.Taken(purchase.id, seconds, is_dispute, new.taken)
        for seconds, is_dispute in ((by_refunds, False), (by_disputes, True))
        if seconds > 0
    ]
    await jobs.enqueue_all(connection, [(notices.TAKEN, each.key) for each in taken])

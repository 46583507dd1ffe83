"""Compares Stripe's checkout sessions, refunds and disputes with ours, to make up for lost webhooks."""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog

from transcription_proxy.db.pool import Database
from transcription_proxy.payments import store, translate
from transcription_proxy.payments.fulfillment import UnbookableFact
from transcription_proxy.payments.gateway import Gateway, NoSuchObject
from transcription_proxy.payments.service import Payments
from transcription_proxy.payments.standing import Claim, Kind, Refund
from transcription_proxy.payments.translate import Checkout, NotUnderstood, furthest

RECONCILE: Final = "reconcile"
"""The job that reconciles by itself."""
RECONCILE_EVERY_SECONDS: Final = 3600.0
LOOK_BACK: Final = timedelta(days=7)
"""How far back the job looks, which is longer than Stripe retries a webhook."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Difference:
    """An object at Stripe that is not booked here. `subject`: its id. `why_not`: why it could not be booked."""

    subject: str
    detail: str
    fixed: bool = False
    why_not: str | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """A refund or dispute that is not known here. `differs`: False if its charge already reported the amount."""

    fact: Claim
    differs: bool = True


class Reconciler:
    """Reads both sides. With `fix` it books what is missing, as the webhook would have."""

    def __init__(self, database: Database, gateway: Gateway, payments: Payments) -> None:
        self._database = database
        self._gateway = gateway
        self._payments = payments

    async def run(self, since: datetime, *, fix: bool) -> list[Difference]:
        """Return the differences in what was created since, and in what has been open longer.

        Raise StripeAway, Unavailable.
        """
        found = [one async for one in self._checkouts(since, fix)]
        found += [one async for one in self._claims(since, fix)]
        return found + ([one async for one in self._unmatched()] if fix else [])

    async def run_job(self, _key: str) -> None:
        """Job: book what is missing from the last days, and log each difference."""
        for one in await self.run(datetime.now(UTC) - LOOK_BACK, fix=True):
            log.warning("payment_difference", subject=one.subject, detail=one.detail, why_not=one.why_not)

    async def _checkouts(self, since: datetime, fix: bool) -> AsyncIterator[Difference]:
        listed = set()
        async for thing in self._gateway.checkouts(since):
            listed.add(thing.get("id"))
            async for one in self._checkout(thing, fix):
                yield one
        async with self._database.transaction() as connection:
            pending = await store.pending(connection)
        for session_id in pending:
            if session_id not in listed:
                try:
                    thing = await self._gateway.checkout(session_id)
                except NoSuchObject:
                    continue
                async for one in self._checkout(thing, fix):
                    yield one

    async def _checkout(self, thing: translate.Object, fix: bool) -> AsyncIterator[Difference]:
        try:
            fact = translate.checkout(thing)
        except NotUnderstood:
            return  # another product of the same Stripe account
        async with self._database.transaction() as connection:
            ours = await store.purchase_of_checkout(connection, fact.session_id, fact.purchase_id)
        if ours is None and (fact.purchase_id is None or fact.status != "paid"):
            return
        status = "unknown" if ours is None else ours.status
        if ours is None or furthest(status, fact.status) != status:
            yield await self._resolve(fact.session_id, f"{fact.status} at Stripe, {status} here", fact, fix)

    async def _claims(self, since: datetime, fix: bool) -> AsyncIterator[Difference]:
        """Compare all refunds and disputes before any is booked, since booking one may hide another's difference."""
        unknown = [found async for thing in self._claimed(since) if (found := await self._unknown(thing))]
        for one in unknown:
            fact = one.fact
            detail = f"a {fact.kind} of {fact.cents} {fact.currency} cents is missing here"
            difference = await self._resolve(fact.id, detail, fact, fix)
            if one.differs:
                yield difference

    async def _claimed(self, since: datetime) -> AsyncIterator[translate.Object]:
        """Yield the refunds and disputes that were created since, or that we know to be open."""
        listed = set()
        for things in (self._gateway.refunds(since), self._gateway.disputes(since)):
            async for thing in things:
                listed.add(thing.get("id"))
                yield thing
        async with self._database.transaction() as connection:
            waiting = await store.open_claims(connection)
        for name, kind in waiting:
            if name not in listed:
                ask = self._gateway.refund if kind is Kind.REFUND else self._gateway.dispute
                with suppress(NoSuchObject):
                    yield await ask(name)

    async def _unknown(self, thing: translate.Object) -> Unknown | None:
        """Return a refund or dispute that is unknown here; None where it is known, or belongs to no known purchase.

        A refund comes with all refunds of its charge: once one of them is known by its id, the sum of the known ones
        counts and the charge's own amount does not (money 28).
        """
        try:
            fact = _fact(thing)
        except NotUnderstood:
            return None  # another product of the same Stripe account
        async with self._database.transaction() as connection:
            purchase = await store.purchase_of_payment(connection, fact)
            known = await store.knows_claim(connection, fact)
        if purchase is None or known:
            return None
        if fact.kind is not Kind.REFUND or fact.charge is None:
            return Unknown(fact)
        refunds = await self._payments.refunds_of(fact.charge)
        refunded = sum(refund.cents for refund in refunds if refund.standing == Refund.SUCCEEDED)
        return Unknown(replace(fact, refunds=tuple(refunds)), differs=refunded != purchase.refunded_cents)

    async def _resolve(self, subject: str, detail: str, fact: Claim | Checkout, fix: bool) -> Difference:
        """Book a fact if `fix` is set, and return the difference with the result."""
        if not fix:
            return Difference(subject, detail)
        try:
            async with self._database.transaction() as connection:
                await self._payments.fulfillment.apply(connection, fact)
        except UnbookableFact as error:
            return Difference(subject, detail, why_not=str(error))
        return Difference(subject, detail, fixed=True)

    async def _unmatched(self) -> AsyncIterator[Difference]:
        """Book the kept events whose purchase is known now, and yield a difference for each."""
        for event in await self._payments.unmatched():
            if await self._payments.retry(event):
                yield Difference(event.id, f"{event.type} was unmatched", fixed=True)


def _fact(thing: translate.Object) -> Claim:
    """Return the claim of a refund or a dispute. Raise NotUnderstood."""
    if thing.get("object") == "dispute":
        return translate.dispute(thing, reinstated=_came_back(thing.get("balance_transactions")))
    return translate.refund(thing)


def _came_back(movements: Any) -> bool:
    """Return whether the money that a dispute took was returned, which its status does not say.

    Exchange rates change between the movements, so movements are counted rather than added up.
    """
    amounts = [one.get("amount") for one in movements or [] if isinstance(one, dict)]
    moved = [amount for amount in amounts if isinstance(amount, int)]
    taken, returned = sum(amount < 0 for amount in moved), sum(amount > 0 for amount in moved)
    return returned >= taken and returned > 0

"""Stripe's checkout sessions, refunds and disputes against ours: what webhooks that got lost would have said."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from transcription_proxy.db.pool import Database
from transcription_proxy.payments import store, translate
from transcription_proxy.payments.books import Unmatched
from transcription_proxy.payments.gateway import Gateway, NoSuchObject
from transcription_proxy.payments.service import Payments
from transcription_proxy.payments.standing import Claim, Kind
from transcription_proxy.payments.translate import Checkout, NotUnderstood, furthest

RECONCILE: Final = "reconcile"
"""The job that does it by itself."""
RECONCILE_EVERY: Final = 3600.0
LOOK_BACK: Final = timedelta(days=7)
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Difference:
    """What Stripe has and we have not. `subject` is Stripe's name of it; `why_not`: where it could not be booked."""

    subject: str
    detail: str
    fixed: bool = False
    why_not: str | None = None


class Reconciler:
    """Reads both sides; with `fix` it books what is missing, as the webhook would have."""

    def __init__(self, database: Database, gateway: Gateway, payments: Payments) -> None:
        self._database = database
        self._gateway = gateway
        self._payments = payments

    async def run(self, since: datetime, *, fix: bool) -> list[Difference]:
        """Of all that was made since, and payments that are pending for longer. Raises StripeAway, Unavailable."""
        found = [one async for one in self._checkouts(since, fix)]
        found += [one async for one in self._claims(since, fix)]
        return found + ([one async for one in self._unmatched()] if fix else [])

    async def run_job(self, _key: str) -> None:
        for one in await self.run(datetime.now(UTC) - LOOK_BACK, fix=True):
            log.warning("payments_differed", subject=one.subject, detail=one.detail, why_not=one.why_not)

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
            return  # of another product of the same Stripe account
        async with self._database.transaction() as connection:
            ours = await store.purchase_of_checkout(connection, fact.session_id, fact.purchase_id)
        if ours is None and (fact.purchase_id is None or fact.status != "paid"):
            return
        status = "unknown" if ours is None else ours.status
        if ours is None or furthest(status, fact.status) != status:
            yield await self._settled(fact.session_id, f"{fact.status} at Stripe, {status} here", [fact], fix)

    async def _claims(self, since: datetime, fix: bool) -> AsyncIterator[Difference]:
        for listed, read in (
            (self._gateway.refunds, translate.refund),
            (self._gateway.disputes, translate.dispute),
        ):
            async for thing in listed(since):
                async for one in self._claim(thing, read, fix):
                    yield one

    async def _claim(
        self, thing: translate.Object, read: Callable[[translate.Object], Claim], fix: bool
    ) -> AsyncIterator[Difference]:
        try:
            fact = read(thing)
        except NotUnderstood:
            return  # of another product of the same Stripe account
        async with self._database.transaction() as connection:
            purchase = await store.purchase_of_payment(connection, fact)
            known = purchase is not None and await store.knows_claim(connection, fact)
        if purchase is None or known:
            return
        facts = [fact]
        if fix and fact.kind is Kind.REFUND and fact.charge is not None:
            facts = [*await self._refunded(fact.charge), fact]
        yield await self._settled(
            fact.id, f"a {fact.kind} of {fact.cents} {fact.currency} cents that is new here", facts, fix
        )

    async def _refunded(self, charge_id: str) -> list[Claim]:
        """All refunds of a charge and what they come to: a failed one does not say whether that was ever known."""
        charge = translate.charge(await self._gateway.charge(charge_id))
        return [charge, *[translate.refund(one) async for one in self._gateway.refunds_of(charge_id)]]

    async def _settled(self, subject: str, detail: str, facts: list[Claim] | list[Checkout], fix: bool) -> Difference:
        """The fact that is looked for comes last: where this ends in the middle, it is found again."""
        if not fix:
            return Difference(subject, detail)
        try:
            for fact in facts:
                async with self._database.transaction() as connection:  # one each: the lock order is that of one fact
                    await self._payments.books.apply(connection, fact)
        except Unmatched as error:
            return Difference(subject, detail, why_not=str(error))
        return Difference(subject, detail, fixed=True)

    async def _unmatched(self) -> AsyncIterator[Difference]:
        """Events that were kept, whose purchase is known now."""
        for event in await self._payments.unmatched():
            if await self._payments.try_again(event):
                yield Difference(event.id, f"{event.type} was kept unmatched", fixed=True)

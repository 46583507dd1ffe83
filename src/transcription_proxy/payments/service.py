"""Payments: starts a purchase, sends the buyer to Stripe, and credits the purchase once Stripe says it is paid.

Every call raises Unavailable when the database is away, and Refusal with a code of docs/protocol.md."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import structlog

from transcription_proxy import metrics, sentences
from transcription_proxy.db import jobs
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Refusal
from transcription_proxy.ledger import store as ledger
from transcription_proxy.ledger.entries import Balance, balance_after
from transcription_proxy.payments import store, translate
from transcription_proxy.payments.fulfillment import Fulfillment, UnbookableFact
from transcription_proxy.payments.gateway import BadSignature, Gateway, NoSuchObject, StripeAway, verified
from transcription_proxy.payments.packages import MOST_SECONDS, Package
from transcription_proxy.payments.pricing import TOPUP
from transcription_proxy.payments.standing import Claim, Kind
from transcription_proxy.payments.store import Buyer, Draft, Purchase
from transcription_proxy.payments.translate import Event, NotUnderstood, is_id
from transcription_wire.lengths import in_minutes

DOUBLE_CLICK: Final = timedelta(seconds=60)
"""A second request for the same package within this time returns the first one's purchase."""
ASK_PAUSE: Final = timedelta(seconds=3)
"""The shortest time between two requests to Stripe about one Checkout Session."""
MIN_TOPUP_CENTS, MAX_TOPUP_CENTS = 100, 50_000
"""The smallest and the largest top-up, in cents (money 31)."""
DEFAULT_ROWS: Final = 100
"""Purchases in one list, unless the caller gives a limit."""
NO_CHECKOUT: Final = "cs_status"
"""The id of a Checkout Session that does not exist."""
CUSTOMER: Final = "customer"
"""The job that creates a Stripe customer for a new account."""
REFUNDS: Final = "refunds"
"""The job that fetches the refunds of a charge."""
log = structlog.get_logger(__name__)


class Payments:
    """`secrets`: any of them may sign a webhook. `credits_per_dollar` None: no top-ups.

    `live_only`: events of Stripe's test mode are refused."""

    def __init__(
        self,
        database: Database,
        gateway: Gateway,
        packages: Sequence[Package],
        *,
        secrets: Iterable[str],
        credits_per_dollar: int | None = None,
        live_only: bool = False,
    ) -> None:
        self._database = database
        self._gateway = gateway
        self._secrets = tuple(secrets)
        self._credits_per_dollar = credits_per_dollar
        self._live_only = live_only
        self.packages = tuple(packages)
        self.fulfillment = Fulfillment({package.id: package for package in packages})

    async def buy(self, user_id: UUID, package_id: str) -> Purchase:
        """Start buying a package, and return the purchase with its checkout URL.

        Raise Refusal: unknown_package, amount_too_large, payments_unavailable.
        """
        package = next((one for one in self.packages if one.id == package_id), None)
        if package is None:
            raise Refusal("unknown_package", sentences.no_such_package(self._ids()))
        return await self._begin(_draft(user_id, package))

    async def top_up(self, user_id: UUID, cents: int) -> Purchase:
        """Start buying credit for `cents`, and return the purchase with its checkout URL.

        Raise Refusal: invalid_amount, amount_too_large, payments_unavailable.
        """
        if self._credits_per_dollar is None:
            raise Refusal("invalid_amount", sentences.NO_TOP_UPS)
        seconds = cents * self._credits_per_dollar // 100
        if not (MIN_TOPUP_CENTS <= cents <= MAX_TOPUP_CENTS and 0 < seconds <= MOST_SECONDS):
            raise Refusal("invalid_amount", sentences.wrong_amount(MIN_TOPUP_CENTS, MAX_TOPUP_CENTS))
        return await self._begin(_draft(user_id, Package(TOPUP, in_minutes(seconds), seconds, cents)))

    async def _begin(self, draft: Draft) -> Purchase:
        """Write the purchase, then create its checkout at Stripe. A double click gets the first click's purchase."""
        async with self._database.transaction() as connection:
            balance_after(await ledger.lock_balance(connection, draft.user_id) or Balance(), draft.seconds)
            purchase = await store.open_purchase(connection, draft, DOUBLE_CLICK)
            purchase = purchase or await store.add_purchase(connection, draft)
            buyer = await store.buyer(connection, draft.user_id)
        assert buyer is not None
        if purchase.checkout_url is None:
            session_id, url = await self._create_checkout(purchase, buyer)
            async with self._database.transaction() as connection:
                await store.lock_payment(connection, [session_id, str(purchase.id)])
                purchase = await store.set_checkout(connection, purchase, session_id, url)
            if purchase.checkout_session != session_id:
                log.error("checkout_session_taken", purchase=str(purchase.id))  # another purchase has it
                raise _unavailable()
        return purchase

    async def _create_checkout(self, purchase: Purchase, buyer: Buyer) -> tuple[str, str]:
        """Return id and URL of a purchase's Checkout Session. All calls together take at most CALL_SECONDS.

        A customer that Stripe does not know (deleted there, or of another Stripe account) is created again.
        """
        try:
            async with asyncio.timeout(self._gateway.within):
                customer = buyer.stripe_customer_id or await self._create_customer(buyer, str(purchase.id))
                try:
                    return await self._gateway.create_checkout(purchase, customer)
                except NoSuchObject:
                    customer = await self._create_customer(buyer, str(purchase.id))
                    return await self._gateway.create_checkout(purchase, customer)
        except (StripeAway, NoSuchObject, TimeoutError):
            raise _unavailable() from None

    async def create_customer(self, key: str) -> None:
        """Job: create a Stripe customer for the account whose id is `key`. Raise StripeAway."""
        async with self._database.transaction() as connection:
            buyer = await store.buyer(connection, UUID(key))
        if buyer is not None and buyer.stripe_customer_id is None:
            await self._create_customer(buyer, "account")

    async def _create_customer(self, buyer: Buyer, occasion: str) -> str:
        customer = await self._gateway.create_customer(buyer, occasion)
        async with self._database.transaction() as connection:
            await store.set_customer(connection, buyer.id, customer, buyer.stripe_customer_id)
        return customer

    async def purchase(self, user_id: UUID, session_id: str) -> Purchase:
        """Return the purchase of a user's Checkout Session, after asking Stripe if it is unpaid here.

        Raise Refusal not_found.
        """
        async with self._database.transaction() as connection:
            found = await store.purchase_of_checkout(connection, session_id) if is_id(session_id) else None
            if found is None or found.user_id != user_id:
                raise Refusal("not_found", sentences.NO_SUCH_CHECKOUT)
            is_unpaid = found.status in ("open", "pending")
            needs_lookup = is_unpaid and await store.begin_lookup(connection, found, ASK_PAUSE)
        if needs_lookup:
            try:
                await self.look_up(session_id)
            except (StripeAway, NoSuchObject, UnbookableFact, NotUnderstood) as error:
                log.warning("checkout_not_looked_up", error=type(error).__name__)
        async with self._database.transaction() as connection:
            return await store.purchase(connection, found.id)

    async def fetch_receipt(self, key: str) -> None:
        """Job: look up the paid purchase whose id is `key` at Stripe, which adds its receipt. Raise StripeAway."""
        async with self._database.transaction() as connection:
            session_id = (await store.purchase(connection, UUID(key))).checkout_session
        if session_id is not None:
            await self.look_up(session_id)

    async def look_up(self, session_id: str) -> None:
        """Book what Stripe says now of a Checkout Session.

        Raise StripeAway, NoSuchObject, NotUnderstood, UnbookableFact.
        """
        fact = translate.checkout(await self._gateway.checkout(session_id))
        async with self._database.transaction() as connection:
            await self.fulfillment.apply(connection, fact)

    async def purchases(
        self, user_id: UUID, limit: int = DEFAULT_ROWS, before: tuple[datetime, UUID] | None = None
    ) -> list[Purchase]:
        """Return a user's purchases, newest first, without checkouts that were abandoned.

        `before`: date and id of a purchase; only those that follow it in this order are returned.
        """
        async with self._database.transaction() as connection:
            return await store.purchases(connection, user_id, limit, before)

    async def spent(self, user_id: UUID, tz: str, days: int) -> int:
        """Return the cents paid in the last days of a time zone that PostgreSQL knows, less refunds."""
        async with self._database.transaction() as connection:
            return await store.spent(connection, user_id, tz, days)

    async def receive(self, payload: bytes, signature: str) -> None:
        """Handle a webhook. Raise Refusal: invalid_signature, invalid_event, test_mode."""
        try:
            await self._receive(payload, signature)
        except Refusal:
            metrics.WEBHOOKS.labels("refused").inc()
            raise

    async def _receive(self, payload: bytes, signature: str) -> None:
        try:
            body = verified(payload, signature, self._secrets)
            event = translate.event(body)
        except BadSignature:
            raise Refusal("invalid_signature", sentences.BAD_SIGNATURE) from None
        except NotUnderstood as error:
            raise Refusal("invalid_event", sentences.bad_event(str(error))) from None
        if self._live_only and not event.livemode:
            raise Refusal("test_mode", sentences.LIVE_ONLY)
        async with self._database.transaction() as connection:
            if not await store.add_event(connection, event.id, event.type, event.object_id):
                metrics.WEBHOOKS.labels("repeated").inc()
                return
            why = await self._book(connection, event)
            metrics.WEBHOOKS.labels("handled" if why is None else "unmatched").inc()
            if why is not None:
                log.warning("event_unmatched", event_id=event.id, type=event.type, why=why)
                await store.keep_event(connection, event.id, why, body)

    async def _book(self, connection: store.Connection, event: Event) -> str | None:
        """Book an event. Return why it could not be booked; None where it was, or has nothing to book."""
        if event.type == "payment_intent.payment_failed":
            log.info("payment_failed", payment=event.object_id)
        if isinstance(event.fact, NotUnderstood):
            return str(event.fact)
        if event.fact is None:
            return None
        try:
            await self.fulfillment.apply(connection, event.fact)
        except UnbookableFact as error:
            return str(error)
        if isinstance(event.fact, Claim) and event.fact.kind is Kind.CHARGE:
            await self._fetch_missing_refunds(connection, event.fact)
        return None

    async def _fetch_missing_refunds(self, connection: store.Connection, charge: Claim) -> None:
        """Enqueue a job for a charge whose amount is not the sum of its known refunds."""
        if not await store.are_refunds_known(connection, charge):
            await jobs.enqueue(connection, REFUNDS, charge.id)

    async def fetch_refunds(self, key: str) -> None:
        """Job: book the refunds of the charge whose id is `key`, all at once. Raise StripeAway."""
        if refunds := await self.refunds_of(key):
            async with self._database.transaction() as connection:
                await self.fulfillment.apply(connection, replace(refunds[0], refunds=tuple(refunds)))

    async def refunds_of(self, charge_id: str) -> list[Claim]:
        """Return the refunds of a charge, as Stripe lists them now. Raise StripeAway."""
        found = []
        with suppress(NoSuchObject):
            async for thing in self._gateway.refunds_of(charge_id):
                with suppress(NotUnderstood):
                    found.append(translate.refund(thing))
        return found

    async def stripe_answers(self) -> bool:
        """Return whether Stripe answers and accepts our key, by asking for a Checkout Session that does not exist."""
        try:
            await self._gateway.checkout(NO_CHECKOUT)
        except NoSuchObject:
            return True
        except StripeAway:
            return False
        return True

    async def unmatched(self, limit: int = 1000) -> list[store.UnmatchedEvent]:
        """Return the events that belong to no known purchase: the newest `limit` of them, oldest first."""
        async with self._database.transaction() as connection:
            return await store.unmatched(connection, limit)

    async def retry(self, event: store.UnmatchedEvent) -> bool:
        """Book an unmatched event if that is possible now, and return whether it was."""
        async with self._database.transaction() as connection:
            if await self._book(connection, translate.event(event.body)) is not None:
                return False
            await store.match_event(connection, event.id)
            return True

    def _ids(self) -> list[str]:
        return [package.id for package in self.packages]


def _draft(user_id: UUID, package: Package) -> Draft:
    return Draft(uuid4(), user_id, package.id, package.label, package.seconds, package.price_cents, package.currency)


def _unavailable() -> Refusal:
    return Refusal("payments_unavailable", sentences.PAYMENTS_AWAY)

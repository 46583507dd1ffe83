"""Payments: a purchase is begun, paid at Stripe, and credited when Stripe says so, once.

Every call raises Unavailable when the database is away, and Refusal with a code of docs/protocol.md."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import structlog

from transcription_proxy import sentences
from transcription_proxy.db import jobs
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Refusal
from transcription_proxy.ledger import store as ledger
from transcription_proxy.ledger.entries import Balance, balance_after
from transcription_proxy.payments import store, translate
from transcription_proxy.payments.books import Books, Unmatched
from transcription_proxy.payments.gateway import BadSignature, Gateway, NoSuchObject, StripeAway, verified
from transcription_proxy.payments.packages import MOST_SECONDS, Package
from transcription_proxy.payments.standing import Claim, Kind
from transcription_proxy.payments.store import Buyer, Draft, Purchase
from transcription_proxy.payments.translate import Event, NotUnderstood, is_id
from transcription_wire.lengths import in_minutes

DOUBLE_CLICK: Final = timedelta(seconds=60)
"""The same thing asked for again within this time is the same purchase."""
ASK_PAUSE: Final = timedelta(seconds=3)
"""Between questions to Stripe about one session, whoever waits for it."""
LEAST_CENTS, MOST_CENTS = 100, 50_000
"""Cents of a top-up (money 31)."""
MOST_PURCHASES: Final = 100
NO_CHECKOUT: Final = "cs_status"
TOPUP: Final = "topup"
CUSTOMER: Final = "customer"
"""The job that tells Stripe about a new account."""
REFUNDS: Final = "refunds"
"""The job that fetches the refunds of a charge."""
log = structlog.get_logger(__name__)


class Payments:
    """`secrets` sign the webhooks. `credits_per_dollar` None: no top-ups. `live_only`: test mode is refused."""

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
        self.books = Books({package.id: package for package in packages})

    async def buy(self, user_id: UUID, package_id: str) -> Purchase:
        """A purchase with its checkout URL. Raises Refusal: unknown_package, amount_too_large, payments_unavailable."""
        package = next((one for one in self.packages if one.id == package_id), None)
        if package is None:
            raise Refusal("unknown_package", sentences.no_such_package(self._ids()))
        return await self._begin(_draft(user_id, package))

    async def top_up(self, user_id: UUID, cents: int) -> Purchase:
        """The same for a free amount. Raises Refusal: invalid_amount, amount_too_large, payments_unavailable."""
        if self._credits_per_dollar is None:
            raise Refusal("invalid_amount", sentences.NO_TOP_UPS)
        seconds = cents * self._credits_per_dollar // 100
        if not (LEAST_CENTS <= cents <= MOST_CENTS and 0 < seconds <= MOST_SECONDS):
            raise Refusal("invalid_amount", sentences.wrong_amount(LEAST_CENTS, MOST_CENTS))
        return await self._begin(_draft(user_id, Package(TOPUP, in_minutes(seconds), seconds, cents)))

    async def _begin(self, draft: Draft) -> Purchase:
        """The row first, under the balance's lock: a double click finds it, and Stripe makes one session of both."""
        async with self._database.transaction() as connection:
            balance_after(await ledger.lock_balance(connection, draft.user_id) or Balance(), draft.seconds)
            purchase = await store.open_purchase(connection, draft, DOUBLE_CLICK)
            purchase = purchase or await store.add_purchase(connection, draft)
            buyer = await store.buyer(connection, draft.user_id)
        assert buyer is not None
        if purchase.checkout_url is None:
            session_id, url = await self._at_stripe(purchase, buyer)
            async with self._database.transaction() as connection:
                await store.lock_payment(connection, [session_id, str(purchase.id)])
                await store.set_checkout(connection, purchase.id, session_id, url)
                purchase = await store.purchase(connection, purchase.id)
            if purchase.checkout_session != session_id:
                log.error("stripe_gave_the_session_of_another_purchase", purchase=str(purchase.id))
                raise _unavailable()
        return purchase

    async def _at_stripe(self, purchase: Purchase, buyer: Buyer) -> tuple[str, str]:
        """Several questions, for all of which the buyer waits as long as for one."""
        try:
            async with asyncio.timeout(self._gateway.within):
                return await self._checkout_of(purchase, buyer)
        except (StripeAway, NoSuchObject, TimeoutError):
            raise _unavailable() from None

    async def _checkout_of(self, purchase: Purchase, buyer: Buyer) -> tuple[str, str]:
        """A customer that Stripe does not know (another account's, or deleted there) is made anew."""
        customer = buyer.stripe_customer_id or await self._create_customer(buyer, str(purchase.id))
        try:
            return await self._gateway.create_checkout(purchase, customer)
        except NoSuchObject:
            customer = await self._create_customer(buyer, str(purchase.id))
            return await self._gateway.create_checkout(purchase, customer)

    async def create_customer(self, key: str) -> None:
        """Job: tells Stripe about an account, the id of which is `key`. Raises StripeAway."""
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
        """How far a session of the user's got; Stripe is asked where we do not know. Raises Refusal not_found."""
        async with self._database.transaction() as connection:
            found = await store.purchase_of_checkout(connection, session_id) if is_id(session_id) else None
            if found is None or found.user_id != user_id:
                raise Refusal("not_found", sentences.NO_SUCH_CHECKOUT)
            ask = found.status in ("open", "pending") and await store.ask(connection, found.id, ASK_PAUSE)
        if ask:
            try:
                await self.look_up(session_id)
            except (StripeAway, NoSuchObject, Unmatched, NotUnderstood) as error:
                log.warning("checkout_not_looked_up", error=type(error).__name__)
        async with self._database.transaction() as connection:
            return await store.purchase(connection, found.id)

    async def fetch_receipt(self, key: str) -> None:
        """Job: completes what we know of the paid purchase whose id is `key`. Raises StripeAway."""
        async with self._database.transaction() as connection:
            session_id = (await store.purchase(connection, UUID(key))).checkout_session
        if session_id is not None:
            await self.look_up(session_id)

    async def look_up(self, session_id: str) -> None:
        """Books what Stripe says of a session now. Raises StripeAway, NoSuchObject, NotUnderstood, Unmatched."""
        fact = translate.checkout(await self._gateway.checkout(session_id))
        async with self._database.transaction() as connection:
            await self.books.apply(connection, fact)

    async def purchases(
        self, user_id: UUID, limit: int = MOST_PURCHASES, before: tuple[datetime, UUID] | None = None
    ) -> list[Purchase]:
        """Newest first, those that were never paid left out. `before`: date and id of one; those that follow it."""
        async with self._database.transaction() as connection:
            return await store.purchases(connection, user_id, limit, before)

    async def receive(self, payload: bytes, signature: str) -> None:
        """A webhook. Raises Refusal: invalid_signature, invalid_event, test_mode."""
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
            if not await store.take_event(connection, event.id, event.type, event.object_id):
                return
            if (why := await self._book(connection, event)) is not None:
                log.warning("event_unmatched", event_id=event.id, type=event.type, why=why)
                await store.keep_event(connection, event.id, why, body)

    async def _book(self, connection: store.Connection, event: Event) -> str | None:
        """Why it could not be booked, None where it could or needed not be."""
        if event.type == "payment_intent.payment_failed":
            log.info("payment_failed", payment=event.object_id)
        if isinstance(event.fact, NotUnderstood):
            return str(event.fact)
        if event.fact is None:
            return None
        try:
            await self.books.apply(connection, event.fact)
        except Unmatched as error:
            return str(error)
        if isinstance(event.fact, Claim) and event.fact.kind is Kind.CHARGE:
            await self._explain(connection, event.fact)
        return None

    async def _explain(self, connection: store.Connection, charge: Claim) -> None:
        """Have Stripe asked for the refunds of a charge that says something else than those that are known by id."""
        if not await store.refunds_explain(connection, charge):
            await jobs.enqueue(connection, REFUNDS, charge.id)

    async def fetch_refunds(self, key: str) -> None:
        """Job: books the refunds of the charge whose id is `key`, all at once. Raises StripeAway."""
        if refunds := await self.refunds_of(key):
            async with self._database.transaction() as connection:
                await self.books.apply(connection, replace(refunds[0], refunds=tuple(refunds)))

    async def refunds_of(self, charge_id: str) -> list[Claim]:
        """The refunds of a charge, as Stripe lists them now. Raises StripeAway."""
        found = []
        with suppress(NoSuchObject):
            async for thing in self._gateway.refunds_of(charge_id):
                with suppress(NotUnderstood):
                    found.append(translate.refund(thing))
        return found

    async def stripe_answers(self) -> bool:
        """Return whether Stripe answers and takes our key: asked for a checkout that there is not, it says so."""
        try:
            await self._gateway.checkout(NO_CHECKOUT)
        except NoSuchObject:
            return True
        except StripeAway:
            return False
        return True

    async def unmatched(self, limit: int = 1000) -> list[store.Unmatched]:
        """Events that belong to no purchase of ours: the newest of them, oldest first."""
        async with self._database.transaction() as connection:
            return await store.unmatched(connection, limit)

    async def try_again(self, event: store.Unmatched) -> bool:
        """Books an unmatched event, where that is possible now."""
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

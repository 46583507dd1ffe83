"""The jobs that send email to buyers: when a purchase is paid or fails, and when a refund or dispute takes credit back.

The key of each job is described in notices.py."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import UUID

from transcription_proxy.db.pool import Database
from transcription_proxy.ledger import store as ledger
from transcription_proxy.mail import receipts
from transcription_proxy.mail.emails import Email
from transcription_proxy.mail.mailer import Mailer
from transcription_proxy.payments import store
from transcription_proxy.payments.fulfillment import UnbookableFact
from transcription_proxy.payments.gateway import NoSuchObject, StripeAway
from transcription_proxy.payments.notices import Taken
from transcription_proxy.payments.store import Purchase
from transcription_proxy.payments.translate import NotUnderstood


class BuyerEmails:
    """Each method is a job. It raises Unavailable, NotSent or InDoubt to be run again. Blocked accounts get no email.

    `fetch_receipt` completes a paid purchase from Stripe; `site` is the URL that links in an email begin with.
    """

    def __init__(
        self, database: Database, mailer: Mailer, fetch_receipt: Callable[[str], Awaitable[None]], site: str
    ) -> None:
        self._database = database
        self._mailer = mailer
        self._fetch_receipt = fetch_receipt
        self._site = site

    async def send_paid(self, key: str) -> None:
        """Send the confirmation of a payment, with Stripe's receipt unless Stripe is away."""
        with suppress(StripeAway, NoSuchObject, NotUnderstood, UnbookableFact):
            await self._fetch_receipt(key)
        async with self._database.transaction() as connection:
            purchase = await store.purchase(connection, UUID(key))
            balance = await store.balance_credited(connection, purchase)
        cents = purchase.paid_cents or 0
        about = (purchase.label, cents, purchase.currency, purchase.seconds)
        await self._send(purchase, receipts.paid(self._site, *about, balance, purchase.receipt_url))

    async def send_failed(self, key: str) -> None:
        """Send the notice that a payment failed, unless it has succeeded since."""
        async with self._database.transaction() as connection:
            purchase = await store.purchase(connection, UUID(key))
        if purchase.status == "failed":
            about = (purchase.label, purchase.amount_cents, purchase.currency)
            await self._send(purchase, receipts.failed(self._site, *about))

    async def send_taken(self, key: str) -> None:
        """Send the notice that a refund or a lost dispute took credit back."""
        taken = Taken.read(key)
        async with self._database.transaction() as connection:
            purchase = await store.purchase(connection, taken.purchase_id)
            balance = await ledger.balance(connection, purchase.user_id)
        left = balance.seconds_remaining if balance else 0
        await self._send(purchase, _taken(self._site, purchase, taken, left))

    async def _send(self, purchase: Purchase, email: Email) -> None:
        async with self._database.transaction() as connection:
            address = await store.open_address(connection, purchase.user_id)
        if address is not None:
            await self._mailer.deliver(address, email)


def _taken(site: str, purchase: Purchase, taken: Taken, balance: int) -> Email:
    label, paid, currency = purchase.label, purchase.paid_cents or 0, purchase.currency
    if taken.by_dispute:
        return receipts.dispute_lost(site, label, paid, currency, taken.seconds, balance)
    return receipts.refunded(site, label, purchase.refunded_cents, paid, currency, taken.seconds, balance)

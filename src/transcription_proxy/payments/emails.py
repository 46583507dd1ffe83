"""The jobs that write to buyers: once for each purchase that is paid or fails, and whenever something is taken back."""

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
    """Raises Unavailable, NotSent and InDoubt: then the job is tried again. Blocked accounts get no mail.

    `fetch_receipt` completes a paid purchase from Stripe; `site` is what links in a mail begin with.
    """

    def __init__(
        self, database: Database, mailer: Mailer, fetch_receipt: Callable[[str], Awaitable[None]], site: str
    ) -> None:
        self._database = database
        self._mailer = mailer
        self._fetch_receipt = fetch_receipt
        self._site = site

    async def send_paid(self, key: str) -> None:
        """With Stripe's receipt where there is one; a Stripe that is away does not keep the mail waiting."""
        with suppress(StripeAway, NoSuchObject, NotUnderstood, UnbookableFact):
            await self._fetch_receipt(key)
        async with self._database.transaction() as connection:
            purchase = await store.purchase(connection, UUID(key))
            balance = await store.balance_credited(connection, purchase.id)
        cents = purchase.paid_cents or 0
        about = (purchase.label, cents, purchase.currency, purchase.seconds)
        await self._send(purchase, receipts.paid(self._site, *about, balance, purchase.receipt_url))

    async def send_failed(self, key: str) -> None:
        """Unless it was paid after all meanwhile."""
        async with self._database.transaction() as connection:
            purchase = await store.purchase(connection, UUID(key))
        if purchase.status == "failed":
            about = (purchase.label, purchase.amount_cents, purchase.currency)
            await self._send(purchase, receipts.failed(self._site, *about))

    async def send_taken(self, key: str) -> None:
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

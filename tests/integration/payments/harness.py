"""The harness of the payment tests: payments on a real database, buyers, purchases and events."""

from typing import Any
from uuid import UUID, uuid4

from tests.integration.ledger.harness import LedgerHarness
from tests.integration.payments.events import SECRET, Body, signed
from transcription_proxy.db.pool import Database
from transcription_proxy.ledger import audit as ledger_audit
from transcription_proxy.ledger.audit import AUDIT_SECONDS
from transcription_proxy.ledger.entries import Finding
from transcription_proxy.payments import audit, packages, translate
from transcription_proxy.payments.gateway import Gateway
from transcription_proxy.payments.sandboxed import Address
from transcription_proxy.payments.service import Payments


class PaymentsHarness(LedgerHarness):
    """The ledger's harness with payments. `stripe`: Stripe's address, by default unreachable."""

    def __init__(self, database: Database, stripe: str = "http://127.0.0.1:9", **options: Any) -> None:
        super().__init__(database)
        self.gateway = Gateway(Address("sk_test_none", stripe), "http://captions.example.org")
        self.payments = Payments(database, self.gateway, packages.load(), **{"secrets": [SECRET], **options})

    async def buyer(self) -> UUID:
        name = f"{uuid4()}@example.org"
        [(user,)] = await self.sql("INSERT INTO users (email, password_hash) VALUES (%s, '') RETURNING id", name)
        await self.sql("INSERT INTO credit_balance (user_id) VALUES (%s)", user)
        return UUID(str(user))

    async def purchase(self, user: UUID, session: str | None = None, seconds: int = 30000, cents: int = 300) -> UUID:
        """Add a purchase with a checkout. `session` None: Stripe has not answered yet."""
        purchase = await self.old_purchase(user, session, seconds, cents)
        await self.sql("INSERT INTO purchase_owners VALUES (%s, %s, %s)", purchase, user, session)
        return purchase

    async def old_purchase(
        self, user: UUID, session: str | None = None, seconds: int = 30000, cents: int = 300
    ) -> UUID:
        """Add a purchase as version 0.2 does."""
        rows = await self.sql(
            "INSERT INTO purchases (user_id, package_id, label, seconds, amount_cents, currency, checkout_session)"
            " VALUES (%s, 'pack_500', '500 minutes', %s, %s, 'usd', %s) RETURNING id",
            user,
            seconds,
            cents,
            session,
        )
        return UUID(str(rows[0][0]))

    async def receive(self, body: Body) -> None:
        await self.payments.receive(*signed(body))

    async def apply(self, session: Body) -> None:
        """Apply a Checkout Session, as after a request to Stripe."""
        async with self.database.transaction() as connection:
            await self.payments.fulfillment.apply(connection, translate.checkout(session))

    async def findings(self) -> list[Finding]:
        """Return the findings of the ledger's and the payments' audits."""
        async with self.database.snapshot(AUDIT_SECONDS) as connection:
            return [*(await ledger_audit.audit(connection)).findings, *await audit.audit(connection)]

    async def ledger_rows(self, user: UUID) -> list[tuple[str, int]]:
        return [
            (str(kind), int(seconds))
            for kind, seconds in await self.sql(
                "SELECT description, seconds FROM usage_ledger WHERE user_id = %s ORDER BY seq", user
            )
        ]

    async def unmatched(self) -> list[tuple[str, str]]:
        return [(one.type, one.why) for one in await self.payments.unmatched()]

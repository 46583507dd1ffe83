"""Payments through the sandbox Stripe, whose webhooks are lost unless a test delivers them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.integration.payments.events import Body
from tests.integration.payments.harness import PaymentsHarness
from tests.integration.sandbox.running import KEY, Sandbox
from transcription_proxy.db.pool import Database
from transcription_proxy.payments import packages
from transcription_proxy.payments.gateway import Gateway
from transcription_proxy.payments.reconcile import Difference, Reconciler
from transcription_proxy.payments.sandboxed import Address
from transcription_proxy.payments.service import Payments


@dataclass(frozen=True, slots=True)
class Sale:
    """A purchase, here and at Stripe."""

    user: UUID
    session: str
    harness: "SandboxHarness"

    @property
    def payment(self) -> str:
        intent = self.harness.sandbox.client.v1.checkout.sessions.retrieve(self.session).payment_intent
        assert isinstance(intent, str)
        return intent

    def refund(self, action: str = "", index: int = 0) -> str:
        """Return the id of a refund, newest first. `action`: a button to press on it."""
        name = self.harness.sandbox.client.v1.refunds.list({"payment_intent": self.payment}).data[index].id
        if action:
            assert self.harness.sandbox.buttons.refund(name, action).status_code == 303
        return name

    def dispute(self, action: str = "") -> str:
        name = self.harness.sandbox.client.v1.disputes.list({"payment_intent": self.payment}).data[0].id
        if action:
            assert self.harness.sandbox.buttons.dispute(name, action).status_code == 303
        return name

    def press(self, action: str, amount: str = "") -> None:
        """Press one of the payment's buttons on the sandbox's dashboard."""
        assert self.harness.sandbox.buttons.payment(self.session, action, amount).status_code == 303

    def pay(self, action: str = "pay") -> None:
        assert self.harness.sandbox.buttons.checkout(self.session, action).status_code == 303


class SandboxHarness(PaymentsHarness):
    """The harness with the sandbox. `since`: a time before all of its sales."""

    def __init__(self, database: Database, sandbox: Sandbox) -> None:
        super().__init__(database)
        self.sandbox = sandbox
        self.since = datetime.now(UTC) - timedelta(seconds=1)
        self.gateway = Gateway(Address(KEY, sandbox.url), "http://captions.example.org")
        self.payments = Payments(database, self.gateway, packages.load(), secrets=["whsec_of_the_tests"])
        self.reconciler = Reconciler(database, self.gateway, self.payments)
        self._sold: list[Sale] = []

    async def sale(self, package: str = "pack_500") -> Sale:
        """Open a checkout for a new customer."""
        user = await self.buyer()
        purchase = await self.payments.buy(user, package)
        assert purchase.checkout_session is not None
        self._sold.append(Sale(user, purchase.checkout_session, self))
        return self._sold[-1]

    async def differences(self, *, fix: bool = False, since: datetime | None = None) -> dict[str, Difference]:
        """Return differences by their subject, without objects that other tests left in the sandbox."""
        ours = {thing["id"] for thing in self.objects()}
        found = await self.reconciler.run(since or self.since, fix=fix)
        return {one.subject: one for one in found if one.subject in ours or one.subject.startswith("evt_")}

    def events(self, wanted: Callable[[Body], bool] = lambda _: True) -> list[Body]:
        """Return Stripe's events about our sales, oldest first."""
        sessions = {sale.session for sale in self._sold}
        listed = self.sandbox.client.v1.events.list({"created": {"gte": int(self.since.timestamp())}, "limit": 100})
        events = [json.loads(str(event)) for event in listed.auto_paging_iter()][::-1]
        payments = {_thing(event).get("payment_intent") for event in events if _thing(event)["id"] in sessions}
        ours = sessions | payments - {None}
        return [
            event
            for event in events
            if {_thing(event)["id"], _thing(event).get("payment_intent")} & ours and wanted(event)
        ]

    def objects(self) -> list[Body]:
        return [_thing(event) for event in self.events()]

    async def receive_all(self, wanted: Callable[[Body], bool] = lambda _: True) -> None:
        for event in self.events(wanted):
            await self.receive(event)

    async def balances(self) -> dict[UUID, tuple[Any, ...]]:
        """Return each buyer's ledger rows, purchase status and frozen seconds."""
        found = {}
        for sale in self._sold:
            [purchase] = await self.sql("SELECT status, seconds_frozen FROM purchases WHERE user_id = %s", sale.user)
            found[sale.user] = (await self.ledger_rows(sale.user), *purchase)
        return found


def _thing(event: Body) -> Body:
    thing: Body = event["data"]["object"]
    return thing

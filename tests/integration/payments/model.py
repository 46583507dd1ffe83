"""Payments in plain Python: what happens at Stripe, its events, and the buyer's balance by the rules of money.md."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from tests.integration.payments import events
from tests.integration.payments.events import Body

_NUMBERS = itertools.count(1)
OPEN = ("needs_response", "under_review")
_REFUNDS = {"pending": ("succeeded", "failed", "canceled"), "succeeded": ("failed",)}
_DISPUTES = {
    "warning_needs_response": ("warning_closed", "needs_response"),
    "needs_response": ("under_review", "won", "lost"),
    "under_review": ("won", "lost"),
}


@dataclass
class Refund:
    amount: int
    status: str

    @property
    def stands(self) -> bool:
        return self.status not in ("failed", "canceled")


@dataclass
class Dispute:
    amount: int
    status: str
    reinstated: bool = False


@dataclass
class Payment:
    """One checkout of `cents` for `seconds`, at Stripe. `sent_events`: its events, in Stripe's order.

    `names_only_charge`: its disputes name only their charge. `lists`: its charges list their refunds.
    """

    user: UUID
    purchase: UUID
    seconds: int
    cents: int
    names_only_charge: bool = False
    lists: bool = False
    number: int = field(default_factory=lambda: next(_NUMBERS))
    stage: str = "open"
    paid: str = "unpaid"
    refunds: dict[str, Refund] = field(default_factory=dict)
    disputes: dict[str, Dispute] = field(default_factory=dict)
    sent_events: list[Body] = field(default_factory=list)

    @property
    def session_id(self) -> str:
        return f"cs_{self.number}"

    @property
    def intent(self) -> str | None:
        return f"pi_{self.number}" if self.cents else None

    @property
    def amount_refunded(self) -> int:
        """The charge's amount_refunded, which includes pending refunds."""
        return sum(refund.amount for refund in self.refunds.values() if refund.stands)

    @property
    def refunded(self) -> int:
        return sum(refund.amount for refund in self.refunds.values() if refund.status == "succeeded")

    def complete(self, *, at_once: bool) -> None:
        """Complete the checkout. It is paid at once, or later, or is free."""
        self.stage = "complete"
        self.paid = "no_payment_required" if not self.cents else "paid" if at_once else "unpaid"
        self._send("checkout.session.completed", self.session())

    def arrive(self) -> None:
        self.paid = "paid"
        self._send("checkout.session.async_payment_succeeded", self.session())

    def fail(self) -> None:
        self.stage = "failed"
        self._send("checkout.session.async_payment_failed", self.session())

    def expire(self) -> None:
        self.stage = "expired"
        self._send("checkout.session.expired", self.session())

    def refund(self, amount: int, status: str) -> None:
        name = f"re_{self.number}_{len(self.refunds)}"
        self.refunds[name] = Refund(amount, status)
        self._send("refund.created", events.refund(name, self.intent, amount, status))
        self._send("charge.refunded", self._charge())

    def settle_refund(self, name: str, status: str) -> None:
        refund = self.refunds[name]
        refund.status = status
        kind = "refund.failed" if status == "failed" else "refund.updated"
        self._send(kind, events.refund(name, self.intent, refund.amount, status))

    def dispute(self, amount: int, status: str) -> None:
        name = f"dp_{self.number}_{len(self.disputes)}"
        self.disputes[name] = Dispute(amount, status)
        self._send_dispute("created", name)

    def move_dispute(self, name: str, status: str) -> None:
        self.disputes[name].status = status
        self._send_dispute("updated" if status in OPEN else "closed", name)

    def reinstate(self, name: str) -> None:
        self.disputes[name].reinstated = True
        self._send_dispute("funds_reinstated", name)

    def session(self) -> Body:
        """Return the Checkout Session as Stripe would return it now."""
        return events.session(
            self.session_id,
            payment=self.intent,
            stage="complete" if self.stage == "failed" else self.stage,
            paid=self.paid,
            total=self.cents,
            metadata=self._metadata(),
        )

    def expanded_session(self) -> Body:
        """Return the Checkout Session with its payment and charge, which the service requests."""
        if self.intent is None or self.stage in ("open", "expired"):
            return self.session() | {"payment_intent": None}
        status = {"paid": "succeeded"}.get(
            self.paid, "requires_payment_method" if self.stage == "failed" else "processing"
        )
        return self.session() | {
            "payment_intent": {"id": self.intent, "status": status, "latest_charge": self._charge()}
        }

    @property
    def is_paid(self) -> bool:
        return self.stage == "complete" and self.paid != "unpaid"

    @property
    def owned(self) -> int:
        """Seconds that the payment gave its user and that were not taken back. Frozen ones are included."""
        return self.seconds - self._part(self.refunded + self._disputed("lost")) if self.is_paid else 0

    @property
    def frozen(self) -> int:
        gone = self.refunded + self._disputed("lost")
        return self._part(gone + self._disputed(*OPEN)) - self._part(gone) if self.is_paid else 0

    def _disputed(self, *statuses: str) -> int:
        return sum(one.amount for one in self.disputes.values() if one.status in statuses and not one.reinstated)

    def _part(self, cents: int) -> int:
        return self.seconds * min(cents, self.cents) // self.cents if self.cents else 0

    def _charge(self) -> Body:
        known = [events.refund(name, self.intent, one.amount, one.status) for name, one in self.refunds.items()]
        found = events.charge(self.intent, self.amount_refunded, self.cents, refunds=known if self.lists else None)
        return found | {"metadata": self._metadata()}

    def _metadata(self) -> Body:
        return events.names(self.purchase, self.user, seconds=self.seconds)

    def _send_dispute(self, kind: str, name: str) -> None:
        one = self.disputes[name]
        intent = {"payment_intent": None if self.names_only_charge else self.intent}
        self._send(f"charge.dispute.{kind}", events.dispute(name, self.intent, one.amount, one.status) | intent)

    def _send(self, kind: str, thing: Body) -> None:
        self.sent_events.append(events.event(kind, thing))


def refunded_by_rule(objects: Iterable[Body]) -> int:
    """Return the refunded cents by money 28, from charges and refunds in any order, independently of the code."""
    states: dict[str, tuple[int, int]] = {}
    highest = 0
    for thing in objects:
        refunds = [thing] if thing["object"] == "refund" else thing.get("refunds", {}).get("data", [])
        for one in refunds:
            state = {"pending": 0, "succeeded": 1, "failed": 2, "canceled": 2}[one["status"]]
            states[one["id"]] = max(states.get(one["id"], (0, 0)), (state, one["amount"]))
        if thing["object"] == "charge":
            highest = max(highest, thing["amount_refunded"])
    return sum(amount for state, amount in states.values() if state == 1) if states else highest


def another_id(event: Body) -> Body:
    """Return an event with the same object and another id."""
    return events.event(event["type"], event["data"]["object"])


def moves(payment: Payment, cents: int) -> list[Callable[[], None]]:
    """Return what may happen to a payment next. `cents`: the amount of refunds and disputes."""
    if payment.stage == "open":
        return [partial(payment.complete, at_once=True), partial(payment.complete, at_once=False), payment.expire]
    if payment.stage == "complete" and payment.paid == "unpaid":
        return [payment.arrive, payment.fail]
    if payment.paid != "paid":
        return []
    found: list[Callable[[], None]] = []
    if 0 < cents <= payment.cents - payment.amount_refunded:
        found += [partial(payment.refund, cents, status) for status in ("pending", "succeeded")]
    if 0 < cents <= payment.cents and len(payment.disputes) < 3:
        found += [partial(payment.dispute, cents, status) for status in ("warning_needs_response", "needs_response")]
    for name, refund in payment.refunds.items():
        found += [partial(payment.settle_refund, name, status) for status in _REFUNDS.get(refund.status, ())]
    for name, dispute in payment.disputes.items():
        found += [partial(payment.move_dispute, name, status) for status in _DISPUTES.get(dispute.status, ())]
        if dispute.status in ("won", "lost") and not dispute.reinstated:
            found.append(partial(payment.reinstate, name))
    return found

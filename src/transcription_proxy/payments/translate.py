"""Translates Stripe's objects and events into the facts about money that they contain."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, TypeGuard
from uuid import UUID

from transcription_proxy.payments.packages import MOST_SECONDS
from transcription_proxy.payments.standing import MAX_CENTS, Claim, Dispute, Kind, Refund

NEEDED: Final = (
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "payment_intent.payment_failed",
    "charge.refunded",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.closed",
    "charge.dispute.funds_reinstated",
)
"""Events that our webhook endpoint must receive. Other events about the same objects are understood too."""
STATUSES: Final = ("open", "pending", "failed", "expired", "paid")
"""Statuses of a purchase, in order. A purchase never goes back to an earlier one."""
Object = Mapping[str, Any]


class NotUnderstood(Exception):
    """An object of Stripe's that does not have its published shape. The text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A Checkout Session. The last four fields are its metadata, which describe the purchase as we created it.

    `charge`: the payment's charge, where Stripe sent it expanded. Disputes and refunds may name only the charge.
    """

    session_id: str
    status: str
    """One of STATUSES."""
    payment_intent: str | None
    charge: Claim | None
    paid_cents: int
    currency: str
    receipt_url: str | None
    purchase_id: UUID | None
    user_id: UUID | None
    package_id: str | None
    seconds: int | None


@dataclass(frozen=True, slots=True)
class Event:
    """An event of Stripe's. `fact`: what it says about money, or the NotUnderstood that reading it raised."""

    id: str
    type: str
    livemode: bool
    object_id: str | None
    fact: Checkout | Claim | NotUnderstood | None


def event(text: str) -> Event:
    """Read an event from a webhook's JSON. Raise NotUnderstood where the text is not an event."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise NotUnderstood("it isn't JSON") from None
    body = body if isinstance(body, Mapping) else {}
    name, kind, data = body.get("id"), body.get("type"), body.get("data")
    thing = data.get("object") if isinstance(data, Mapping) else None
    if not (is_id(name) and is_id(kind) and isinstance(thing, Mapping)):
        raise NotUnderstood("it isn't a Stripe event")
    try:
        fact = _fact(kind, thing)
    except NotUnderstood as error:
        fact = error
    return Event(name, kind, body.get("livemode") is True, _text(thing, "id"), fact)


def _fact(kind: str, thing: Object) -> "Checkout | Claim | NotUnderstood | None":
    if kind.startswith("checkout.session."):
        return checkout(thing, _SESSIONS.get(kind))
    if kind.startswith("charge.dispute."):
        reinstated = kind == "charge.dispute.funds_reinstated"
        return dispute(thing, closed=kind == "charge.dispute.closed", reinstated=reinstated)
    return _CLAIMS[kind](thing) if kind in _CLAIMS else None


def checkout(thing: Object, event_status: str | None = None) -> Checkout:
    """Read a Checkout Session, with its payment expanded or not. Raise NotUnderstood.

    `event_status`: the session's status as the event's type says it.
    """
    payment = thing.get("payment_intent")
    latest = payment.get("latest_charge") if isinstance(payment, Mapping) else None
    data = thing.get("metadata") or {}
    if not isinstance(data, Mapping):
        raise NotUnderstood("metadata isn't an object")
    return Checkout(
        session_id=_needed(thing, "id"),
        status=_status(event_status or thing.get("status"), thing.get("payment_status"), payment),
        payment_intent=_reference(payment),
        charge=_understood(latest),
        paid_cents=_cents(thing, "amount_total"),
        currency=_currency(thing),
        receipt_url=_url(latest.get("receipt_url")) if isinstance(latest, Mapping) else None,
        purchase_id=_uuid(data.get("purchase_id")),
        user_id=_uuid(data.get("user_id")),
        package_id=_text(data, "package_id"),
        seconds=_seconds(data.get("seconds")),
    )


def _understood(latest: Any) -> Claim | None:
    """Return a payment's charge where it was expanded and can be read. The session can be booked without it."""
    try:
        return charge(latest) if isinstance(latest, Mapping) else None
    except NotUnderstood:
        return None


def charge(thing: Object) -> Claim:
    """Read a charge's refunded amount, with the refunds that it lists. Raise NotUnderstood."""
    name = _needed(thing, "id")
    refunded, whole = _cents(thing, "amount_refunded"), _cents(thing, "amount")
    if refunded > whole:
        raise NotUnderstood("amount_refunded is more than amount")
    claim = _claim(thing, Kind.CHARGE, 0, name, refunded, whole)
    return replace(claim, refunds=tuple(_listed_refunds(thing, claim.payment_intent)))


def _listed_refunds(thing: Object, payment_intent: str | None) -> Iterator[Claim]:
    """Yield the refunds in a charge object. Older versions of the API list them, newer ones only when asked."""
    listed = thing.get("refunds")
    found = listed.get("data") if isinstance(listed, Mapping) else None
    for one in found if isinstance(found, list) else []:
        if isinstance(one, Mapping):
            with suppress(NotUnderstood):
                yield replace(refund(one), charge=_text(thing, "id"), payment_intent=payment_intent)


def refund(thing: Object) -> Claim:
    """Read a refund. Raise NotUnderstood."""
    state = _REFUNDS.get(_text(thing, "status"), Refund.UNDER_WAY)
    return _claim(thing, Kind.REFUND, state, _reference(thing.get("charge")), _cents(thing, "amount"))


def dispute(thing: Object, *, closed: bool = False, reinstated: bool = False) -> Claim:
    """Read a dispute. `closed`, `reinstated`: the event says so, whatever the status. Raise NotUnderstood."""
    state = _DISPUTES.get(_text(thing, "status"), Dispute.OVER if closed else Dispute.INQUIRY)
    if reinstated:
        state = Dispute.OVER
    return _claim(thing, Kind.DISPUTE, state, _reference(thing.get("charge")), _cents(thing, "amount"))


def furthest(one: str, other: str) -> str:
    """Return the later one of two statuses of a purchase."""
    return max(one, other, key=STATUSES.index)


_SESSIONS: Final = {
    "checkout.session.completed": "complete",
    "checkout.session.async_payment_succeeded": "complete",
    "checkout.session.async_payment_failed": "failed",
    "checkout.session.expired": "expired",
}
_CLAIMS: Final[Mapping[str, Callable[[Object], Claim]]] = {
    "charge.refunded": charge,
    "charge.refund.updated": refund,
    "refund.created": refund,
    "refund.updated": refund,
    "refund.failed": refund,
}
_REFUNDS: Final[Mapping[str | None, Refund]] = {
    "succeeded": Refund.SUCCEEDED,
    "failed": Refund.FAILED,
    "canceled": Refund.FAILED,
}
_DISPUTES: Final[Mapping[str | None, Dispute]] = {
    "warning_needs_response": Dispute.INQUIRY,
    "warning_under_review": Dispute.INQUIRY,
    "warning_closed": Dispute.OVER,
    "needs_response": Dispute.OPEN,
    "under_review": Dispute.OPEN,
    "lost": Dispute.LOST,
    "won": Dispute.OVER,
    "prevented": Dispute.OVER,
}


def _status(stage: Any, paid: Any, payment: Any) -> str:
    """Return the purchase's status for a session's `status` and `payment_status`.

    A complete session is paid, or nothing was due, or its payment is still pending, or the payment failed.
    """
    if paid == "paid":
        return "paid"
    if stage == "complete":
        failed = isinstance(payment, Mapping) and payment.get("status") in ("requires_payment_method", "canceled")
        return "paid" if paid == "no_payment_required" else "failed" if failed else "pending"
    return stage if stage in ("failed", "expired") else "open"


def _claim(thing: Object, kind: Kind, standing: int, charge: str | None, cents: int, whole: int = 0) -> Claim:
    payment = _reference(thing.get("payment_intent"))
    data = thing.get("metadata")
    purchase = _uuid(data.get("purchase_id")) if isinstance(data, Mapping) else None
    return Claim(_needed(thing, "id"), kind, standing, payment, charge, cents, whole, _currency(thing), purchase)


def _cents(thing: Object, name: str) -> int:
    value = thing.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_CENTS:
        raise NotUnderstood(f"{name} isn't an amount")
    return value


def _seconds(value: Any) -> int | None:
    """Read seconds from metadata, whose values are text. Return None for an invalid number of seconds."""
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or len(value) > 9:
        return None
    return int(value) if 0 < int(value) <= MOST_SECONDS else None


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _needed(thing: Object, name: str) -> str:
    found = _text(thing, name)
    if found is None:
        raise NotUnderstood(f"{name} is missing")
    return found


def _currency(thing: Object) -> str:
    return _needed(thing, "currency").lower()


def _text(thing: Object, name: str) -> str | None:
    value = thing.get(name)
    return value if is_id(value) else None


def _url(value: Any) -> str | None:
    """Return a URL that pages may show as a link, else None."""
    fine = isinstance(value, str) and len(value) <= 2048 and value.isascii() and value.isprintable()
    return value if fine and value.startswith(("https://", "http://")) else None


def is_id(value: Any) -> TypeGuard[str]:
    """Return whether a value can be an id of Stripe's, which has at most 255 printable ASCII characters."""
    return isinstance(value, str) and 0 < len(value) <= 255 and value.isascii() and value.isprintable()


def _reference(value: Any) -> str | None:
    """Return the id of a referenced object, which Stripe sends as the id or as the object itself."""
    found = value.get("id") if isinstance(value, Mapping) else value
    return found if is_id(found) else None

"""A Checkout Session from its beginning to its end: paid, paid later, declined, expired."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from transcription_sandbox import money, objects
from transcription_sandbox.errors import ApiError
from transcription_sandbox.state import Object, Records

OPEN_SECONDS: Final = 86400
"""How long a session stays open."""
DECLINED: Final = {"code": "card_declined", "message": "Your card was declined."}
BOUNCED: Final = {
    "code": "payment_intent_payment_attempt_failed",
    "message": "The bank account has insufficient funds.",
}


class SessionClosed(Exception):
    """The session is complete or expired, so it takes no payment."""


class Attempt(Enum):
    """How a customer tries to pay, by the value of the button."""

    CARD = "pay"
    BANK_DEBIT = "later"
    DECLINED_CARD = "decline"


def create(records: Records, asked: Mapping[str, Any], customer: Object) -> Object:
    """Return a new session for a customer."""
    price = asked["line_items"]["0"]["price_data"]
    expires_at = records.now + OPEN_SECONDS
    session = objects.session(records.now, asked, price["unit_amount"], customer["email"], expires_at, records.site)
    item = {"description": price["product_data"]["name"]}
    return records.add(session, {"items": [item], "payment": asked.get("payment_intent_data", {})})


def product(records: Records, session: Object) -> str:
    """Return the name of what a session sells."""
    return str(records.get_extra(session["id"])["items"][0]["description"])


def apply_code(records: Records, name: str, code: str | None) -> Object:
    """Lower the price by a promotion code, or remove the code for None. Raise SessionClosed."""
    session = _open(records, name)
    off = money.discount(session["amount_subtotal"], code)
    session["amount_total"] = session["amount_subtotal"] - off
    session["total_details"]["amount_discount"] = off
    session["discounts"] = [{"promotion_code": f"promo_1sandbox{code}"}] if code else []
    return records.put(session)


def pay(records: Records, name: str, attempt: Attempt) -> Object:
    """Return the session after an attempt to pay. It stays open if the card was declined. Raise SessionClosed."""
    session = _open(records, name)
    if session["amount_total"] == 0:
        return _complete(records, session, "no_payment_required")
    intent = _intent(records, session)
    session = records.put(session | {"payment_intent": intent["id"]})
    method = objects.BANK_DEBIT if attempt is Attempt.BANK_DEBIT else objects.CARD
    email = session["customer_details"]["email"]
    charge = records.add(objects.charge(records.now, intent, method, email, records.site))
    if attempt is Attempt.DECLINED_CARD:
        _fail(records, intent, charge, DECLINED)
        return session
    if attempt is Attempt.BANK_DEBIT:
        records.put(intent | {"latest_charge": charge["id"], "status": "processing", "last_payment_error": None})
        return _complete(records, session, "unpaid")
    _succeed(records, intent, charge)
    return _complete(records, session, "paid")


def settle(records: Records, name: str) -> Object:
    """Let a processing payment succeed, and return its session. Raise ApiError."""
    intent, session = _processing(records, name)
    _succeed(records, intent, records.get("charge", intent["latest_charge"]))
    session["payment_status"] = "paid"
    records.add_event("checkout.session.async_payment_succeeded", records.put(session))
    return session


def fail(records: Records, name: str) -> Object:
    """Let a processing payment fail, and return its session. Raise ApiError."""
    intent, session = _processing(records, name)
    _fail(records, intent, records.get("charge", intent["latest_charge"]), BOUNCED)
    records.add_event("checkout.session.async_payment_failed", session)
    return session


def expire(records: Records, name: str) -> Object:
    """Expire a session. Raise ApiError if it is not open."""
    session = records.get("checkout.session", name)
    if session["status"] != "open":
        raise ApiError(f"Only open Checkout Sessions can be expired. This one is {session['status']}.")
    return _expire(records, session)


def expire_due(records: Records) -> None:
    """Expire the sessions that have been open for too long."""
    for session in records.find("checkout.session", {"status": "open", "expires_by": records.now}):
        _expire(records, session)


def _open(records: Records, name: str) -> Object:
    session = records.get("checkout.session", name)
    if session["status"] == "open" and session["expires_at"] <= records.now:
        session = _expire(records, session)
    if session["status"] != "open":
        raise SessionClosed
    return session


def _expire(records: Records, before: Object) -> Object:
    session = records.put(before | {"status": "expired", "url": None})
    if session["payment_intent"]:
        intent = records.get("payment_intent", session["payment_intent"])
        changes = {"status": "canceled", "canceled_at": records.now, "cancellation_reason": "expired"}
        records.add_event("payment_intent.canceled", records.put(intent | changes))
    records.add_event("checkout.session.expired", session)
    return session


def _complete(records: Records, session: Object, payment_status: str) -> Object:
    done = records.put(session | {"status": "complete", "payment_status": payment_status, "url": None})
    records.add_event("checkout.session.completed", done)
    return done


def _intent(records: Records, session: Object) -> Object:
    """Return the payment of a session, which is the same one for every attempt."""
    if session["payment_intent"]:
        intent = records.get("payment_intent", session["payment_intent"])
        return intent | {"amount": session["amount_total"]}
    metadata = records.get_extra(session["id"])["payment"].get("metadata", {})
    intent = records.add(objects.payment_intent(records.now, session, metadata))
    records.add_event("payment_intent.created", intent)
    return intent


def _succeed(records: Records, intent: Object, charge: Object) -> None:
    paid = {"status": "succeeded", "paid": True, "captured": True, "amount_captured": charge["amount"]}
    records.add_event("charge.succeeded", records.put(charge | paid))
    changes = {"status": "succeeded", "amount_received": intent["amount"], "last_payment_error": None}
    after = records.put(intent | {"latest_charge": charge["id"]} | changes)
    records.add_event("payment_intent.succeeded", after)


def _fail(records: Records, intent: Object, charge: Object, error: Mapping[str, str]) -> None:
    failed = {"status": "failed", "failure_code": error["code"], "failure_message": error["message"]}
    records.add_event("charge.failed", records.put(charge | failed))
    changes = {"status": "requires_payment_method", "latest_charge": charge["id"], "last_payment_error": error}
    records.add_event("payment_intent.payment_failed", records.put(intent | changes))


def _processing(records: Records, name: str) -> tuple[Object, Object]:
    """Return a payment and its session. Raise ApiError unless the payment is processing."""
    intent = records.get("payment_intent", name)
    if intent["status"] != "processing":
        raise ApiError(f"This payment is {intent['status']}. Only one that is processing can settle or fail.")
    return intent, records.find("checkout.session", {"payment_intent": name}, 1)[0]

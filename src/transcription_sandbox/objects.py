"""New objects in the shape that Stripe publishes, with the fields that are of use here."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from transcription_sandbox import names

Object = dict[str, Any]
API_VERSION: Final = "2026-10-28.endive"
CURRENCY: Final = "usd"
CARD: Final = "card"
BANK_DEBIT: Final = "us_bank_account"
"""A payment method whose payments and refunds take days."""


def customer(now: int, asked: Mapping[str, Any]) -> Object:
    """Return a customer."""
    return _new("customer", now) | {"email": asked["email"], "metadata": asked.get("metadata", {})}


def session(now: int, asked: Mapping[str, Any], cents: int, email: str | None, expires_at: int, site: str) -> Object:
    """Return an open Checkout Session. `site`: the URL that the sandbox's pages begin with."""
    new = _new("checkout.session", now)
    return new | {
        "allow_promotion_codes": asked.get("allow_promotion_codes"),
        "amount_subtotal": cents,
        "amount_total": cents,
        "cancel_url": asked.get("cancel_url"),
        "client_reference_id": asked.get("client_reference_id"),
        "currency": CURRENCY,
        "customer": asked["customer"],
        "customer_details": {"email": email},
        "discounts": [],
        "expires_at": expires_at,
        "metadata": asked.get("metadata", {}),
        "mode": "payment",
        "payment_intent": None,
        "payment_status": "unpaid",
        "status": "open",
        "success_url": asked["success_url"],
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "url": f"{site}/c/pay/{new['id']}",
    }


def payment_intent(now: int, session: Object, metadata: Mapping[str, str]) -> Object:
    """Return the payment of a session."""
    return _new("payment_intent", now) | {
        "amount": session["amount_total"],
        "amount_received": 0,
        "canceled_at": None,
        "cancellation_reason": None,
        "currency": CURRENCY,
        "customer": session["customer"],
        "last_payment_error": None,
        "latest_charge": None,
        "metadata": metadata,
        "status": "requires_payment_method",
    }


def charge(now: int, intent: Object, method: str, email: str | None, site: str) -> Object:
    """Return a pending attempt to pay. `method`: CARD or BANK_DEBIT."""
    new = _new("charge", now)
    return new | {
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "billing_details": {"email": email},
        "captured": False,
        "currency": CURRENCY,
        "customer": intent["customer"],
        "disputed": False,
        "failure_code": None,
        "failure_message": None,
        "metadata": intent["metadata"],
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method_details": {"type": method},
        "receipt_url": f"{site}/receipts/{new['id']}",
        "refunded": False,
        "status": "pending",
    }


def refund(now: int, charge: Object, cents: int) -> Object:
    """Return a pending refund."""
    new = _new("refund", now)
    del new["livemode"]  # Stripe's have none
    return new | {
        "amount": cents,
        "charge": charge["id"],
        "currency": CURRENCY,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "status": "pending",
    }


def dispute(now: int, charge: Object, cents: int, *, inquiry: bool) -> Object:
    """Return a dispute that no money was taken for yet, or an inquiry."""
    return _new("dispute", now) | {
        "amount": cents,
        "balance_transactions": [],
        "charge": charge["id"],
        "currency": CURRENCY,
        "is_charge_refundable": inquiry,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": "fraudulent",
        "status": "warning_needs_response" if inquiry else "needs_response",
    }


def movement(now: int, dispute: Object, cents: int) -> Object:
    """Return a balance transaction for a dispute: negative where money is taken from the seller."""
    new = _new("balance_transaction", now)
    del new["livemode"]  # Stripe's have none
    return new | {"amount": cents, "currency": CURRENCY, "source": dispute["id"], "type": "adjustment"}


def event(now: int, kind: str, thing: Object) -> Object:
    """Return an event about an object. `kind`: its type, such as charge.refunded."""
    return _new("event", now) | {"api_version": API_VERSION, "data": {"object": thing}, "type": kind}


def webhook_endpoint(url: str) -> Object:
    """Return the only webhook endpoint."""
    return {
        "id": "we_1sandbox",
        "object": "webhook_endpoint",
        "api_version": API_VERSION,
        "enabled_events": ["*"],
        "livemode": False,
        "status": "enabled",
        "url": url,
    }


def page(path: str, data: Sequence[Object], *, has_more: bool = False) -> Object:
    """Return a page of a list."""
    return {"object": "list", "data": list(data), "has_more": has_more, "url": path}


def _new(kind: str, now: int) -> Object:
    return {"id": names.new(kind), "object": kind, "created": now, "livemode": False}

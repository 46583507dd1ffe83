"""Stripe's events in their published shape, with the fields that matter here, and their signatures."""

import hashlib
import hmac
import itertools
import json
import time
from typing import Any
from uuid import UUID

SECRET = "whsec_of_the_tests"
_NUMBERS = itertools.count(1)
Body = dict[str, Any]


def event(kind: str, thing: Body, *, name: str | None = None, live: bool = False) -> Body:
    return {
        "id": name or f"evt_{next(_NUMBERS)}",
        "object": "event",
        "api_version": "2026-01-28.clover",
        "created": int(time.time()),
        "type": kind,
        "livemode": live,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "data": {"object": thing},
    }


def session(
    name: str,
    *,
    payment: str | None = None,
    stage: str = "complete",
    paid: str = "paid",
    total: int = 300,
    currency: str = "usd",
    metadata: Body | None = None,
) -> Body:
    return {
        "id": name,
        "object": "checkout.session",
        "amount_subtotal": total,
        "amount_total": total,
        "currency": currency,
        "customer": "cus_1",
        "livemode": False,
        "metadata": metadata or {},
        "mode": "payment",
        "payment_intent": payment,
        "payment_status": paid,
        "status": stage,
        "url": None,
    }


def names(purchase: UUID | str, user: UUID | str, package: str = "pack_500", seconds: int | None = 30000) -> Body:
    """Return the metadata that the service sets on a session and its payment."""
    found = {"purchase_id": str(purchase), "user_id": str(user), "package_id": package, "seconds": str(seconds)}
    return {name: value for name, value in found.items() if value != "None"}


def charge(
    payment: str | None, refunded: int, total: int = 300, currency: str = "usd", name: str = "", refunds: Any = None
) -> Body:
    """Return a charge. `refunds`: those that it lists, as in older versions of the API."""
    listed = {} if refunds is None else {"refunds": {"object": "list", "data": refunds, "has_more": False}}
    return {
        **listed,
        "id": name or f"ch_of_{payment}",
        "object": "charge",
        "amount": total,
        "amount_captured": total,
        "amount_refunded": refunded,
        "currency": currency,
        "metadata": {},
        "paid": True,
        "payment_intent": payment,
        "refunded": refunded == total,
        "status": "succeeded",
    }


def refund(name: str, payment: str | None, amount: int, status: str, currency: str = "usd") -> Body:
    return {
        "id": name,
        "object": "refund",
        "amount": amount,
        "charge": f"ch_of_{payment}",
        "currency": currency,
        "metadata": {},
        "payment_intent": payment,
        "status": status,
    }


def dispute(name: str, payment: str | None, amount: int, status: str, currency: str = "usd") -> Body:
    return {
        "id": name,
        "object": "dispute",
        "amount": amount,
        "charge": f"ch_of_{payment}",
        "currency": currency,
        "metadata": {},
        "payment_intent": payment,
        "reason": "fraudulent",
        "status": status,
    }


def signed(body: Body | bytes, secret: str = SECRET, at: float | None = None) -> tuple[bytes, str]:
    """Return payload and `Stripe-Signature` of an event."""
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    moment = int(time.time() if at is None else at)
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + payload, hashlib.sha256).hexdigest()
    return payload, f"t={moment},v1={digest}"

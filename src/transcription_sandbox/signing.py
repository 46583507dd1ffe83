"""What makes an event Stripe's: its signature. Pure."""

import hashlib
import hmac
from typing import Final

AGENT: Final = "Stripe/1.0 (+https://stripe.com/docs/webhooks)"


def headers(payload: bytes, secret: str, now: int) -> dict[str, str]:
    """Of the request that delivers it."""
    signed = hmac.new(secret.encode(), f"{now}.".encode() + payload, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": AGENT,
        "Stripe-Signature": f"t={now},v1={signed}",
    }

"""Signs events as Stripe does."""

import hashlib
import hmac
from typing import Final

AGENT: Final = "Stripe/1.0 (+https://stripe.com/docs/webhooks)"


def headers(payload: bytes, secret: str, now: int) -> dict[str, str]:
    """Return the headers of the request that delivers an event. `now`: Unix seconds."""
    signed = hmac.new(secret.encode(), f"{now}.".encode() + payload, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": AGENT,
        "Stripe-Signature": f"t={now},v1={signed}",
    }

"""A Stripe account in a sandbox without a server: its state in memory, and purchases as far as a test needs them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from transcription_sandbox import checkout, objects
from transcription_sandbox.checkout import Attempt
from transcription_sandbox.state import Object, Records, State

NOW: Final = 1_800_000_000
SITE: Final = "http://127.0.0.1:3200"
WEBHOOK_URL: Final = "http://127.0.0.1:3000/webhooks/stripe"
EMAIL: Final = "buyer@example.org"


class Account:
    """`now`: the time of all later transactions."""

    def __init__(self, webhook_url: str | None = WEBHOOK_URL) -> None:
        self.now = float(NOW)
        self.state = State(":memory:", SITE, webhook_url)

    @contextmanager
    def records(self) -> Iterator[Records]:
        """Yield the records of a transaction."""
        with self.state.transaction(self.now) as records:
            yield records

    def session(self, cents: int = 300, **asked: Any) -> str:
        """Create a session, and return its id."""
        with self.records() as records:
            customer = records.add(objects.customer(records.now, {"email": EMAIL}))
            return str(checkout.create(records, order(cents, customer=customer["id"], **asked), customer)["id"])

    def paid(self, attempt: Attempt = Attempt.CARD, cents: int = 300) -> Object:
        """Return the session of a payment that was made, or is processing."""
        name = self.session(cents)
        with self.records() as records:
            return checkout.pay(records, name, attempt)

    def charge(self, session: Object) -> Object:
        """Return the last charge of a session's payment."""
        with self.records() as records:
            intent = records.get("payment_intent", session["payment_intent"])
            return records.get("charge", intent["latest_charge"])

    def get(self, kind: str, name: str) -> Object:
        """Return an object."""
        with self.records() as records:
            return records.get(kind, name)

    def event_types(self) -> list[str]:
        """Return the types of all events, oldest first."""
        with self.records() as records:
            return [event["type"] for event in records.find("event")][::-1]

    def last(self, kind: str) -> Object:
        """Return the object of the last event of a type."""
        with self.records() as records:
            thing: Object = records.find("event", {"type": kind}, 1)[0]["data"]["object"]
            return thing


def order(cents: int = 300, **more: Any) -> dict[str, Any]:
    """Return the checked parameters of a session."""
    price = {"currency": "usd", "unit_amount": cents, "product_data": {"name": "500 minutes"}}
    return {
        "line_items": {"0": {"quantity": 1, "price_data": price}},
        "success_url": "https://captions.example/done?session_id={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://captions.example/cancelled",
        **more,
    }

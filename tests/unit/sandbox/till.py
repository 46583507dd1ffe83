"""A sandbox without a server: what it knows, in memory, and purchases as far as a test needs them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from transcription_sandbox import checkout, objects
from transcription_sandbox.checkout import Way
from transcription_sandbox.state import Cause, Object, Records, State

NOW: Final = 1_800_000_000
SITE: Final = "http://127.0.0.1:3200"
HOOK: Final = "http://127.0.0.1:3000/webhooks/stripe"


class Till:
    """`now` is the clock of all transactions from then on."""

    def __init__(self, endpoint: str | None = HOOK) -> None:
        self.now = float(NOW)
        self.state = State(":memory:", SITE, endpoint)

    @contextmanager
    def records(self, cause: Cause | None = None) -> Iterator[Records]:
        with self.state.transaction(self.now, cause or Cause()) as records:
            yield records

    def session(self, cents: int = 300, **asked: Any) -> str:
        """The id of an open one."""
        with self.records() as records:
            return str(checkout.create(records, order(cents, **asked))["id"])

    def customer(self, email: str = "buyer@example.org") -> str:
        with self.records() as records:
            return str(records.add(objects.customer(records.now, {"email": email}))["id"])

    def paid(self, way: Way = Way.CARD, cents: int = 300) -> Object:
        """The session of a payment that was made, or is under way."""
        name = self.session(cents)
        with self.records() as records:
            return checkout.pay(records, name, way, "buyer@example.org")

    def charge(self, session: Object) -> Object:
        with self.records() as records:
            intent = records.get("payment_intent", session["payment_intent"])
            return records.get("charge", intent["latest_charge"])

    def get(self, kind: str, name: str) -> Object:
        with self.records() as records:
            return records.get(kind, name)

    def told(self) -> list[str]:
        """The types of all events, oldest first."""
        with self.records() as records:
            return [event["type"] for event in records.listed("event", oldest_first=True)]

    def last(self, kind: str) -> Object:
        """The object of the last event of a type."""
        with self.records() as records:
            thing: Object = records.listed("event", {"type": kind}, 1)[0]["data"]["object"]
            return thing


def order(cents: int = 300, quantity: int = 1, **more: Any) -> Mapping[str, Any]:
    """The checked parameters of a session."""
    price = {"currency": "usd", "unit_amount": cents, "product_data": {"name": "500 minutes"}}
    return {
        "line_items": [{"quantity": quantity, "price_data": price}],
        "success_url": "https://shop.example/done?session_id={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://shop.example/cancelled",
        **more,
    }

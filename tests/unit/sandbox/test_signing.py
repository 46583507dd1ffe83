"""Signatures are Stripe's: its own SDK takes them."""

import json
import time

import pytest
import stripe

from transcription_sandbox.signing import headers

SECRET = "whsec_of_the_tests"
PAYLOAD = json.dumps({"id": "evt_1", "object": "event", "type": "x", "data": {"object": {"a": "ü"}}}).encode()


def test_the_sdk_takes_what_is_signed() -> None:
    sent = headers(PAYLOAD, SECRET, int(time.time()))
    event = stripe.Webhook.construct_event(PAYLOAD, sent["Stripe-Signature"], SECRET)
    assert event.id == "evt_1"


@pytest.mark.parametrize(
    ("payload", "secret", "age"), [(PAYLOAD + b" ", SECRET, 0), (PAYLOAD, "whsec_other", 0), (PAYLOAD, SECRET, 400)]
)
def test_the_sdk_takes_nothing_else(payload: bytes, secret: str, age: int) -> None:
    sent = headers(PAYLOAD, SECRET, int(time.time()) - age)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(payload, sent["Stripe-Signature"], secret)

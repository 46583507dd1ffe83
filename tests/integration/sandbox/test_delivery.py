"""Webhooks: signed as Stripe signs them, sent until they are taken, and not forgotten by a sandbox that was killed."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import stripe

from tests.integration.sandbox.receiver import HANG_UP, Delivery, Receiver
from tests.integration.sandbox.running import SECRET, Sandbox

PURCHASE = [
    "customer.created",
    "payment_intent.created",
    "charge.succeeded",
    "payment_intent.succeeded",
    "checkout.session.completed",
]
Start = Callable[[Receiver], Sandbox]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def start(receiver: Receiver) -> Sandbox:
            sandbox = Sandbox(tmp_path, receiver.url)
            stack.callback(sandbox.close)
            return sandbox

        yield start


def ids(deliveries: list[Delivery]) -> set[str]:
    return {one.event["id"] for one in deliveries}


def test_what_is_not_taken_is_sent_again_until_it_is(receiver: Receiver, start: Start) -> None:
    receiver.answers.update(dict(zip(PURCHASE, ([500], [HANG_UP], [302]), strict=False)))
    sandbox = start(receiver)
    session = sandbox.paid()
    receiver.until(lambda: [len(receiver.of(kind)) for kind in PURCHASE] == [2, 2, 2, 1, 1])
    assert [len(ids(receiver.of(kind))) for kind in PURCHASE] == [1, 1, 1, 1, 1]
    for one in receiver.came:
        event = stripe.Webhook.construct_event(one.payload, one.signature, SECRET)
        assert (event.id, event.type, event.livemode) == (one.event["id"], one.event["type"], False)
    [completed] = receiver.of("checkout.session.completed")
    thing = completed.event["data"]["object"]
    assert (thing["id"], thing["payment_status"]) == (session.id, "paid")
    [endpoint] = sandbox.client.v1.webhook_endpoints.list().data
    assert (endpoint.url, endpoint.status, endpoint.enabled_events) == (receiver.url, "enabled", ["*"])


def test_a_killed_sandbox_has_forgotten_nothing(receiver: Receiver, start: Start) -> None:
    """Neither what it answered, nor its keys, nor what it had still to send."""
    with Receiver() as away:
        pass
    sandbox = start(away)
    session = sandbox.paid()
    key = sandbox.client.v1.customers.create({"email": "a@example.org"}, {"idempotency_key": "key-1"}).id
    sandbox.kill()
    with Receiver(int(away.url.split(":")[2].partition("/")[0])) as back:
        sandbox.start()
        assert sandbox.client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
        again = sandbox.client.v1.customers.create({"email": "a@example.org"}, {"idempotency_key": "key-1"})
        assert again.id == key
        back.until(lambda: set(back.types()) == set(PURCHASE))
        assert sandbox.buttons.checkout(session.id).headers["Location"].endswith(session.id)


def test_an_event_is_sent_again_when_the_developer_says_so(receiver: Receiver, start: Start) -> None:
    sandbox = start(receiver)
    sandbox.client.v1.customers.create({"email": "a@example.org"})
    receiver.until(lambda: bool(receiver.of("customer.created")))
    [told] = receiver.of("customer.created")
    answer = sandbox.buttons.send_again(told.event["id"])
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/#{told.event['id']}")
    receiver.until(lambda: len(receiver.of("customer.created")) == 2)
    assert receiver.came[0].event == receiver.came[1].event

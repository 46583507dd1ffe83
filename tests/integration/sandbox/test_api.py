"""The API over HTTP, by Stripe's own SDK: nested parameters, expand, pages, idempotency keys, and errors."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest
import stripe

from tests.integration.sandbox.running import KEY, Sandbox, order


def test_a_session_is_made_of_nested_parameters(sandbox: Sandbox) -> None:
    customer = sandbox.client.v1.customers.create({"email": "a@example.org", "metadata": {"user_id": "7"}})
    metadata = {"purchase_id": "1", "seconds": "30000"}
    made = sandbox.session(
        customer=customer.id,
        client_reference_id="7",
        allow_promotion_codes=True,
        metadata=metadata,
        payment_intent_data={"metadata": metadata},
    )
    assert sandbox.client.v1.customers.retrieve(customer.id).to_dict()["metadata"] == {"user_id": "7"}
    assert made.url == f"{sandbox.url}/c/pay/{made.id}"
    assert (made.amount_total, made.currency, made.status, made.payment_status) == (300, "usd", "open", "unpaid")
    assert (made.client_reference_id, made.allow_promotion_codes, made.livemode) == ("7", True, False)
    assert (made.customer, made.to_dict()["metadata"]) == (customer.id, metadata)
    sandbox.buttons.checkout(made.id)
    paid: Any = sandbox.client.v1.checkout.sessions.retrieve(made.id, {"expand": ["payment_intent.latest_charge"]})
    assert paid.payment_intent.metadata.to_dict() == metadata
    assert paid.payment_intent.latest_charge.metadata.to_dict() == metadata


def published(thing: stripe.StripeObject) -> None:
    """Assert that Stripe publishes all fields of an object for its kind."""
    hints = {name for name in type(thing).__annotations__ if not name.startswith("_")}
    shown = set(thing.to_dict())
    assert shown <= hints, (type(thing).__name__, shown - hints)


def test_objects_have_only_fields_that_stripe_publishes(sandbox: Sandbox) -> None:
    """The SDK is made from Stripe's OpenAPI description, so its annotations name all fields."""
    v1 = sandbox.client.v1
    customer = v1.customers.create({"email": "a@example.org"})
    session = sandbox.paid(customer=customer.id)
    intent: Any = session.payment_intent
    sandbox.buttons.payment(session.id, "refund", "1.00")
    sandbox.buttons.payment(session.id, "dispute")
    [refund] = v1.refunds.list({"charge": intent.latest_charge.id}).data
    [dispute] = v1.disputes.list({"payment_intent": intent.id}).data
    event = v1.events.list({"type": "charge.refunded"}).data[0]
    for thing in (
        customer,
        session,
        intent,
        intent.latest_charge,
        refund,
        dispute,
        *dispute.balance_transactions,
        event,
    ):
        assert isinstance(thing, stripe.StripeObject)
        published(thing)


def test_refunds_disputes_and_events_can_be_retrieved_and_listed(sandbox: Sandbox) -> None:
    v1 = sandbox.client.v1
    session = sandbox.paid()
    intent: Any = session.payment_intent
    sandbox.buttons.payment(session.id, "refund", "0.50")
    sandbox.buttons.payment(session.id, "inquiry")
    [refund] = v1.refunds.list({"payment_intent": intent.id}).data
    [dispute] = v1.disputes.list({"payment_intent": intent.id}).data
    assert v1.refunds.retrieve(refund.id).amount == 50
    assert v1.disputes.retrieve(dispute.id).status == "warning_needs_response"
    assert [one.id for one in v1.refunds.list({"charge": intent.latest_charge.id}).data] == [refund.id]
    [event] = v1.events.list({"type": "charge.dispute.created", "limit": 1}).data
    assert event.data.object["id"] == dispute.id
    found: Any = v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge.refunds"]})
    assert [one.id for one in found.payment_intent.latest_charge.refunds.data] == [refund.id]


def test_an_open_session_can_be_expired_once(sandbox: Sandbox) -> None:
    made = sandbox.session()
    expired = sandbox.client.v1.checkout.sessions.expire(made.id)
    assert (expired.status, expired.url) == ("expired", None)
    assert refusal(lambda: sandbox.client.v1.checkout.sessions.expire(made.id))[0] == 400


def test_lists_are_read_page_by_page(sandbox: Sandbox) -> None:
    customers, email = sandbox.client.v1.customers, f"{uuid4()}@example.org"
    made = [customers.create({"email": email}).id for _ in range(5)]
    first = customers.list({"email": email, "limit": 2})
    assert ([one.id for one in first.data], first.has_more) == (made[:2:-1], True)
    assert [one.id for one in first.auto_paging_iter()] == made[::-1]
    last = customers.list({"email": email, "limit": 2, "starting_after": made[1]})
    assert ([one.id for one in last.data], last.has_more) == ([made[0]], False)
    assert customers.list({"email": "none@example.org"}).data == []


def test_lists_can_be_narrowed_to_a_time(sandbox: Sandbox) -> None:
    made = sandbox.session()
    sessions = sandbox.client.v1.checkout.sessions
    assert made.id in [one.id for one in sessions.list({"created": {"gte": made.created}, "limit": 100}).data]
    assert sessions.list({"created": {"gte": int(time.time()) + 60}}).data == []


def test_the_only_endpoint_is_shown_to_those_who_have_one(sandbox: Sandbox) -> None:
    assert sandbox.client.v1.webhook_endpoints.list().data == []


def test_an_idempotency_key_makes_one_of_many(sandbox: Sandbox) -> None:
    key: Any = {"idempotency_key": str(uuid4())}

    def create(_: int) -> Any:
        return sandbox.with_key(KEY).v1.customers.create({"email": "once@example.org"}, key)

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(create, range(8)))
    assert len({one.id for one in made}) == 1
    with pytest.raises(stripe.IdempotencyError, match="can only be used with the same parameters") as error:
        sandbox.client.v1.customers.create({"email": "twice@example.org"}, key)
    assert error.value.http_status == 400


def test_a_request_that_was_malformed_may_be_mended_under_the_same_key(sandbox: Sandbox) -> None:
    key: Any = {"idempotency_key": str(uuid4())}
    wrong: Any = {"email": "a@example.org", "colour": "red"}
    assert refusal(lambda: sandbox.client.v1.customers.create(wrong, key))[1] == "parameter_unknown"
    assert sandbox.client.v1.customers.create({"email": "a@example.org"}, key).id


def test_an_error_is_stored_for_its_key(sandbox: Sandbox) -> None:
    key: Any = {"idempotency_key": str(uuid4())}
    made = sandbox.session()
    sandbox.buttons.checkout(made.id)
    for _ in range(2):
        assert refusal(lambda: sandbox.client.v1.checkout.sessions.expire(made.id, {}, key))[0] == 400
    with pytest.raises(stripe.IdempotencyError):
        sandbox.client.v1.customers.create({"email": "a@example.org"}, key)


def refusal(ask: Callable[[], Any]) -> tuple[int | None, str | None, str | None]:
    """Status, code and parameter of what the SDK raises."""
    with pytest.raises(stripe.InvalidRequestError) as error:
        ask()
    assert error.value.request_id
    assert error.value.user_message
    return error.value.http_status, error.value.code, error.value.param


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"payment_method_types": ["card"]}, "parameter_unknown", "payment_method_types"),
        ({"colour": "red"}, "parameter_unknown", "colour"),
        ({"payment_intent_data": {"colour": "red"}}, "parameter_unknown", "payment_intent_data[colour]"),
        ({"mode": "subscription"}, None, "mode"),
        ({"line_items": []}, "parameter_missing", "line_items"),
        ({"customer": "cus_none"}, "resource_missing", "customer"),
        ({"success_url": None}, "parameter_missing", "success_url"),
        ({"metadata": {"k": {"v": "1"}}}, None, "metadata[k]"),
        ({"allow_promotion_codes": "perhaps"}, None, "allow_promotion_codes"),
        (order(-1), "parameter_invalid_integer", "line_items[0][price_data][unit_amount]"),
        (order(300, ""), "parameter_invalid_empty", "line_items[0][price_data][product_data][name]"),
        ({"expand": ["nothing"]}, None, "expand"),
    ],
)
def test_a_session_with_a_mistake_is_refused_naming_it(
    sandbox: Sandbox, change: dict[str, Any], code: str | None, param: str
) -> None:
    assert refusal(lambda: sandbox.session(**change)) == (400, code, param)


def test_a_refused_expansion_leaves_nothing_behind(sandbox: Sandbox) -> None:
    before = sandbox.client.v1.checkout.sessions.list({"limit": 1}).data
    refusal(lambda: sandbox.session(expand=["nothing"]))
    assert [one.id for one in sandbox.client.v1.checkout.sessions.list({"limit": 1}).data] == [one.id for one in before]


def test_what_is_not_there_is_404_in_a_path_and_400_in_a_parameter(sandbox: Sandbox) -> None:
    v1 = sandbox.client.v1
    missing = "resource_missing"
    assert refusal(lambda: v1.customers.retrieve("cus_none")) == (404, missing, "id")
    assert refusal(lambda: v1.checkout.sessions.retrieve("cs_none")) == (404, missing, "id")
    assert refusal(lambda: v1.checkout.sessions.expire("cs_none")) == (404, missing, "id")
    assert refusal(lambda: v1.customers.list({"starting_after": "cus_none"})) == (400, missing, "starting_after")
    assert refusal(v1.products.list) == (404, None, None)
    assert refusal(lambda: v1.customers.list({"limit": 101})) == (400, "parameter_invalid_integer", "limit")


def test_a_wrong_key_is_told_and_not_shown(sandbox: Sandbox) -> None:
    wrong = "sk_test_another_0123456789"
    with pytest.raises(stripe.AuthenticationError, match="Invalid API Key") as error:
        sandbox.with_key(wrong).v1.customers.list()
    assert error.value.http_status == 401
    assert wrong not in str(error.value)


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic ###", "Digest x", f"Bearer {KEY}x"])
def test_without_the_key_nothing_is_told(sandbox: Sandbox, header: str | None) -> None:
    answer = sandbox.buttons.http.get("/v1/customers", headers={"Authorization": header} if header is not None else {})
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.headers["Request-Id"].startswith("req_")


def raw(sandbox: Sandbox, method: str, path: str, content: bytes = b"", **headers: str) -> httpx.Response:
    authorization = {"Authorization": f"Bearer {KEY}", **headers}
    return sandbox.buttons.http.request(method, f"/v1/{path}", content=content, headers=authorization)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"email=" + b"a" * (1 << 20), 413),
        (b"a=1&" * 1001, 400),
        (b"email=%ff%fe&email=2", 400),
        (b'{"email": "a@example.org"}', 400),
        (b"email[", 400),
        (b"=1", 400),
        (b"\x00\xff", 400),
    ],
)
def test_a_body_that_is_no_form_is_refused(sandbox: Sandbox, content: bytes, status: int) -> None:
    answer = raw(sandbox, "POST", "customers", content)
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, "invalid_request_error")


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "customers/cus_1"), ("PUT", "customers"), ("GET", ""), ("POST", "a/b/c/d")]
)
def test_what_the_sandbox_does_not_do_is_404(sandbox: Sandbox, method: str, path: str) -> None:
    answer = raw(sandbox, method, path)
    assert answer.status_code == 404
    assert "only a part of Stripe's API" in answer.json()["error"]["message"]


def test_an_idempotency_key_has_at_most_255_characters(sandbox: Sandbox) -> None:
    answer = raw(sandbox, "POST", "customers", b"email=a%40b.c", **{"Idempotency-Key": "k" * 256})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "idempotency_key_invalid")

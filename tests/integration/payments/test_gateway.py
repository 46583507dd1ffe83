"""The Stripe gateway: its requests, compared with the API that Stripe publishes, and its errors."""

import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
import stripe
from structlog.testing import capture_logs

from tests.integration.payments.events import SECRET, signed
from tests.integration.payments.fake_stripe import CLOSE, SILENCE, Answer, FakeStripe, answer, fake_stripe
from tests.integration.sandbox.running import KEY, Sandbox
from transcription_proxy.payments.gateway import (
    ATTEMPT_SECONDS,
    CALL_SECONDS,
    BadSignature,
    Gateway,
    NoSuchObject,
    StripeAway,
    verified,
)
from transcription_proxy.payments.sandboxed import Address
from transcription_proxy.payments.store import Buyer, Purchase

SECRET_KEY: Final = "sk_live_of_the_tests_0123456789"
SITE: Final = "https://captions.example.org"
NOW: Final = datetime(2026, 11, 27, tzinfo=UTC)
BUYER: Final = Buyer(UUID(int=7), "buyer@example.org", None)
PURCHASE: Final = Purchase(UUID(int=1), BUYER.id, "pack_500", "500 minutes", 30000, 300, "usd", "open", NOW)
Call = Callable[[Gateway], Awaitable[Any]]


def to(there: FakeStripe | Sandbox, **options: Any) -> Gateway:
    key = KEY if isinstance(there, Sandbox) else SECRET_KEY
    return Gateway(Address(key, there.url), SITE, **options)


async def listed(objects: AsyncIterator[Any]) -> list[Any]:
    return [one async for one in objects]


CALLS: Final[dict[str, Call]] = {
    "create_customer": lambda gateway: gateway.create_customer(BUYER),
    "create_checkout": lambda gateway: gateway.create_checkout(PURCHASE, "cus_1"),
    "checkout": lambda gateway: gateway.checkout("cs_1"),
    "checkouts": lambda gateway: listed(gateway.checkouts(NOW)),
    "refund": lambda gateway: gateway.refund("re_1"),
    "refunds": lambda gateway: listed(gateway.refunds(NOW)),
    "refunds_of": lambda gateway: listed(gateway.refunds_of("ch_1")),
    "disputes": lambda gateway: listed(gateway.disputes(NOW)),
    "webhook_endpoints": lambda gateway: gateway.webhook_endpoints(),
}


# Requests


async def test_a_checkout_request_sends_exactly_the_documented_parameters() -> None:
    """In particular, the request has no `payment_method_types`."""
    async with fake_stripe(
        answer({"id": "cs_1", "object": "checkout.session", "url": "https://pay.example/1"})
    ) as there:
        assert await to(there).create_checkout(PURCHASE, "cus_1") == ("cs_1", "https://pay.example/1")
    [request] = there.requests
    assert (request.method, request.path) == ("POST", "/v1/checkout/sessions")
    names = {
        "purchase_id": "00000000-0000-0000-0000-000000000001",
        "user_id": "00000000-0000-0000-0000-000000000007",
        "package_id": "pack_500",
        "seconds": "30000",
    }
    assert dict(request.sent) == {
        "mode": "payment",
        "customer": "cus_1",
        "client_reference_id": names["user_id"],
        "line_items[0][quantity]": "1",
        "line_items[0][price_data][currency]": "usd",
        "line_items[0][price_data][unit_amount]": "300",
        "line_items[0][price_data][product_data][name]": "Live Captions: 500 minutes",
        "allow_promotion_codes": "true",
        **{f"metadata[{name}]": value for name, value in names.items()},
        **{f"payment_intent_data[metadata][{name}]": value for name, value in names.items()},
        "success_url": f"{SITE}/billing/success?session_id={{CHECKOUT_SESSION_ID}}",
        "cancel_url": f"{SITE}/billing/cancel",
    }
    assert request.headers["authorization"] == f"Bearer {SECRET_KEY}"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["stripe-version"] == stripe.api_version
    assert request.headers["idempotency-key"] == f"checkout-{PURCHASE.id}-cus_1"


async def test_a_customer_is_created_once_per_occasion_and_again_if_stripe_lost_it() -> None:
    async with fake_stripe(answer({"id": "cus_1", "object": "customer"})) as there:
        gateway = to(there)
        assert await gateway.create_customer(BUYER) == "cus_1"
        await gateway.create_customer(BUYER)
        await gateway.create_customer(replace(BUYER, stripe_customer_id="cus_1"))
        await gateway.create_customer(BUYER, "an order")
    assert [dict(request.sent) for request in there.requests] == [
        {"email": "buyer@example.org", "metadata[user_id]": "00000000-0000-0000-0000-000000000007"}
    ] * 4
    first, again, anew, ordered = (request.headers["idempotency-key"] for request in there.requests)
    assert first == again
    assert len({first, anew, ordered}) == 3


LISTED: Final = ("created", "created[gt]", "created[gte]", "created[lt]", "created[lte]")
PAGED: Final = ("ending_before", "expand[]", "limit", "starting_after")
PUBLISHED: Final[dict[str, tuple[str, str, frozenset[str]]]] = {
    "create_customer": ("POST", "/v1/customers", frozenset({"description", "email", "metadata[]", "name", "phone"})),
    "create_checkout": (
        "POST",
        "/v1/checkout/sessions",
        frozenset(
            {
                *("allow_promotion_codes", "cancel_url", "client_reference_id", "customer", "customer_email"),
                *("expand[]", "expires_at", "locale", "metadata[]", "mode", "submit_type", "success_url", "ui_mode"),
                *("line_items[][price]", "line_items[][quantity]", "line_items[][price_data][currency]"),
                *("line_items[][price_data][unit_amount]", "line_items[][price_data][product_data][name]"),
                *("payment_intent_data[description]", "payment_intent_data[metadata][]"),
            }
        ),
    ),
    "checkout": ("GET", "/v1/checkout/sessions/cs_1", frozenset({"expand[]"})),
    "checkouts": ("GET", "/v1/checkout/sessions", frozenset({*LISTED, *PAGED, "customer", "payment_intent", "status"})),
    "refund": ("GET", "/v1/refunds/re_1", frozenset({"expand[]"})),
    "refunds": ("GET", "/v1/refunds", frozenset({*LISTED, *PAGED, "charge", "payment_intent"})),
    "refunds_of": ("GET", "/v1/refunds", frozenset({*LISTED, *PAGED, "charge", "payment_intent"})),
    "disputes": ("GET", "/v1/disputes", frozenset({*LISTED, *PAGED, "charge", "payment_intent"})),
    "webhook_endpoints": ("GET", "/v1/webhook_endpoints", frozenset(PAGED)),
}
"""Method, path and parameters of each call as Stripe publishes them: https://docs.stripe.com/api, 2026-10-28.endive.
Numbers and custom names in brackets are left out."""


def form_name(name: str) -> str:
    return re.sub(r"\[\d+\]|(?<=metadata)\[\w+\]|(?<=metadata\])\[\w+\]", "[]", name)


@pytest.mark.parametrize("call", CALLS)
async def test_requests_use_only_parameters_that_stripe_publishes(call: str) -> None:
    async with fake_stripe(answer({"id": "x_1", "url": "", "object": "list", "data": [], "has_more": False})) as there:
        await CALLS[call](to(there))
    [request] = there.requests
    method, path, parameters = PUBLISHED[call]
    assert (request.method, request.path) == (method, path)
    names = [form_name(name) for name, _ in request.sent]
    assert set(names) <= parameters
    assert "payment_method_types" not in str(request.sent)
    assert request.headers["stripe-version"] == stripe.api_version
    assert (method == "GET") or request.headers["idempotency-key"]


async def test_lists_are_requested_page_by_page_with_their_payments() -> None:
    pages = [
        {"object": "list", "data": [{"id": "cs_3"}, {"id": "cs_2"}], "has_more": True},
        {"object": "list", "data": [{"id": "cs_1"}], "has_more": False},
    ]
    async with fake_stripe(*map(answer, pages)) as there:
        found = await listed(to(there).checkouts(NOW))
    assert [one["id"] for one in found] == ["cs_3", "cs_2", "cs_1"]
    first = {"created[gte]": str(int(NOW.timestamp())), "expand[0]": "data.payment_intent", "limit": "100"}
    assert [dict(request.sent) for request in there.requests] == [first, {**first, "starting_after": "cs_2"}]


# Answers


async def test_the_sandbox_answers_every_call_and_its_lists_end(sandbox: Sandbox) -> None:
    gateway = to(sandbox)
    since = datetime.now(UTC) - timedelta(seconds=2)
    customer = await gateway.create_customer(BUYER)
    assert await gateway.create_customer(BUYER) == customer
    purchase = replace(PURCHASE, id=uuid4())
    name, url = await gateway.create_checkout(purchase, customer)
    assert await gateway.create_checkout(purchase, customer) == (name, url)
    sandbox.buttons.checkout(name)
    made = [name, *sandbox.many_sessions(102, customer=customer)]
    found = [one["id"] for one in await listed(gateway.checkouts(since)) if one["customer"] == customer]
    assert found == made[::-1]
    session = await gateway.checkout(name)
    charge = session["payment_intent"]["latest_charge"]
    assert (charge["paid"], charge["refunds"]["data"]) == (True, [])
    sandbox.buttons.payment(name, "refund", "1.00")
    sandbox.buttons.payment(name, "dispute")
    [refund] = await listed(gateway.refunds_of(charge["id"]))
    assert refund["amount"] == 100
    listed_with_it = (await gateway.checkout(name))["payment_intent"]["latest_charge"]["refunds"]["data"]
    assert [one["id"] for one in listed_with_it] == [refund["id"]]
    assert refund["id"] in [one["id"] for one in await listed(gateway.refunds(since))]
    assert charge["id"] in [one["charge"] for one in await listed(gateway.disputes(since))]
    assert await gateway.webhook_endpoints() == []
    with pytest.raises(NoSuchObject):
        await gateway.checkout("cs_none")
    with pytest.raises(NoSuchObject):
        await gateway.create_checkout(replace(purchase, id=uuid4()), "cus_none")


ERROR: Final = {"error": {"type": "invalid_request_error", "message": f"Invalid API Key provided: {SECRET_KEY}"}}
LIST: Final = {"object": "list", "data": [{"id": "x"}], "has_more": True}
AWAY: Final = {
    "a limit on requests": answer(ERROR, 429),
    "an error": answer(ERROR, 500),
    "a bad gateway": Answer(b"<html>Bad gateway</html>", 502, {"Content-Type": "text/html"}),
    "a page": Answer(b"<html>Sign in to this network</html>"),
    "a page that leads fake_stripe": Answer(b"", 302, {"Location": "http://127.0.0.1:1/"}),
    "a wrong key": answer(ERROR, 401),
    "a key without the right": answer(ERROR, 403),
    "a mistake of ours": answer(ERROR, 400),
    "an error of no known shape": answer(["error"], 400),
    "a list instead of an object": answer([]),
    "null": answer(None),
    "an object without what is needed": answer({}),
    "half an answer": Answer(b'{"id": "x_1", "url": "x"}', cut=9),
    "no answer": CLOSE,
    "silence": SILENCE,
}


@pytest.mark.parametrize("said", AWAY)
@pytest.mark.parametrize("call", ["create_customer", "create_checkout", "checkouts"])
async def test_every_failure_is_reported_as_stripe_away(call: str, said: str) -> None:
    """The call fails within its timeout, and the log contains no secret."""
    async with fake_stripe(AWAY[said]) as there:
        with capture_logs() as logs, pytest.raises(StripeAway):
            await CALLS[call](to(there, within=0.3, page_within=0.3, retries=0))
    [line] = logs
    assert line["log_level"] == "error"
    assert SECRET_KEY not in str(logs)


@pytest.mark.parametrize(("call", "waits"), [("create_checkout", "within"), ("refunds", "page_within")])
async def test_a_silent_stripe_times_out(call: str, waits: str) -> None:
    """The gateway's timeout ends the call, not the connection's."""
    async with fake_stripe(SILENCE) as there:
        with capture_logs() as logs, pytest.raises(StripeAway, match="timeout"):
            await CALLS[call](to(there, **{waits: 0.1}))
    assert [line["kind"] for line in logs] == ["timeout"]


async def test_an_unreachable_server_is_reported_as_stripe_away() -> None:
    async with fake_stripe() as there:
        pass
    with capture_logs(), pytest.raises(StripeAway):
        await to(there, retries=0).checkout("cs_1")


async def test_no_proxy_is_used_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with fake_stripe(answer({"id": "cus_1"})) as there:
        assert await to(there, retries=0).create_customer(BUYER) == "cus_1"


@pytest.mark.parametrize("call", ["checkout", "refund", "create_checkout"])
async def test_an_unknown_object_is_not_a_failure_of_stripe(call: str) -> None:
    error = {"type": "invalid_request_error", "code": "resource_missing", "message": "No such thing", "param": "id"}
    async with fake_stripe(answer({"error": error}, 404)) as there:
        with pytest.raises(NoSuchObject):
            await CALLS[call](to(there))
    assert len(there.requests) == 1


@pytest.mark.parametrize("said", ["an error", "a bad gateway", "no answer", "half an answer"])
async def test_a_retry_uses_the_same_idempotency_key(said: str) -> None:
    async with fake_stripe(AWAY[said], answer({"id": "cus_1"})) as there:
        assert await to(there).create_customer(BUYER) == "cus_1"
    assert len(there.requests) == 2
    assert there.requests[0].sent == there.requests[1].sent
    assert there.requests[0].headers["idempotency-key"] == there.requests[1].headers["idempotency-key"]


async def test_a_request_without_an_answer_is_retried_within_the_timeout() -> None:
    async with fake_stripe(SILENCE, answer({"id": "cus_1"})) as there:
        assert await to(there, timeout=0.5).create_customer(BUYER) == "cus_1"
        there.answers = [SILENCE]
        with capture_logs(), pytest.raises(StripeAway):
            await to(there, timeout=0.1, within=0.3).create_customer(BUYER)


async def test_a_lost_page_of_a_list_is_an_error() -> None:
    """The list does not look complete."""
    async with fake_stripe(answer(LIST), answer(ERROR, 500)) as there:
        found = []
        with capture_logs(), pytest.raises(StripeAway):
            async for one in to(there, retries=0).refunds(NOW):
                found.append(one["id"])
    assert found == ["x"]


def test_a_buyer_waits_ten_seconds_at_most_which_one_slow_answer_fits() -> None:
    assert ATTEMPT_SECONDS < CALL_SECONDS < 10


# Webhooks

PAYLOAD: Final = '{"id": "evt_1", "data": "ü"}'.encode()


def test_a_webhook_signed_with_any_secret_is_accepted() -> None:
    payload, signature = signed(PAYLOAD, "whsec_old")
    assert verified(payload, signature, ["whsec_new", "whsec_old"]) == PAYLOAD.decode()
    both = f"{signed(PAYLOAD, 'whsec_of_another')[1]},v1={signature.partition('v1=')[2]}"
    assert verified(payload, both, ["whsec_old"]) == PAYLOAD.decode()


@pytest.mark.parametrize("secrets", [[], ["whsec_other"], ["whsec_other", "whsec_another"]])
def test_a_webhook_signed_with_another_secret_is_refused(secrets: list[str]) -> None:
    with pytest.raises(BadSignature):
        verified(*signed(PAYLOAD), secrets)


@pytest.mark.parametrize("age", [-3600, 301, 10**9])
def test_an_old_webhook_is_refused(age: int) -> None:
    payload, signature = signed(PAYLOAD, at=time.time() - age)
    if age < 0:  # Stripe's clock is ahead
        assert verified(payload, signature, [SECRET])
    else:
        with pytest.raises(BadSignature):
            verified(payload, signature, [SECRET])


SPOILT: Final[list[Callable[[str], str]]] = [
    lambda good: good[:-1],
    lambda good: good.replace("v1", "v0"),
    lambda good: good.replace("t=", "t=1"),
    lambda good: f"{good}é",
    lambda good: good.partition(",")[0],
    lambda good: good.partition(",")[2],
    lambda _: "",
    lambda _: "t=,v1=",
    lambda _: "t=now,v1=x",
    lambda _: "t=1,v1=é",
]


@pytest.mark.parametrize("spoil", SPOILT)
def test_a_malformed_signature_is_refused(spoil: Callable[[str], str]) -> None:
    payload, good = signed(PAYLOAD)
    assert verified(payload, good, [SECRET])
    with pytest.raises(BadSignature):
        verified(payload, spoil(good), [SECRET])


def test_a_changed_or_undecodable_payload_is_refused() -> None:
    good = signed(PAYLOAD)[1]
    for payload, signature in ((PAYLOAD + b" ", good), (PAYLOAD[:-1], good), (b"", good), signed(b"\xff\xfe")):
        with pytest.raises(BadSignature):
            verified(payload, signature, [SECRET])

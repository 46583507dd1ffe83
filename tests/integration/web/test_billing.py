"""/billing/* and /account/purchases: what is for sale, the way to Stripe and back, and what became of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.integration.payments.events import charge, dispute, event, session
from tests.integration.payments.fake_stripe import CLOSE, SILENCE, Answer, answer, fake_stripe
from tests.integration.payments.harness import PaymentsHarness
from tests.integration.sandbox.running import KEY, Sandbox
from tests.integration.web.site import PUBLIC_URL, Site, bearer, code
from transcription_proxy.db.jobs import Jobs
from transcription_proxy.ledger.entries import MAX_CREDITS, Description
from transcription_proxy.payments import packages
from transcription_proxy.payments.fulfillment import RECEIPT
from transcription_proxy.payments.gateway import Gateway
from transcription_proxy.payments.sandboxed import Address
from transcription_proxy.payments.service import CUSTOMER, Payments

TRIAL = 600
PACK = {"package_id": "pack_500"}
WRONG: list[Any] = [
    None,
    "",
    "pack_1",
    "PACK_500",
    " pack_500",
    500,
    True,
    [],
    ["pack_500"],
    {"id": "pack_500"},
    "\ud800",
    "x" * 9000,
]


class Buyer:
    """A user who has just registered, with the trial."""

    def __init__(self, site: Site, login: dict[str, Any]) -> None:
        self.site = site
        self.id = UUID(login["user"]["id"])
        self.headers = bearer(login)

    async def order(self, body: Any) -> httpx.Response:
        headers = self.headers | {"Content-Type": "application/json"}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.site.http.post("/billing/checkout", content=content, headers=headers)

    async def ordered(self) -> str:
        """The session of a checkout."""
        answer = await self.order(PACK)
        assert answer.status_code == 200, answer.text
        assert set(answer.json()) == {"checkout_url", "session_id"}
        session_id: str = answer.json()["session_id"]
        return session_id

    async def get(self, path: str) -> Any:
        answer = await self.site.http.get(path, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def state(self, session_id: str) -> dict[str, Any]:
        """The success page asks every few seconds; a test does not wait for them."""
        await self.site.sql("UPDATE purchases SET asked_at = NULL")
        found: dict[str, Any] = await self.get(f"/billing/checkout/{session_id}")
        return found

    async def balance(self) -> int:
        return int((await self.get("/billing/balance"))["seconds_remaining"])

    async def rows(self) -> list[tuple[Any, ...]]:
        """Of the purchases as they are stored."""
        return await self.site.sql(
            "SELECT status, checkout_session, seconds, amount_cents FROM purchases WHERE user_id = %s ORDER BY seconds",
            self.id,
        )


@asynccontextmanager
async def selling(site: Site, stripe: Address | Gateway, **options: Any) -> AsyncIterator[None]:
    """The site, with its payments at this Stripe."""
    gateway = Gateway(stripe, PUBLIC_URL) if isinstance(stripe, Address) else stripe
    site.payments = Payments(site.database, gateway, packages.load(), secrets=["whsec_tests"], **options)
    site.build(auth_rate=1000)
    before = site.http
    async with site.client() as site.http:
        yield
    site.http = before


def asked_once(url: str, fault: Answer | None = None) -> Gateway:
    """The way to a Stripe that is asked once, and is not waited for where it never answers."""
    return Gateway(Address(KEY, url), PUBLIC_URL, within=0.3 if fault is SILENCE else 20.0, retries=0)


@pytest.fixture
async def ann(site: Site) -> Buyer:
    return Buyer(site, await site.register())


@pytest.fixture
async def stripe(site: Site, sandbox: Sandbox) -> AsyncIterator[Sandbox]:
    """The sandbox Stripe, whose webhooks never arrive."""
    async with selling(site, Address(KEY, sandbox.url)):
        yield sandbox


async def test_packages_are_public(http: httpx.AsyncClient) -> None:
    answer = await http.get("/billing/packages")
    assert answer.json() == {
        "packages": [
            {"id": "pack_500", "label": "500 minutes", "seconds": 30_000, "price_cents": 300, "currency": "usd"},
            {"id": "pack_1200", "label": "1200 minutes", "seconds": 72_000, "price_cents": 600, "currency": "usd"},
            {
                "id": "pack_3000",
                "label": "3000 minutes",
                "seconds": 180_000,
                "price_cents": 1200,
                "currency": "usd",
                "best_value": True,
            },
        ]
    }


async def test_buying_needs_a_token(http: httpx.AsyncClient) -> None:
    for method, path in [
        ("POST", "/billing/checkout"),
        ("GET", "/billing/checkout/cs_1"),
        ("GET", "/account/purchases"),
    ]:
        assert code(await http.request(method, path, json=PACK)) == (401, "unauthorized")


async def test_an_unknown_package_is_refused(ann: Buyer) -> None:
    for package in WRONG:
        assert code(await ann.order({"package_id": package})) == (422, "unknown_package"), package
    assert code(await ann.order({})) == (422, "unknown_package")
    assert code(await ann.order([PACK])) == (422, "invalid_request")
    assert await ann.rows() == []


async def test_an_order_must_be_json(ann: Buyer) -> None:
    for content in (b"{", b"\xff", b'{"package_id": ' + b"9" * 5000 + b"}", b"[" * 60_000):
        answer = await ann.order(content)
        assert code(answer) in [(400, "invalid_json"), (422, "invalid_request")], content[:20]


async def test_top_ups_are_refused_unless_enabled(ann: Buyer) -> None:
    some: list[Any] = [100, 500, 0, "500", None, []]
    for cents in some:
        expected = "unknown_package" if cents is None else "invalid_amount"
        assert code(await ann.order({"amount_cents": cents})) == (422, expected), cents


async def test_a_top_up_is_sold_by_the_second(site: Site, ann: Buyer, sandbox: Sandbox) -> None:
    async with selling(site, Address(KEY, sandbox.url), credits_per_dollar=1000):
        wrong: list[Any] = [99, 50_001, 0, -500, 2**63, 10**30, "500", 500.0, True, [500], {}, float("nan")]
        for cents in wrong:
            assert code(await ann.order({"amount_cents": cents})) == (422, "invalid_amount"), cents
        assert code(await ann.order(PACK | {"amount_cents": 500})) == (422, "invalid_amount")
        assert await ann.rows() == []
        for cents in (100, 50_000):
            made = (await ann.order({"amount_cents": cents, "package_id": None})).json()
            assert await ann.state(made["session_id"]) == {"status": "open", "seconds": cents * 10}
        assert [row[2:] for row in await ann.rows()] == [(1000, 100), (500_000, 50_000)]


STRIPES_FAULTS: dict[str, Answer] = {
    "hangs up": CLOSE,
    "silent": SILENCE,
    "429": answer({"error": {"type": "invalid_request_error", "code": "rate_limit", "message": "sk_test_4"}}, 429),
    "500": answer({"error": {"type": "api_error", "message": "sk_test_5"}}, 500),
    "401": answer({"error": {"type": "invalid_request_error", "message": "Invalid API Key provided: sk_test_6"}}, 401),
    "no JSON": Answer(b"<html>", 200),
    "another shape": answer([1, 2, 3]),
}


async def test_an_order_without_stripe_fails_and_can_be_repeated(site: Site, ann: Buyer, sandbox: Sandbox) -> None:
    """The order is written down, and goes on where Stripe answers again."""
    async with selling(site, asked_once("http://127.0.0.1:9")):
        await refused(ann)
    for name, fault in STRIPES_FAULTS.items():
        async with fake_stripe(fault) as stripe, selling(site, asked_once(stripe.url, fault)):
            await refused(ann)
            assert stripe.requests or fault is SILENCE, name
    assert await ann.rows() == [("open", None, 30_000, 300)]
    assert await ann.balance() == TRIAL
    assert (await ann.get("/account/purchases"))["purchases"] == []
    async with selling(site, Address(KEY, sandbox.url)):
        made = await ann.ordered()
    assert await ann.rows() == [("open", made, 30_000, 300)]


async def refused(buyer: Buyer) -> None:
    answer = await buyer.order(PACK)
    assert code(answer) == (503, "payments_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    message = answer.json()["error"]["message"]
    assert message == "The payment service isn't responding. You weren't charged. Try again in a moment."


async def test_a_double_click_creates_one_checkout(site: Site, ann: Buyer, stripe: Sandbox) -> None:
    made = await asyncio.gather(*(ann.ordered() for _ in range(4)))
    assert set(made) == {await ann.ordered()}
    assert await ann.rows() == [("open", made[0], 30_000, 300)]
    found = stripe.client.v1.checkout.sessions.retrieve(made[0])
    assert (found.client_reference_id, found.amount_total, found.currency) == (str(ann.id), 300, "usd")
    other = await ann.order({"package_id": "pack_1200"})
    assert other.json()["session_id"] != made[0]
    bob = Buyer(site, await site.register())
    assert await bob.ordered() != made[0]
    await site.sql("UPDATE purchases SET created_at = now() - interval '61 s'")
    assert await ann.ordered() != made[0]


async def test_a_customer_unknown_to_stripe_is_created_again(site: Site, ann: Buyer, stripe: Sandbox) -> None:
    await site.sql("UPDATE users SET stripe_customer_id = 'cus_of_another_account' WHERE id = %s", ann.id)
    made = await ann.ordered()
    customer = await customer_of(ann)
    assert stripe.client.v1.checkout.sessions.retrieve(made).customer == customer != "cus_of_another_account"


async def test_the_stripe_customer_is_created_once_in_the_background(site: Site, ann: Buyer, stripe: Sandbox) -> None:
    background = Jobs(site.database, {CUSTOMER: site.payments.create_customer}, {})
    assert await background.run_one()
    customer = await customer_of(ann)
    assert stripe.client.v1.customers.retrieve(customer).to_dict()["metadata"] == {"user_id": str(ann.id)}
    await site.payments.create_customer(str(ann.id))
    await site.payments.create_customer(str(uuid4()))
    assert await customer_of(ann) == customer
    assert stripe.client.v1.checkout.sessions.retrieve(await ann.ordered()).customer == customer


async def customer_of(buyer: Buyer) -> str:
    [(customer,)] = await buyer.site.sql("SELECT stripe_customer_id FROM users WHERE id = %s", buyer.id)
    return str(customer)


async def test_the_receipt_of_a_purchase_is_fetched_in_the_background(site: Site, ann: Buyer, stripe: Sandbox) -> None:
    made = await ann.ordered()
    stripe.buttons.checkout(made, "pay")
    paid = stripe.client.v1.checkout.sessions.retrieve(made).to_dict()
    await PaymentsHarness(site.database).receive(event("checkout.session.completed", paid))
    assert [one["receipt_url"] for one in (await ann.get("/account/purchases"))["purchases"]] == [None]
    background = Jobs(site.database, {RECEIPT: site.payments.fetch_receipt}, {})
    assert await background.run_one()
    [bought] = (await ann.get("/account/purchases"))["purchases"]
    assert bought["receipt_url"].startswith(stripe.url)
    assert not await background.run_one()
    assert await ann.balance() == TRIAL + 30_000


async def test_the_next_order_does_not_repeat_an_error_that_stripe_cached(site: Site, ann: Buyer) -> None:
    """The answer to an idempotency key is the same for a day, an error's too."""
    broken = answer({"error": {"type": "api_error", "message": "Try again"}}, 500)
    async with fake_stripe(broken) as stripe, selling(site, asked_once(stripe.url)):
        await refused(ann)
        await refused(ann)
        await site.sql("UPDATE purchases SET created_at = now() - interval '61 s'")
        await refused(ann)
        first, again, next_order = [request.headers["idempotency-key"] for request in stripe.requests]
    assert first == again != next_order


async def test_one_checkout_session_belongs_to_one_purchase(site: Site, ann: Buyer) -> None:
    bob = Buyer(site, await site.register())
    one = answer({"id": "cs_test_one", "object": "checkout.session", "url": "https://stripe.example/c/pay/one"})
    async with fake_stripe(one) as stripe, selling(site, asked_once(stripe.url)):
        assert await ann.ordered() == "cs_test_one"
        await refused(bob)
    assert await bob.rows() == [("open", None, 30_000, 300)]


async def test_one_request_to_stripe_makes_up_for_a_lost_webhook(site: Site, ann: Buyer, stripe: Sandbox) -> None:
    made = await ann.ordered()
    assert await ann.state(made) == {"status": "open", "seconds": 30_000}
    stripe.buttons.checkout(made, "pay")
    states = await asyncio.gather(*(ann.state(made) for _ in range(5)))
    assert "paid" in {state["status"] for state in states}
    paid = await ann.state(made)
    assert paid.pop("receipt_url").startswith(stripe.url)
    assert paid == {"status": "paid", "seconds": 30_000}
    assert await ann.balance() == TRIAL + 30_000
    [bought] = (await ann.get("/account/purchases"))["purchases"]
    assert bought.pop("receipt_url").startswith(stripe.url)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(bought.pop("date"))) < timedelta(minutes=5)
    assert bought == {
        "label": "500 minutes",
        "amount_cents": 300,
        "currency": "usd",
        "seconds": 30_000,
        "status": "paid",
    }


async def test_a_delayed_payment_is_pending_until_it_arrives(ann: Buyer, stripe: Sandbox) -> None:
    good, bad = await ann.ordered(), (await ann.order({"package_id": "pack_1200"})).json()["session_id"]
    for made in (good, bad):
        stripe.buttons.checkout(made, "later")
        assert (await ann.state(made))["status"] == "pending"
    stripe.buttons.payment(good, "settle")
    stripe.buttons.payment(bad, "fail")
    assert [(await ann.state(made))["status"] for made in (good, bad)] == ["paid", "failed"]
    assert await ann.balance() == TRIAL + 30_000
    assert [one["status"] for one in (await ann.get("/account/purchases"))["purchases"]] == ["failed", "paid"]


async def test_requests_to_stripe_are_seconds_apart(site: Site, ann: Buyer) -> None:
    await PaymentsHarness(site.database).purchase(ann.id, "cs_1")
    missing = answer({"error": {"type": "invalid_request_error", "code": "resource_missing"}}, 404)
    async with fake_stripe(missing) as stripe, selling(site, asked_once(stripe.url)):
        for _ in range(5):
            assert (await ann.get("/billing/checkout/cs_1"))["status"] == "open"
        assert len(stripe.requests) == 1


async def test_the_state_is_returned_while_stripe_is_away(site: Site, ann: Buyer) -> None:
    await PaymentsHarness(site.database).purchase(ann.id, "cs_1")
    for fault in STRIPES_FAULTS.values():
        async with fake_stripe(fault) as stripe, selling(site, asked_once(stripe.url, fault)):
            assert await ann.state("cs_1") == {"status": "open", "seconds": 30_000}


async def test_users_cannot_see_another_users_checkout(site: Site, ann: Buyer) -> None:
    await PaymentsHarness(site.database).purchase(ann.id, "cs_1")
    eve = Buyer(site, await site.register())
    for path in ("cs_1", "cs_2", "%00", "%ff", "x" * 256, "x" * 9000, "%2e%2e", "null"):
        answer = await site.http.get(f"/billing/checkout/{path}", headers=eve.headers)
        assert code(answer) == (404, "not_found"), path
    assert (await eve.get("/account/purchases"))["purchases"] == []


async def test_purchases_are_listed_with_their_status(site: Site, ann: Buyer) -> None:
    """Newest first; those that were never paid are nobody's business."""
    harness = PaymentsHarness(site.database)
    for number in range(6):
        name = f"cs_{number}"
        await harness.purchase(ann.id, name)
        await site.sql(
            "UPDATE purchases SET created_at = now() - %s WHERE checkout_session = %s", timedelta(days=9 - number), name
        )
        if number:
            paid = session(name, payment=f"pi_{number}", paid="unpaid" if number == 5 else "paid", total=300 - number)
            await harness.receive(event("checkout.session.completed", paid))
    await harness.receive(event("charge.refunded", charge("pi_2", 100, 298)))
    await harness.receive(event("charge.refunded", charge("pi_3", 297, 297)))
    await harness.receive(event("charge.dispute.created", dispute("dp_1", "pi_4", 296, "needs_response")))
    bought = (await ann.get("/account/purchases"))["purchases"]
    assert all(
        set(one) == {"date", "label", "amount_cents", "currency", "seconds", "status", "receipt_url"} for one in bought
    )
    assert [(one["status"], one["amount_cents"]) for one in bought] == [
        ("pending", 300),
        ("disputed", 296),
        ("refunded", 297),
        ("partially_refunded", 298),
        ("paid", 299),
    ]
    assert bought == sorted(bought, key=lambda one: one["date"], reverse=True)
    balance = await ann.get("/billing/balance")
    assert (balance["seconds_remaining"], balance["seconds_frozen"]) == (TRIAL + 3 * 30_000 - 10_067, 30_000)
    assert await harness.findings() == []


async def test_a_purchase_beyond_the_largest_balance_is_refused(site: Site, ann: Buyer) -> None:
    await site.ledger.credit(ann.id, MAX_CREDITS - TRIAL - 29_999, Description.MANUAL_ADJUSTMENT)
    assert code(await ann.order(PACK)) == (422, "amount_too_large")
    assert await ann.rows() == []

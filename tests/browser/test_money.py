"""Buying minutes: the checkout, the return from Stripe, and the list of purchases."""

from datetime import UTC, datetime

import pytest
from playwright.async_api import expect

from tests.browser.lives import HOSTILE, balance
from tests.browser.states import BOUGHT
from tests.browser.visitor import Visitor
from tests.e2e.service import Service

PACKAGES = ["500 minutes", "1200 minutes", "3000 minutes"]
BACK = "/billing/success?session_id=cs_1"


@pytest.mark.parametrize("path", ["/", "/dashboard"])
async def test_prices_match_the_api(visitor: Visitor, service: Service, path: str) -> None:
    if path != "/":
        await visitor.become(await service.user())
    await visitor.goto(path)
    for name, price in zip(PACKAGES, ["$3.00", "$6.00", "$12.00"], strict=True):
        card = visitor.page.get_by_role("listitem").filter(has=visitor.page.get_by_role("heading", name=name))
        await expect(card.get_by_text(price, exact=True)).to_be_visible()


@pytest.mark.parametrize("path", ["/", "/dashboard"])
async def test_the_best_value_is_marked_if_there_is_one(visitor: Visitor, service: Service, path: str) -> None:
    if path != "/":
        await visitor.become(await service.user())
    await visitor.goto(path)
    cards = visitor.page.locator("#packages").get_by_role("listitem")
    await expect(cards).to_have_count(3)
    await expect(cards.filter(has_text="Best value")).to_contain_text(["3000 minutesBest value$12.00"])


async def test_buying_leads_to_the_checkout(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    await visitor.answer("/billing/checkout", {"checkout_url": f"{service.url}/billing/cancel", "session_id": "cs_1"})
    await visitor.goto("/dashboard")
    await visitor.press("Buy 1200 minutes")
    await visitor.is_at("/billing/cancel")
    (asked,) = [request for request in visitor.requests if request.method == "POST"]
    assert asked.post_data_json == {"package_id": "pack_1200"}
    await visitor.says("You weren't charged")
    await visitor.page.get_by_role("link", name="Back to packages").click()
    await visitor.is_at("/dashboard")


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", ""])
async def test_a_checkout_url_that_is_not_http_is_not_opened(visitor: Visitor, service: Service, url: str) -> None:
    await visitor.become(await service.user())
    await visitor.answer("/billing/checkout", {"checkout_url": url, "session_id": "cs_1"})
    await visitor.goto("/dashboard")
    await visitor.press("Buy 500 minutes")
    await visitor.says("Couldn't open the checkout. Try again.")
    await visitor.is_at("/dashboard")


async def test_a_failed_checkout_is_shown_below_the_packages(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    await visitor.refuse("/billing/checkout", 503, "payments_unavailable")
    await visitor.goto("/dashboard")
    await visitor.press("Buy 500 minutes")
    await expect(visitor.page.locator("#buy").get_by_role("alert")).to_contain_text("temporarily unavailable")
    await expect(visitor.page.get_by_role("button", name="Buy 500 minutes")).not_to_have_attribute(
        "aria-disabled", "true"
    )


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ("pending", "Your minutes arrive once it clears"),
        ("failed", "You weren't charged."),
        ("expired", "The payment wasn't completed in time. You weren't charged."),
    ],
)
async def test_the_result_of_a_payment_is_shown(visitor: Visitor, service: Service, status: str, sentence: str) -> None:
    await visitor.become(await service.user())
    await visitor.answer("/billing/checkout/cs_1", {"status": status, "seconds": 30000})
    await visitor.goto(BACK)
    await visitor.says(sentence)


async def test_the_page_waits_for_the_minutes_and_shows_the_new_balance(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    await visitor.answer("/billing/checkout/cs_1", {"status": "open", "seconds": 30000})
    await visitor.answer("/billing/balance", balance(30600))
    await visitor.page.clock.install()
    await visitor.goto(BACK)
    await visitor.says("Waiting for your payment to arrive...")
    for _ in range(16):
        async with visitor.page.expect_response("**/billing/checkout/cs_1"):
            await visitor.page.clock.run_for(2500)
    await visitor.says("This is taking longer than usual.")
    await visitor.answer("/billing/checkout/cs_1", {"status": "paid", "seconds": 30000})
    async with visitor.page.expect_response("**/billing/balance"):
        await visitor.page.clock.run_for(2500)
    await visitor.says("500 minutes added")
    await expect(visitor.page.locator("#minutes")).to_have_text("510minutes left")
    buttons = visitor.page.locator("#state .button")
    await expect(buttons).to_have_text(["Start captions", "Receipt"])
    await expect(buttons.first).to_have_attribute("href", "/captions")
    await expect(buttons.last).to_have_attribute("href", "/purchases")
    receipt = {"status": "paid", "seconds": 30000, "receipt_url": "https://pay.example/r"}
    await visitor.answer("/billing/checkout/cs_1", receipt)
    async with visitor.page.expect_response("**/billing/checkout/cs_1"):
        await visitor.page.clock.run_for(2500)
    await expect(buttons.last).to_have_attribute("href", "https://pay.example/r")


async def test_a_receipt_url_that_is_not_http_is_not_linked(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    paid = {"status": "paid", "seconds": 30000, "receipt_url": "javascript:alert(1)"}
    await visitor.answer("/billing/checkout/cs_1", paid)
    await visitor.goto(BACK)
    await expect(visitor.page.get_by_role("link", name="Receipt")).to_have_attribute("href", "/purchases")


async def test_a_pending_payment_is_on_the_dashboard_until_it_is_paid(visitor: Visitor, service: Service) -> None:
    bought = {**BOUGHT, "date": datetime.now(UTC).isoformat(), "status": "pending", "receipt_url": None}
    await visitor.become(await service.user())
    await visitor.answer("/account/purchases", {"purchases": [bought, {**bought, "status": "paid"}], "next": None})
    await visitor.answer("/billing/balance", balance(600))
    await visitor.goto("/dashboard")
    pending = visitor.page.get_by_role("list", name="Pending payments").get_by_role("listitem")
    await expect(pending).to_have_count(1)
    for words in ("Payment pending", "$3.00 for 500 minutes, since", "Your minutes arrive once it clears"):
        await expect(pending).to_contain_text(words)
    await expect(visitor.page.locator("#pending-seconds")).to_have_text("500 minutes")
    await visitor.answer("/account/purchases", {"purchases": [{**bought, "status": "paid"}], "next": None})
    await visitor.answer("/billing/balance", balance(30600))
    await expect(visitor.page.locator("#minutes")).to_have_text("510min", timeout=10_000)
    await expect(pending).to_have_count(0)


@pytest.mark.parametrize("path", ["/billing/success", "/billing/success?session_id=cs_of_another"])
async def test_another_users_purchase_is_unknown(visitor: Visitor, service: Service, path: str) -> None:
    await visitor.become(await service.user())
    await visitor.goto(path)
    await expect(visitor.page.get_by_role("heading", name="purchase")).to_have_text(
        ["No purchase"] if "?" not in path else ["Purchase not found"]
    )
    await visitor.page.get_by_role("link", name="Go to dashboard").click()
    await visitor.is_at("/dashboard")


async def test_purchases_are_listed_with_their_state_and_receipt(visitor: Visitor, service: Service) -> None:
    common = {"date": "2026-11-20T10:00:00Z", "amount_cents": 300, "currency": "usd", "seconds": 30000}
    receipts = ["https://pay.example/r", "javascript:alert(1)", None]
    states = ["paid", "pending", HOSTILE]
    await visitor.become(await service.user())
    await visitor.answer(
        "/account/purchases",
        {
            "purchases": [
                {**common, "label": HOSTILE, "status": state, "receipt_url": url}
                for state, url in zip(states, receipts, strict=True)
            ]
        },
    )
    await visitor.goto("/account")
    rows = visitor.page.get_by_role("table", name="Purchases").get_by_role("row")
    await expect(rows).to_have_count(4)
    await expect(rows.nth(1)).to_contain_text("$3.00")
    await expect(rows.nth(1)).to_contain_text("Paid")
    await expect(rows.nth(2)).to_contain_text("Payment pending")
    link = visitor.page.get_by_role("link", name="Receipt")
    await expect(link).to_have_count(1)
    await expect(link).to_have_attribute("href", "https://pay.example/r")


async def test_without_purchases_the_page_links_to_the_packages(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    await visitor.goto("/account")
    await visitor.says("No purchases yet.")

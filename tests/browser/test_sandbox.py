"""The sandbox's pages in a browser: accessible, and usable without JavaScript."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from tests.browser.visitor import QUIET, Visitor
from tests.e2e.buyer import Order
from tests.e2e.service import Service
from tests.waiting import until

SERIOUS: Final = {"serious", "critical"}
RULES: Final[dict[Literal["light", "dark"], dict[str, list[str]]]] = {
    "light": {"resultTypes": ["violations"]},
    "dark": {"resultTypes": ["violations"], "runOnly": ["color-contrast"]},
}
"""All rules in light mode, and in dark mode those whose result may differ."""
WIDTHS: Final = (320, 390, 1440)


@asynccontextmanager
async def opened(browser: Browser, url: str, **options: Any) -> AsyncIterator[Page]:
    """Open a page in a new browser context, and fail on console errors."""
    context = await browser.new_context(**options)
    complaints: list[str] = []
    context.on("console", lambda message: complaints.append(message.text) if message.type not in QUIET else None)
    page = await context.new_page()
    await page.goto(url)
    yield page
    await context.close()
    assert complaints == []


async def test_a_sandbox_payment_arrives_on_the_dashboard(visitor: Visitor, service: Service) -> None:
    """The payment is declined, then half price with a code, then paid, and the minutes arrive on the dashboard."""
    user = await service.user(600)
    await visitor.become(user)
    await visitor.goto("/dashboard")
    await visitor.press("Buy 500 minutes")
    await visitor.page.wait_for_url("**/c/pay/**")
    stripe = visitor.page.url.partition("/c/pay/")[0]
    await visitor.press("Decline")
    await visitor.says("Your card was declined. You weren't charged")
    await visitor.fill(code="half50")
    await visitor.press("Apply")
    await visitor.press("Pay")
    await visitor.says("500 minutes added")
    await expect(visitor.page.locator("#minutes")).to_have_text("510minutes left")

    async def receipt() -> str:
        """Return the receipt's URL, which is fetched after the credit."""
        return str((await service.get("/account/purchases", user))["purchases"][0]["receipt_url"] or "")

    await until(receipt)
    await visitor.goto("/account")
    row = visitor.page.get_by_role("table", name="Purchases").get_by_role("row").nth(1)
    await expect(row).to_contain_text("$1.50")
    await expect(row.get_by_role("link", name="Receipt")).to_be_visible()
    visitor.requests[:] = [each for each in visitor.requests if not each.url.startswith(stripe)]


async def test_every_button_works_without_javascript(browser: Browser, service: Service) -> None:
    order = await Order.begun(service, await service.user(600))
    async with opened(browser, order.url, java_script_enabled=False) as page:
        await page.get_by_role("button", name="Decline").click()
        await expect(page.get_by_role("alert")).to_contain_text("Your card was declined")
        await page.get_by_role("button", name="Pay later").click()
        await page.wait_for_url(f"{service.url}/billing/success?session_id={order.session}")
        await page.goto(order.buttons.url)
        payment = page.locator(f"#{order.session}")
        await payment.get_by_role("button", name="Settle").click()
        await expect(payment).to_contain_text("Paid")
        await payment.get_by_label("Amount").fill("1.00")
        await payment.get_by_role("button", name="Refund").click()
        await expect(payment).to_contain_text("Partly refunded")
        await payment.get_by_role("button", name="Succeed").click()
        await payment.get_by_role("button", name="Dispute").click()
        await expect(payment).to_contain_text("needs response")
    await order.balance_is(30600 - 10000, frozen=20000)


async def test_sandbox_pages_have_no_axe_violations_and_fit_every_screen(browser: Browser, service: Service) -> None:
    user = await service.user(600)
    paid, opened_one = await Order.begun(service, user), await Order.begun(service, user, "pack_1200")
    paid.pay()
    paid.press("refund", "1.00")
    paid.press("dispute")
    opened_one.pay("decline")
    for url in (opened_one.url, paid.buttons.url):
        async with opened(browser, url, reduced_motion="reduce") as page:
            for scheme, rules in RULES.items():
                await page.emulate_media(color_scheme=scheme)
                found = (await Axe().run(page, options=rules)).response["violations"]
                assert not [(url, scheme, each["id"], each["nodes"]) for each in found if each["impact"] in SERIOUS]
            for width in WIDTHS:
                await page.set_viewport_size({"width": width, "height": 844})
                assert await page.evaluate("document.documentElement.scrollWidth") <= width, url

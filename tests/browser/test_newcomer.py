"""The first five minutes of a newcomer: from the landing page to captions on stream, and to the first purchase."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.speaker import ALLOWED, state, stop
from tests.browser.test_captions_steps import DONE, ticked
from tests.browser.visitor import Visitor, nobody
from tests.e2e.service import Service

PHONE: Final = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
DESK: Final = {"viewport": {"width": 1440, "height": 900}}
WALKS: Final[dict[str, dict[str, Any]]] = {
    "phone, light, English": {**PHONE, "color_scheme": "light", "locale": "en-US"},
    "phone, dark, German": {**PHONE, "color_scheme": "dark", "locale": "de-DE"},
    "phone, light, Arabic": {**PHONE, "color_scheme": "light", "locale": "ar-EG"},
    "desk, dark, English": {**DESK, "color_scheme": "dark", "locale": "en-US"},
    "desk, light, German": {**DESK, "color_scheme": "light", "locale": "de-DE"},
    "desk, dark, Arabic": {**DESK, "color_scheme": "dark", "locale": "ar-EG"},
}
"""Each pair of size, color scheme and language occurs in one of them."""
WIDER: Final = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@asynccontextmanager
async def in_obs(visitor: Visitor) -> AsyncIterator[Page]:
    """Open the copied URL in a second browser, as OBS does."""
    url: str = await visitor.page.evaluate("navigator.clipboard.readText()")
    obs = await visitor.context.new_page()
    await obs.goto(url)
    yield obs
    await obs.close()


async def fits(visitor: Visitor) -> None:
    """Assert that nothing on the page is wider than the screen."""
    assert await visitor.page.evaluate(WIDER) == 0, visitor.page.url


@pytest.mark.parametrize("options", WALKS.values(), ids=WALKS)
async def test_a_newcomer_has_captions_on_stream_in_five_minutes(
    microphone_browser: Browser, service: Service, options: dict[str, Any]
) -> None:
    async with Visitor.arriving(microphone_browser, service, permissions=ALLOWED, **options) as visitor:
        page = visitor.page
        await visitor.goto("/")
        await visitor.says("Your first 10 minutes are free.")
        await fits(visitor)
        await page.get_by_role("link", name="Create an account").first.click()
        await visitor.is_at("/register")
        await visitor.register(nobody())
        await visitor.is_at("/captions")
        await expect(page.locator("#left")).to_have_text("10 min left")
        await ticked(page, "microphone")
        await fits(visitor)
        await visitor.press("Start")
        await state(visitor, "Live")
        await ticked(page, "microphone", "words")
        await expect(page.locator("#start")).to_be_in_viewport(ratio=1)
        await stop(visitor)
        await visitor.press("Copy overlay URL")
        await visitor.says("Copied. Paste it into an OBS browser source.")
        async with in_obs(visitor) as obs:
            await expect(obs.locator("main")).to_be_empty()
            await page.bring_to_front()
            await visitor.press("Test overlay")
            await expect(obs.get_by_text("This is a test caption.")).to_be_visible()
        await visitor.says(DONE)
        await page.get_by_role("link", name="Dashboard").click()
        await visitor.is_at("/dashboard")
        await expect(page.locator("#minutes")).to_contain_text("9min")
        await visitor.says("Stopped by you")
        await fits(visitor)
        await visitor.press("Buy 500 minutes")
        await page.wait_for_url("**/c/pay/**")
        await visitor.press("Pay")
        await visitor.says("500 minutes added")
        await fits(visitor)
        await page.get_by_role("link", name="Start captions").click()
        await visitor.is_at("/captions")
        await expect(page.locator("#left")).to_contain_text("8 h 29 min left")
        await visitor.press("Log out")
        await visitor.is_at("/")
        await visitor.says("You're logged out.")
        visitor.requests.clear()  # the sandbox's checkout is another origin

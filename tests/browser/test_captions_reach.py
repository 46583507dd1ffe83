"""/captions on a phone and by keyboard: reachable Start and Stop, large targets, and a list of shortcuts."""

from typing import Final

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from tests.browser.speaker import speaking, state
from tests.browser.visitor import Visitor
from tests.e2e.service import Service

PORTRAIT: Final = {"width": 390, "height": 844}
LANDSCAPE: Final = {"width": 844, "height": 390}
WIDE: Final = {"width": 1440, "height": 900}
SMALLEST: Final = 24
TARGETS: Final = """least => [...document.querySelectorAll(
    'a, button, input, select, textarea, summary, label.check, [tabindex="0"]'
)].filter(element => element.checkVisibility() && !element.matches('.skip, label.check input'))
.map(element => [element, element.getBoundingClientRect()])
.filter(([, {width, height}]) => width < least || height < least)
.map(([element, {width, height}]) => `${element.tagName} ${element.id || element.textContent} ${width}x${height}`)"""
COVERED: Final = """element => {
    const {left, top, width, height} = element.getBoundingClientRect();
    const found = document.elementFromPoint(left + width / 2, top + height / 2);
    return !element.contains(found);
}"""


async def in_reach(page: Page, name: str) -> None:
    """Assert that a button is uncovered in the lower half of the screen at any scroll position."""
    button = page.get_by_role("button", name=name, exact=True)
    for part in (0, 0.5, 1):
        await page.evaluate("part => scrollTo(0, part * document.documentElement.scrollHeight)", part)
        await expect(button).to_be_in_viewport(ratio=1)
        assert not await button.evaluate(COVERED)
        box = await button.bounding_box()
        assert box and page.viewport_size
        assert box["y"] > page.viewport_size["height"] / 2
        assert box["height"] >= 44


@pytest.mark.parametrize("size", [PORTRAIT, LANDSCAPE], ids=["portrait", "landscape"])
async def test_start_and_stop_are_always_in_reach_on_a_phone(
    microphone_browser: Browser, service: Service, size: dict[str, int]
) -> None:
    async with speaking(microphone_browser, service, await service.user(), viewport=size) as visitor:
        page = visitor.page
        await in_reach(page, "Start")
        await visitor.press("Start")
        await state(visitor, "Live")
        await in_reach(page, "Stop")
        await page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        end = await page.locator("#links").bounding_box()
        bar = await page.locator(".reach").bounding_box()
        assert end and bar and end["y"] + end["height"] <= bar["y"], "the bar covers the end of the page"
        assert await page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        await visitor.press("Stop")
        await state(visitor, "Not listening")


@pytest.mark.parametrize("size", [PORTRAIT, LANDSCAPE, WIDE], ids=["portrait", "landscape", "wide"])
async def test_all_targets_are_large_enough(visitor: Visitor, service: Service, size: dict[str, int]) -> None:
    page = visitor.page
    await page.set_viewport_size(size)  # type: ignore[arg-type]
    await visitor.become(await service.user())
    await visitor.goto("/captions")
    await expect(page.locator("#language")).not_to_be_empty()
    await page.locator("#model").select_option("nova-3")
    assert await page.evaluate(TARGETS, SMALLEST) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_steps_and_shortcuts_have_no_axe_violations(visitor: Visitor, service: Service, scheme: str) -> None:
    await visitor.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    await visitor.become(await service.user())
    await visitor.goto("/captions")
    await expect(visitor.page.locator("#language")).not_to_be_empty()
    await visitor.page.get_by_text("Keyboard shortcuts").click()
    found = (await Axe().run(visitor.page)).response["violations"]
    assert not [(each["id"], each["nodes"]) for each in found if each["impact"] in ("serious", "critical")]
    for width in (320, 390, 1440):
        await visitor.page.set_viewport_size({"width": width, "height": 844})
        assert await visitor.page.evaluate("document.documentElement.scrollWidth") <= width


async def test_listed_shortcuts_work(microphone_browser: Browser, service: Service) -> None:
    async with speaking(microphone_browser, service, await service.user()) as visitor:
        page, keyboard = visitor.page, visitor.page.keyboard
        captions, listed = page.locator("#captions"), page.locator("#shortcuts dl")
        await expect(listed).to_be_hidden()
        await captions.focus()
        await keyboard.press("?")
        await expect(listed).to_be_visible()
        keys = await listed.locator("kbd").all_inner_texts()
        assert keys == ["S", "+", "−", "F", "?"]
        await keyboard.press("?")
        await expect(listed).to_be_hidden()
        await keyboard.press("s")
        await state(visitor, "Live")
        await keyboard.press("s")
        await state(visitor, "Not listening")
        await page.locator("#device").focus()
        await keyboard.press("s")
        await keyboard.press("?")
        await expect(listed).to_be_hidden()
        await state(visitor, "Not listening")


async def test_a_single_option_is_shown_as_text(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    options = (await service.http.get("/captions/options")).json()
    one = {"id": "nova-2", "name": "Built-in", "credits_per_second": 1, "languages": ["en-US"]}
    await visitor.answer("/captions/options", {**options, "engine": "builtin", "models": [one], "addons": []})
    await visitor.goto("/captions")
    for name, text in (("model", "Built-in"), ("language", "English (US)")):
        await expect(visitor.page.locator(f"#{name}")).to_be_hidden()
        await expect(visitor.page.locator(f"#{name}-only")).to_contain_text(text.partition(" ")[0])
        await expect(visitor.page.get_by_label(name.capitalize(), exact=True)).to_have_id(f"{name}-only")

"""Accessibility: keyboard use, no layout shifts, and reduced motion."""

import asyncio
import json
from typing import Any, Final

import pytest
from playwright.async_api import Route, expect

from tests.browser.states import STATES
from tests.browser.visitor import PASSWORD, Visitor, nobody

WATCH: Final = (
    "window.jumps = 0; new PerformanceObserver(list => list.getEntries().forEach(each => window.jumps += each.value))"
    ".observe({type: 'layout-shift', buffered: true});"
)
PAINTED: Final = (
    "new Promise(done => new PerformanceObserver(() => done(null)).observe({type: 'paint', buffered: true}))"
)
LOADING: Final = [
    "landing",
    "register",
    "dashboard in use",
    "dashboard live",
    "dashboard low",
    "dashboard debt",
    "dashboard failed",
    "account",
    "overlay setup",
    "sessions",
    "purchases",
    "success paid",
]


async def test_a_newcomer_buys_minutes_with_the_keyboard_alone(visitor: Visitor) -> None:
    """The way leads from the landing page through the sandbox's checkout to the new balance."""

    async def tab_to(role: Any, name: str) -> None:
        place = visitor.page.get_by_role(role, name=name, exact=True).first
        await expect(place).to_be_visible()
        for _ in range(80):
            await visitor.page.keyboard.press("Tab")
            if await place.evaluate("element => element === document.activeElement"):
                outline = await place.evaluate("element => getComputedStyle(element).outlineStyle")
                assert outline == "solid", name
                return
        raise AssertionError(f"{name} cannot be reached")

    keyboard = visitor.page.keyboard
    await visitor.goto("/")
    await tab_to("link", "Skip to content")
    await keyboard.press("Enter")
    await tab_to("link", "Create an account")
    await keyboard.press("Enter")
    await visitor.is_at("/register")
    await tab_to("textbox", "Email")
    await keyboard.type(nobody())
    await tab_to("textbox", "Password")
    await keyboard.type(PASSWORD)
    await keyboard.press("Enter")
    await visitor.is_at("/captions")
    await tab_to("link", "Dashboard")
    await keyboard.press("Enter")
    await visitor.is_at("/dashboard")
    await tab_to("button", "Buy 500 minutes")
    await keyboard.press("Enter")
    await visitor.page.wait_for_url("**/c/pay/**")
    checkout = visitor.page.url.partition("/c/pay/")[0]
    await tab_to("button", "Pay")
    await keyboard.press("Enter")
    await visitor.says("500 minutes added")
    await expect(visitor.page.locator("#minutes")).to_have_text("510minutes left")
    await tab_to("link", "Go to dashboard")
    await keyboard.press("Enter")
    await visitor.is_at("/dashboard")
    await tab_to("button", "Log out")
    await keyboard.press("Enter")
    await visitor.is_at("/")
    visitor.requests[:] = [each for each in visitor.requests if not each.url.startswith(checkout)]


async def test_the_skip_link_leads_past_the_header(visitor: Visitor) -> None:
    await visitor.goto("/register")
    await visitor.page.keyboard.press("Tab")
    await expect(visitor.page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    await visitor.page.keyboard.press("Enter")
    await visitor.page.keyboard.press("Tab")
    await expect(visitor.page.locator("#email")).to_be_focused()


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("name", LOADING)
async def test_nothing_moves_while_a_page_loads(visitor: Visitor, name: str, width: int) -> None:
    """Scripts and their requests are delayed until the page has been drawn without them."""
    drawn = asyncio.Event()

    async def late(route: Route) -> None:
        await drawn.wait()
        await route.continue_()

    state = STATES[name]
    await visitor.page.set_viewport_size({"width": width, "height": 844})
    await visitor.page.add_init_script(WATCH)
    await visitor.context.route("**/static/dom.js", late)
    await state.prepare(visitor)
    await visitor.page.goto(state.path, wait_until="commit")
    await visitor.page.evaluate(PAINTED)
    drawn.set()
    await state.settle(visitor)
    await visitor.page.wait_for_load_state("networkidle")
    await visitor.page.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    assert await visitor.page.evaluate("window.jumps") <= 0.05


@pytest.mark.parametrize("name", ["landing", "dashboard live"])
async def test_reduced_motion_stops_all_animation(visitor: Visitor, name: str) -> None:
    await STATES[name].enter(visitor)
    assert await visitor.page.evaluate("document.getAnimations().length") == 0


async def test_every_page_has_the_same_header_and_footer(visitor: Visitor) -> None:
    frames = set()
    for path in ["/", "/register", "/forgot", "/reset", "/billing/cancel", "/nothing"]:
        answer = await visitor.service.http.get(path, headers={"Accept": "text/html"})
        html = answer.text
        head, foot = (html[html.index(f"<{tag}") : html.index(f"</{tag}>")] for tag in ("header", "footer"))
        frames.add(json.dumps([head, foot]))
    assert len(frames) == 1

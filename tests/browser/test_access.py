"""For everyone: by keyboard alone, with nothing that jumps, and nothing that moves for those who asked for that."""

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
    "landing of a member",
    "register",
    "reset",
    "dashboard new",
    "dashboard in use",
    "dashboard live",
    "dashboard low",
    "dashboard debt",
    "dashboard frozen",
    "dashboard failed",
    "account",
    "account new",
    "success paid",
]


async def test_a_newcomer_gets_by_with_the_keyboard_alone(visitor: Visitor) -> None:
    async def tab_to(role: Any, name: str) -> None:
        place = visitor.page.get_by_role(role, name=name, exact=True).first
        for _ in range(40):
            await visitor.page.keyboard.press("Tab")
            if await place.evaluate("element => element === document.activeElement"):
                outline = await place.evaluate("element => getComputedStyle(element).outlineStyle")
                assert outline == "solid", name
                return
        raise AssertionError(f"{name} cannot be reached")

    keyboard = visitor.page.keyboard
    await visitor.goto("/")
    await tab_to("link", "Skip to the content")
    await tab_to("link", "Create account")
    await keyboard.press("Enter")
    await visitor.is_at("/register")
    await tab_to("textbox", "E-mail address")
    await keyboard.type(nobody())
    await tab_to("textbox", "Password")
    await keyboard.type(PASSWORD)
    await keyboard.press("Enter")
    await visitor.is_at("/dashboard")
    await expect(visitor.page.get_by_role("button", name="Buy 500 minutes")).to_be_visible()
    await tab_to("link", "Account")
    await keyboard.press("Enter")
    await visitor.is_at("/account")
    await tab_to("button", "Log out")
    await keyboard.press("Enter")
    await visitor.is_at("/")


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("name", LOADING)
async def test_nothing_jumps_while_a_page_loads(visitor: Visitor, name: str, width: int) -> None:
    """Scripts, and with them all that they ask for, come after the page was drawn without them."""
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
    await visitor.page.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    assert await visitor.page.evaluate("window.jumps") <= 0.05


@pytest.mark.parametrize("name", ["landing", "dashboard live"])
async def test_nothing_moves_for_those_who_asked_for_that(visitor: Visitor, name: str) -> None:
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

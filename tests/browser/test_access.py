"""For everyone: by keyboard alone, for screen readers, on a phone, in the dark; and nothing from elsewhere."""

import json
from typing import Any, Final

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect

from tests.browser.lives import balance, live, session
from tests.browser.visitor import PASSWORD, Visitor, nobody
from tests.e2e.service import Service

FOR_ALL: Final = ["/", "/register", "/forgot", "/reset", "/reset#token=x", "/billing/cancel", "/nothing/here", "/docs"]
FOR_MEMBERS: Final = ["/dashboard", "/account", "/billing/success?session_id=cs_1"]
SERIOUS: Final = {"serious", "critical"}


async def become_busy(visitor: Visitor, service: Service) -> None:
    """An account about which every part of the pages has something to show."""
    await visitor.become(await service.user())
    sessions = [session(1, "client_stop"), session(2, "insufficient_credits"), session(3, "internal")]
    await live(visitor, balance(30200, 45, 30000), sessions=sessions, live=[session(4, None)], used={"d0": 754})
    bought: dict[str, Any] = {"date": "2026-11-20T10:00:00Z", "amount_cents": 300, "currency": "usd", "seconds": 30000}
    bought |= {"label": "500 minutes", "status": "disputed", "receipt_url": "https://pay.example/r"}
    await visitor.answer("/account/purchases", {"purchases": [bought]})
    await visitor.answer("/billing/checkout/cs_1", {"status": "paid", "seconds": 30000})


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1440)])
async def test_no_page_has_a_serious_barrier_or_is_wider_than_the_screen(
    browser: Browser, service: Service, scheme: str, width: int
) -> None:
    size = {"width": width, "height": 844}
    for paths, member in ((FOR_ALL, False), (FOR_MEMBERS, True)):
        async with Visitor.arriving(browser, service, color_scheme=scheme, viewport=size) as visitor:
            if member:
                await become_busy(visitor, service)
            for path in paths:
                await visitor.goto("about:blank")
                await visitor.goto(path)
                await visitor.page.wait_for_load_state("networkidle")
                await expect(visitor.page.locator(".bone")).to_have_count(0)
                found = (await Axe().run(visitor.page)).response["violations"]
                assert not [(path, each["id"], each["nodes"]) for each in found if each["impact"] in SERIOUS]
                assert await visitor.page.evaluate("document.documentElement.scrollWidth") <= width, path


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


async def test_nothing_on_the_dashboard_jumps_while_it_loads(visitor: Visitor, service: Service) -> None:
    await become_busy(visitor, service)
    await live(visitor, balance(30200), sessions=[session(1)], used={"d0": 754})
    await visitor.page.add_init_script(
        "window.jumps = 0;"
        "new PerformanceObserver(list => list.getEntries().forEach(each => window.jumps += each.value))"
        ".observe({type: 'layout-shift', buffered: true});"
    )
    await visitor.goto("/dashboard")
    await expect(visitor.page.locator(".bone")).to_have_count(0)
    assert await visitor.page.evaluate("window.jumps") < 0.1


async def test_nothing_moves_for_those_who_asked_for_that(visitor: Visitor, service: Service) -> None:
    await become_busy(visitor, service)
    await visitor.goto("/dashboard")
    await expect(visitor.page.locator(".bone")).to_have_count(0)
    assert await visitor.page.evaluate("document.getAnimations().length") == 0


async def test_every_page_has_the_same_header_and_footer(visitor: Visitor) -> None:
    frames = set()
    for path in ["/", "/register", "/forgot", "/reset", "/billing/cancel", "/nothing"]:
        answer = await visitor.service.http.get(path, headers={"Accept": "text/html"})
        html = answer.text
        head, foot = (html[html.index(f"<{tag}") : html.index(f"</{tag}>")] for tag in ("header", "footer"))
        frames.add(json.dumps([head, foot]))
    assert len(frames) == 1

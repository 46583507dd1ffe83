"""A visitor who speaks on /captions, and what the page shows."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import groupby
from typing import Any, Final

from playwright.async_api import Browser, expect

from tests.browser.visitor import Visitor
from tests.chaos.proxy import Proxy
from tests.e2e.client import User
from tests.e2e.service import Service

ALLOWED: Final = ["microphone", "clipboard-read", "clipboard-write"]

WATCH: Final = """() => {
    const place = document.getElementById('state');
    window.states = [];
    new MutationObserver(() => window.states.push(place.textContent)).observe(place, {childList: true});
}"""


@asynccontextmanager
async def speaking(
    browser: Browser, service: Service, user: User, *, script: str = "", **options: Any
) -> AsyncIterator[Visitor]:
    """Open /captions without pressing Start. `script` runs before the page's scripts."""
    async with Visitor.arriving(browser, service, **{"permissions": ALLOWED, **options}) as visitor:
        await visitor.become(user)
        await visitor.page.add_init_script(script)
        await visitor.goto("/captions")
        await expect(visitor.page.locator("#left")).to_contain_text("left")
        await expect(visitor.page.locator("#language")).not_to_be_empty()
        await visitor.page.evaluate(WATCH)
        yield visitor


@asynccontextmanager
async def proxied(service: Service) -> AsyncIterator[tuple[Proxy, Service]]:
    """Put a proxy that can be cut in front of the service."""
    async with Proxy(("127.0.0.1", int(service.env["PORT"]))) as proxy:
        yield proxy, replace(service, env={**service.env, "PORT": str(proxy.port)})


async def state(visitor: Visitor, text: str, within: float = 10) -> None:
    await expect(visitor.page.locator("#state")).to_contain_text(text, timeout=within * 1000)


async def used(visitor: Visitor, seconds: int) -> None:
    """Wait until at least `seconds` have been used."""
    more = "|".join(str(number) for number in range(seconds, seconds + 10))
    await expect(visitor.page.locator("#used")).to_have_text(re.compile(f"^({more}) s used"), timeout=20_000)


async def said(visitor: Visitor) -> str:
    """Return the final words."""
    return " ".join((await visitor.page.locator("#finals").inner_text()).split())


async def stop(visitor: Visitor) -> None:
    await visitor.press("Stop")
    await state(visitor, "Not listening")


async def states(visitor: Visitor) -> list[str]:
    """Return all states since the page loaded, however short. Late words, which a busy machine causes, do not
    change the state."""
    found: list[str] = await visitor.page.evaluate("window.states")
    on_time = [state for state in found if not re.fullmatch(r"Captions are \d+ s behind", state)]
    return [state for state, _ in groupby(on_time)]

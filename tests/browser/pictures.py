"""Takes the pictures in docs/ from a real run: `python -m tests.browser.pictures`.

Only the days before today are made up: a new account has none."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Page, Route, expect

from tests.browser.microphone import keep, listening
from tests.browser.visitor import Visitor
from tests.e2e.service import environment, serving
from tests.integration.engine.recordings import recording

DOCS: Final = Path(__file__).parents[2] / "docs"
SIZE: Final = {"width": 1200, "height": 760}
EARLIER: Final = {1: 7300, 2: 10800, 4: 5400, 5: 9000, 8: 12600, 9: 3600, 11: 7200, 12: 9900, 15: 14400, 16: 8100}
"""Seconds used, by the number of days ago."""
SOURCE: Final = {"SOURCE_URL": "https://captions.example/source"}


async def with_earlier_days(route: Route) -> None:
    answer = await route.fetch()
    usage: dict[str, Any] = await answer.json()
    for ago, seconds in EARLIER.items():
        usage["days"][-1 - ago]["seconds_used"] = seconds
        usage["totals"]["seconds_used"] += seconds
        usage["totals"]["sessions"] += 1
    await route.fulfill(response=answer, json=usage)


async def take(page: Page, name: str) -> None:
    await page.wait_for_load_state("networkidle")
    await expect(page.locator(".bone")).to_have_count(0)
    await page.screenshot(path=DOCS / f"{name}.png")


async def walk(visitor: Visitor) -> None:
    """Register, buy, speak, and take pictures of the pages meanwhile."""
    page = visitor.page
    await visitor.goto("/")
    await take(page, "landing")
    await visitor.goto("/register")
    await visitor.register("mira@example.org")
    await visitor.is_at("/captions")
    await visitor.goto("/dashboard")
    await visitor.press("Buy 500 minutes")
    await page.wait_for_url("**/c/pay/**")
    await visitor.press("Pay")
    await visitor.says("500 minutes added")
    await take(page, "success")
    await visitor.goto("/overlay/setup")
    await take(page, "overlay")
    await visitor.goto("/captions")
    await visitor.press("Start")
    await expect(page.locator("#finals")).to_contain_text("season", timeout=60_000)
    await page.screenshot(path=DOCS / "captions.png")
    await visitor.context.route("**/account/usage*", with_earlier_days)
    dashboard = await visitor.context.new_page()
    await dashboard.goto("/dashboard")
    await take(dashboard, "dashboard")
    await visitor.press("Stop")
    visitor.requests.clear()


async def main(scratch: Path) -> None:
    env = environment(scratch / "data", "", **SOURCE)
    del env["DEEPGRAM_URL"], env["DEEPGRAM_API_KEY"]
    file = keep(scratch / "speech.wav", *recording("two_cities.wav"))
    options: dict[str, Any] = {"viewport": SIZE, "permissions": ["microphone"], "locale": "en-US"}
    async with (
        serving(env) as service,
        listening(file) as browser,
        Visitor.arriving(browser, service, **options) as visitor,
    ):
        await walk(visitor)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="captions-pictures-") as name:
        Path(name).chmod(0o755)
        asyncio.run(main(Path(name)))

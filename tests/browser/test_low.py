"""A low balance: relative to the last purchase, counted down, without moving the page."""

import pytest
from playwright.async_api import Browser, expect

from tests.browser.lives import balance, live, session
from tests.browser.speaker import speaking
from tests.browser.visitor import Visitor
from tests.e2e.service import Service

COUNTED = """
(looks) => import("/static/countdown.js").then(({ Countdown }) => {
  const countdown = new Countdown();
  return looks.map(([seconds, at, rate]) => {
    if (seconds !== null) countdown.update(seconds, at, rate);
    return countdown.left(at);
  });
})
"""


async def test_the_countdown_estimates_between_two_loads(visitor: Visitor) -> None:
    await visitor.goto("/billing/cancel")
    looks = [
        [100, 0, 1],
        [None, 3, 0],
        [100, 4, 1],
        [None, 9.5, 0],
        [90, 10, 1],
        [None, 60, 0],
        [500, 60, 1],
        [500, 90, 0],
    ]
    assert await visitor.page.evaluate(COUNTED, looks) == [100, 97, 96, 91, 90, 78, 500, 500]
    assert await visitor.page.evaluate(COUNTED, [[3, 0, 2], [None, 5, 0], [-40, 6, 1], [None, 9, 0]]) == [
        3,
        0,
        -40,
        -40,
    ]


@pytest.mark.parametrize(("left", "low", "is_low"), [(120, 120, False), (119, 120, True), (599, 600, True)])
async def test_the_service_decides_what_is_low(
    visitor: Visitor, service: Service, left: int, low: int, is_low: bool
) -> None:
    await visitor.become(await service.user())
    await live(visitor, balance(left, low=low))
    await visitor.goto("/dashboard")
    await expect(visitor.page.locator("#idle-text")).to_contain_text(
        "Captions stop at zero" if is_low else "Start here"
    )
    await visitor.goto("/captions")
    await expect(visitor.page.locator("#left")).to_contain_text("Captions stop at zero" if is_low else "left")
    await expect(visitor.page.get_by_role("link", name="Buy minutes")).to_have_count(int(is_low))


async def test_a_new_trial_is_not_low(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user(600))
    await visitor.goto("/dashboard")
    await visitor.says("Captions are off")
    await visitor.says("About 10 minutes of captions.")


@pytest.mark.parametrize("width", [390, 1440])
async def test_the_start_button_does_not_move(visitor: Visitor, service: Service, width: int) -> None:
    await visitor.page.set_viewport_size({"width": width, "height": 844})
    await visitor.become(await service.user())
    for path, place in (("/dashboard", "#idle-text"), ("/captions", "#left")):
        boxes = []
        for left in (3000, 412):
            await live(visitor, balance(left))
            await visitor.goto(path)
            words = "Captions stop at zero" if left == 412 else "Captions are off" if path == "/dashboard" else "left"
            await expect(visitor.page.locator(place)).to_contain_text(words)
            await expect(visitor.page.locator("#start")).to_be_visible()
            boxes.append(await visitor.page.locator("#start").bounding_box())
        assert boxes[0] == boxes[1], path


async def test_a_warning_counts_down_and_is_announced_once(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    await live(visitor, balance(412, 45), live=[session(1, None)])
    await visitor.page.clock.install()
    await visitor.goto("/dashboard")
    count = visitor.page.locator("#alerts [data-count]")
    await expect(count).to_have_text("6 min 52 s left.")
    await expect(count).to_have_attribute("aria-live", "off")
    await count.evaluate("element => window.first = element")
    await visitor.page.clock.run_for(2500)
    await expect(count).to_have_text("6 min 50 s left.")
    await expect(visitor.page.locator("#minutes")).to_have_text("6min 50 s")
    await visitor.page.clock.run_for(5000)
    await expect(count).to_have_text("6 min 45 s left.")
    assert await count.evaluate("element => window.first === element")


async def test_the_captions_page_counts_down(microphone_browser: Browser, service: Service) -> None:
    user = await service.user(900)
    async with speaking(microphone_browser, service, user) as visitor:
        await visitor.answer("/billing/balance", balance(900, low=1000))
        await visitor.page.reload()
        left = visitor.page.locator("#left")
        await expect(left).to_have_text("15 min left. Captions stop at zero.")
        await expect(visitor.page.locator("#low")).to_have_text("15 min left. Captions stop at zero.")
        await visitor.press("Start")
        await expect(left).to_have_text("14 min 57 s left. Captions stop at zero.", timeout=20_000)
        await expect(visitor.page.locator("#alerts")).to_be_empty()
        await visitor.press("Stop")
        await visitor.says("Done.")

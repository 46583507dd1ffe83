"""The dashboard's usage: 7, 30 or 90 days as a chart, as a table, and in three figures."""

from itertools import pairwise

import pytest
from playwright.async_api import expect

from tests.browser.lives import balance, live
from tests.browser.visitor import Visitor
from tests.e2e.service import Service

HOUR = 3600


async def test_the_period_can_be_chosen_and_its_totals_are_announced(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    await live(visitor, balance(HOUR), used={"d0": 60, "d20": HOUR, "d80": 2 * HOUR})
    await visitor.goto("/dashboard")
    page = visitor.page
    totals = page.locator("#totals")
    await expect(totals).to_have_text("Used1 h 1 minSessions2Spent$6.00")
    await page.get_by_role("radio", name="90 days").check()
    await expect(totals).to_have_text("Used3 h 1 minSessions3Spent$9.00")
    await expect(page.locator(".day")).to_have_count(90)
    await expect(page.locator("#usage-said")).to_have_text("Last 90 days: 3 h 1 min used in 3 sessions, $9.00 spent.")
    await expect(page.get_by_role("table", name="Last 90 days").get_by_role("row")).to_have_count(91)
    await page.keyboard.press("Home")
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("radio", name="7 days")).to_be_checked()
    await expect(totals).to_have_text("Used1 minSessions1Spent$3.00")
    await expect(page.locator(".day")).to_have_count(7)
    await expect(page.locator("#usage-said")).to_have_text("Last 7 days: 1 min used in 1 session, $3.00 spent.")


async def test_a_period_that_failed_to_load_is_retried(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    await visitor.goto("/dashboard")
    await expect(visitor.page.locator("#totals")).to_contain_text("Spent")
    await visitor.refuse("/account/usage", 500, "internal")
    await visitor.page.get_by_role("radio", name="7 days").check()
    alert = visitor.page.locator("#usage-alert")
    await expect(alert).to_contain_text("Something went wrong on our end.")
    await visitor.context.unroute_all()
    await alert.get_by_role("button", name="Try again").click()
    await visitor.says("No usage in the last 7 days.")
    await expect(alert).to_be_empty()


@pytest.mark.parametrize("days", [7, 30, 90])
async def test_an_empty_chart_has_faint_axes_and_a_sentence(visitor: Visitor, service: Service, days: int) -> None:
    await visitor.become(await service.user())
    await visitor.goto("/dashboard")
    await visitor.page.get_by_role("radio", name=f"{days} days").check()
    await visitor.says(f"No usage in the last {days} days.")
    chart = visitor.page.locator("#chart")
    assert await chart.locator(".grid").count() >= 4
    await expect(chart.locator("text").last).to_have_text("today")
    await expect(chart.locator(".day")).to_have_count(0)
    await expect(visitor.page.locator("#totals")).to_have_text("Used0 sSessions0Spent$0.00")


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("days", [7, 30, 90])
async def test_labels_of_days_never_overlap(visitor: Visitor, service: Service, width: int, days: int) -> None:
    await visitor.page.set_viewport_size({"width": width, "height": 844})
    await visitor.become(await service.user())
    await live(visitor, balance(HOUR), used={"d0": 60})
    await visitor.goto("/dashboard")
    await visitor.page.get_by_role("radio", name=f"{days} days").check()
    await expect(visitor.page.locator(".day")).to_have_count(days)
    boxes = await visitor.page.locator("#chart text:not([text-anchor=end]), #chart text:last-of-type").evaluate_all(
        "all => all.map(each => each.getBoundingClientRect()).map(({left, right}) => [left, right])"
    )
    assert len(boxes) > 2
    assert all(right < following for (_, right), (following, _) in pairwise(boxes))


async def test_the_chart_can_be_read_by_keyboard_pointer_and_screen_reader(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    await live(visitor, balance(HOUR), used={"d0": 60, "d1": 2 * HOUR})
    await visitor.goto("/dashboard")
    tip = visitor.page.locator(".tip")
    days = visitor.page.locator(".day")
    await expect(days).to_have_count(30)
    await days.last.focus()
    await expect(tip).to_contain_text("1 min used")
    await visitor.page.keyboard.press("ArrowLeft")
    await expect(days.nth(28)).to_be_focused()
    await expect(tip).to_contain_text("2 h used")
    await visitor.page.keyboard.press("Escape")
    await expect(tip).to_be_hidden()
    await days.nth(9).hover()
    await expect(tip).to_contain_text("8 h 20 min bought")
    table = visitor.page.get_by_role("table", name="Last 30 days")
    await expect(table.get_by_role("row")).to_have_count(31)
    await expect(table.get_by_role("row").last).to_contain_text("1 min")
    await expect(table).to_contain_text("1 min taken back")


async def test_days_follow_the_viewers_time_zone(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    await visitor.page.add_init_script(
        "const real = Intl.DateTimeFormat.prototype.resolvedOptions; Intl.DateTimeFormat.prototype.resolvedOptions ="
        " function () { return {...real.call(this), timeZone: 'Pacific/Auckland'}; };"
    )
    async with visitor.page.expect_request("**/account/usage?tz=Pacific%2FAuckland&days=30"):
        await visitor.goto("/dashboard")


async def test_a_time_zone_that_the_service_does_not_know_becomes_utc(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    await visitor.page.add_init_script(
        "Intl.DateTimeFormat.prototype.resolvedOptions = () => ({timeZone: 'Nowhere/Land'});"
    )
    await visitor.goto("/dashboard")
    await visitor.says("No sessions yet.")

"""The status page updates itself without a reload."""

from playwright.async_api import expect

from tests.browser.visitor import Visitor


async def test_the_status_page_updates_itself_and_reports_failures(visitor: Visitor) -> None:
    await visitor.page.clock.install()
    await visitor.goto("/status")
    report, away = visitor.page.locator("#report"), visitor.page.locator("#away")
    await expect(report.locator(".tag.good")).to_have_count(3)
    await expect(away).to_be_hidden()
    html = await (await visitor.page.request.get("/status")).text()
    changed = html.replace('class="tag good">Working', 'class="tag bad">Not working', 1)
    await visitor.context.route("**/status", lambda route: route.fulfill(body=changed, content_type="text/html"))
    await visitor.page.clock.run_for(31_000)
    await expect(report.locator(".tag.bad")).to_have_text("Not working")
    await expect(report.locator(".tag.good")).to_have_count(2)
    await visitor.context.unroute("**/status")
    await visitor.context.route("**/status", lambda route: route.abort())
    await visitor.page.clock.run_for(31_000)
    await expect(away).to_be_visible()
    await expect(report.locator(".tag.bad")).to_have_count(1)

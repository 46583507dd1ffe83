""" "Get started" on /captions: three steps that complete themselves."""

from playwright.async_api import Browser, Page, expect

from tests.browser.speaker import ALLOWED, speaking, state, stop
from tests.browser.visitor import Visitor
from tests.e2e.service import Service

DONE = "You're all set. Press Start whenever you go live."


async def ticked(page: Page, *names: str) -> None:
    for name in ("microphone", "words", "overlay"):
        await expect(page.locator(f"#step-{name}.done")).to_have_count(int(name in names))


async def test_the_steps_complete_themselves_and_disappear(microphone_browser: Browser, service: Service) -> None:
    async with speaking(microphone_browser, service, await service.user(), permissions=[]) as visitor:
        page = visitor.page
        await ticked(page)
        await visitor.context.grant_permissions(ALLOWED)
        await visitor.press("Ask me now")
        await ticked(page, "microphone")
        await visitor.says("Allowed.")
        await visitor.press("Start")
        await ticked(page, "microphone", "words")
        await stop(visitor)
        await page.reload()
        await ticked(page, "microphone", "words")
        await visitor.press("Copy overlay URL")
        await visitor.says("Copied. Paste it into an OBS browser source.")
        url: str = await page.evaluate("navigator.clipboard.readText()")
        assert url.startswith(f"{service.url}/overlay")
        await visitor.answer("/account/overlay/test", {"watching": 0})
        await visitor.press("Test overlay")
        await visitor.says("No overlay is open.")
        await ticked(page, "microphone", "words")
        await visitor.answer("/account/overlay/test", {"watching": 1})
        await visitor.press("Test overlay")
        await visitor.says(DONE)
        await expect(page.locator("#steps-title")).to_be_focused()
        await expect(page.locator("#steps-list")).to_be_hidden()
        await page.reload()
        await expect(page.locator("#left")).to_contain_text("left")
        await expect(page.locator("#steps")).to_be_hidden()


async def test_earlier_steps_are_shown_as_done(microphone_browser: Browser, service: Service) -> None:
    """The account did them in another browser; this browser may use the microphone."""
    user = await service.user()
    captions = await service.captions(user)
    await captions.ready()
    await captions.send(bytes(32_000))
    await captions.stop()
    async with speaking(microphone_browser, service, user) as visitor:
        await ticked(visitor.page, "microphone", "words")


async def test_the_steps_can_be_hidden_for_this_account(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    await visitor.goto("/captions")
    await expect(visitor.page.locator("#language")).not_to_be_empty()
    await visitor.press("Hide these steps")
    await expect(visitor.page.locator("#steps")).to_be_hidden()
    await expect(visitor.page.locator("#device")).to_be_focused()
    await visitor.page.reload()
    await expect(visitor.page.locator("#left")).to_contain_text("left")
    await expect(visitor.page.locator("#steps")).to_be_hidden()
    await visitor.page.evaluate(
        "localStorage.setItem('session',"
        " JSON.stringify({...JSON.parse(localStorage.getItem('session')), email: 'another@example.org'}))"
    )
    await visitor.page.reload()
    await expect(visitor.page.locator("#steps")).to_be_visible()


async def test_a_blocked_microphone_is_reported_in_its_step(microphone_browser: Browser, service: Service) -> None:
    async with speaking(microphone_browser, service, await service.user(), permissions=[]) as visitor:
        await visitor.press("Ask me now")
        await expect(visitor.page.locator("#allow-wrong")).to_contain_text("Microphone blocked.")
        await state(visitor, "Not listening")
        await ticked(visitor.page)


async def test_a_failed_test_line_is_reported(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    await visitor.refuse("/account/overlay/test", 503, "service_unavailable")
    await visitor.refuse("/account/overlay", 500, "internal")
    await visitor.goto("/captions")
    await expect(visitor.page.locator("#language")).not_to_be_empty()
    await visitor.press("Test overlay")
    await expect(visitor.page.locator("#overlay-told")).to_contain_text("temporarily unavailable")
    await visitor.press("Copy overlay URL")
    await expect(visitor.page.locator("#overlay-told")).to_contain_text("Something went wrong on our end.")

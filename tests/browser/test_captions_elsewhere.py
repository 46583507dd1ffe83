"""Captions that run in another tab or on another device, or that a logout would end."""

import re

from playwright.async_api import Browser, Page, expect

from tests.browser.scripted import Scripted
from tests.browser.speaker import speaking, state, stop, used
from tests.browser.visitor import Visitor
from tests.e2e.client import sound
from tests.e2e.service import Service

ENDED = "Captions moved to another tab, device or app."
ASKS = "You're live. Logging out ends your captions."


async def another_tab(visitor: Visitor) -> Page:
    """Open the page in a second tab, ready to start."""
    tab = await visitor.context.new_page()
    await tab.goto("/captions")
    await expect(tab.locator("#left")).to_contain_text("left")
    await expect(tab.locator("#language")).not_to_be_empty()
    return tab


async def test_captions_move_from_one_tab_to_another(microphone_browser: Browser, service: Service) -> None:
    user = await service.user()
    async with speaking(microphone_browser, service, user) as visitor:
        await visitor.press("Start")
        await used(visitor, 1)
        tab = await another_tab(visitor)
        await expect(tab.locator("#alerts")).to_contain_text(
            re.compile(r"You are live in another tab \(since \d+:\d\d")
        )
        await tab.get_by_role("button", name="Start", exact=True).click()
        await expect(tab.get_by_role("button", name="Start here too")).to_be_visible()
        await expect(tab.locator("#state")).to_have_text("Not listening")
        await tab.get_by_role("button", name="Move captions here").click()
        await expect(tab.locator("#state")).to_have_text("Live")
        await expect(tab.locator("#alerts")).to_be_empty()
        await visitor.says(ENDED)
        await state(visitor, "Not listening")
        assert len(visitor.sockets) == 2, "the first tab dialled again"
        await tab.get_by_role("button", name="Stop", exact=True).click()
        await expect(tab.locator("#state")).to_have_text("Not listening")
        reasons = [session["reason"] for session in await service.sessions(user)]
        assert reasons == ["client_stop", "replaced"]


async def test_a_redialling_tab_gives_way_too(microphone_browser: Browser, service: Service) -> None:
    """The service may have ended its session already, so the other tab notifies it."""
    async with speaking(microphone_browser, service, await service.user()) as visitor:
        scripted = await Scripted.of(visitor)
        await visitor.press("Start")
        await scripted.begun()
        await state(visitor, "Live")
        scripted.opens = False
        await scripted.close(1012)
        await state(visitor, "Reconnecting")
        tab = await another_tab(visitor)
        await tab.get_by_role("button", name="Move captions here").click()
        await expect(tab.locator("#state")).to_have_text("Live")
        await visitor.says(ENDED)
        await tab.get_by_role("button", name="Stop", exact=True).click()
        await expect(tab.locator("#state")).to_have_text("Not listening")


async def test_captions_move_from_another_device(microphone_browser: Browser, service: Service) -> None:
    user = await service.user()
    device = await service.captions(user)
    await device.ready()
    await device.send(sound(1))
    async with speaking(microphone_browser, service, user) as visitor:
        await visitor.says("You are live on another device or in an app (since ")
        await visitor.press("Move captions here")
        await state(visitor, "Live")
        assert (await device.end())["reason"] == "replaced"
        assert device.close_code == 4409
        await stop(visitor)


async def test_captions_can_run_in_at_most_two_places(microphone_browser: Browser, service: Service) -> None:
    """Two sessions are allowed. A third is not offered, and no message says that all slots are busy."""
    user = await service.user()
    device = await service.captions(user)
    await device.ready()
    async with speaking(microphone_browser, service, user) as visitor:
        await visitor.press("Start here too")
        await state(visitor, "Live")
        tab = await another_tab(visitor)
        await tab.get_by_role("button", name="Start", exact=True).click()
        await expect(tab.locator("#alerts")).to_contain_text("You are live in 2 other places.")
        await expect(tab.get_by_role("button", name="Start here too")).to_have_count(0)
        await tab.get_by_role("button", name="Move captions here").click()
        await expect(tab.locator("#state")).to_have_text("Live")
        await state(visitor, "Not listening")
        assert (await device.end())["reason"] in ("replaced", "ended_by_user")
        await tab.get_by_role("button", name="Stop", exact=True).click()
        await expect(tab.locator("#state")).to_have_text("Not listening")


async def test_a_refusal_for_the_session_limit_offers_to_move(microphone_browser: Browser, service: Service) -> None:
    user = await service.user()
    async with speaking(microphone_browser, service, user) as visitor:
        devices = [await service.captions(user) for _ in range(2)]
        for device in devices:
            await device.ready()
        await visitor.answer("/account/sessions", {"sessions": []})
        await visitor.press("Start")
        await visitor.says("You've reached your limit of live sessions.")
        await visitor.context.unroute_all()
        await visitor.press("Start")
        await visitor.says("You are live in 2 other places.")
        await visitor.press("Move captions here")
        await state(visitor, "Live")
        await stop(visitor)


async def test_a_reloaded_page_does_not_block_its_next_session(microphone_browser: Browser, service: Service) -> None:
    """The service may still wait for the last words of the session that the page left."""
    user = await service.user()
    async with speaking(microphone_browser, service, user) as visitor:
        visitor.page.on("dialog", lambda dialog: dialog.accept())
        await visitor.press("Start")
        await used(visitor, 1)
        (session,) = (await service.get("/account/sessions?live=true", user))["sessions"]
        await visitor.answer("/account/sessions", {"sessions": [session]})
        await visitor.page.reload()
        await expect(visitor.page.locator("#language")).not_to_be_empty()
        await visitor.press("Start")
        await state(visitor, "Live")
        await expect(visitor.page.locator("#alerts")).to_be_empty()
        await stop(visitor)


async def test_logging_out_while_live_asks_first(microphone_browser: Browser, service: Service) -> None:
    """The question appears in any tab and works by keyboard. Captions then end in order."""
    user = await service.user()
    async with speaking(microphone_browser, service, user) as visitor:
        await visitor.press("Start")
        await used(visitor, 1)
        tab = await visitor.context.new_page()
        await tab.goto("/account")
        await expect(tab.locator("#email")).to_contain_text("@")
        dialog = tab.get_by_role("dialog", name="Log out?")
        await tab.get_by_role("button", name="Log out", exact=True).press("Enter")
        await expect(dialog).to_contain_text(ASKS)
        await expect(dialog.get_by_role("button", name="Stay logged in")).to_be_focused()
        await tab.keyboard.press("Escape")
        await expect(dialog).to_have_count(0)
        await expect(tab.get_by_role("button", name="Log out", exact=True)).to_be_focused()
        await state(visitor, "Live")
        await visitor.press("Log out")
        own = visitor.page.get_by_role("dialog", name="Log out?")
        await own.get_by_role("button", name="Stay logged in").click()
        await expect(own).to_have_count(0)
        await tab.get_by_role("button", name="Log out", exact=True).press("Enter")
        await expect(dialog.get_by_role("button", name="Stay logged in")).to_be_focused()
        await tab.keyboard.press("Tab")
        await tab.keyboard.press("Enter")
        await visitor.is_at("/", tab)
        await visitor.is_at("/")
        (session,) = await service.sessions(user)
        assert session["reason"] == "client_stop"


async def test_logging_out_without_live_captions_asks_nothing(visitor: Visitor, service: Service) -> None:
    """A session on another device has a separate login."""
    user = await service.user()
    device = await service.captions(user)
    await device.ready()
    await visitor.become(user)
    await visitor.goto("/account")
    await expect(visitor.page.locator("#email")).to_contain_text("@")
    await visitor.press("Log out")
    await expect(visitor.page.get_by_role("dialog")).to_have_count(0)
    await device.stop()

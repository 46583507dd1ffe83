"""The overlay's setup page: style, secret URL, test, and the preview with the user's voice."""

import re
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.speaker import ALLOWED
from tests.browser.test_overlay import let_in, shows, style, talk, watching
from tests.browser.visitor import Visitor
from tests.e2e.client import sound
from tests.e2e.overlay import address, key
from tests.e2e.service import Service
from tests.e2e.upstream import words

PATH = "/overlay/setup"
SAMPLE = "that was a damn close game."


def preview(visitor: Visitor) -> Any:
    return visitor.page.locator("#overlay-preview .said")


async def test_the_page_styles_the_overlay_and_hides_its_url(browser: Browser, service: Service) -> None:
    user = await service.user()
    url = await address(service, user)
    async with Visitor.arriving(browser, service, permissions=["clipboard-read", "clipboard-write"]) as visitor:
        await visitor.become(user)
        await visitor.goto(PATH)
        page, field = visitor.page, visitor.page.get_by_role("textbox", name="Overlay URL")
        await expect(field).to_have_value(f"{service.url}/overlay#••••••••••••")
        assert key(url) not in await page.content()
        await page.get_by_text("Customize").click()
        await page.get_by_label("Font").select_option("Handwriting")
        await page.get_by_label("Position").select_option("Top left")
        await page.locator("#overlay-size").fill("96")
        await page.locator("#overlay-color").fill("#ffee00")
        await page.get_by_label("Mask swear words").check()
        query = "?font=casual&size=96&color=ffee00&position=top-left&mask=1"
        await expect(field).to_have_value(f"{service.url}/overlay{query}#••••••••••••")
        said = page.locator("#overlay-preview .said")
        await expect(said).to_contain_text("that was a d*** close game.")
        assert await style(page, "#overlay-preview .said", "color", "fontSize") == ["rgb(255, 238, 0)", "96px"]
        await page.get_by_role("button", name="Copy URL").click()
        await visitor.says("Copied. Paste it into an OBS browser source.")
        assert await page.evaluate("navigator.clipboard.readText()") == url.replace("#", f"{query}#")
        await page.get_by_role("button", name="Show the whole URL").click()
        await expect(field).to_have_value(url.replace("#", f"{query}#"))
        await page.reload()
        await expect(field).to_have_value(f"{service.url}/overlay{query}#••••••••••••")
        await visitor.press("Reset to defaults")
        await expect(field).to_have_value(f"{service.url}/overlay#••••••••••••")
        await expect(said).to_contain_text("that was a damn close game.")


async def test_a_url_that_failed_to_load_is_requested_again(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    await visitor.refuse("/account/overlay", 503, "service_unavailable")
    await visitor.goto(PATH)
    alert = visitor.page.locator("#overlay-alert")
    await expect(alert).to_contain_text("temporarily unavailable")
    await expect(visitor.page.locator("#overlay-copy")).to_be_disabled()
    await visitor.context.unroute_all()
    await alert.get_by_role("button", name="Try again").click()
    await expect(visitor.page.locator("#overlay-copy")).to_be_enabled()


async def test_a_regenerated_url_makes_old_overlays_explain_and_stop(visitor: Visitor, service: Service) -> None:
    user = await service.user()
    await visitor.become(user)
    url = await address(service, user)
    async with watching(visitor, url) as page:
        await visitor.goto(PATH)
        renew, keep_it = (
            visitor.page.get_by_role("button", name=name, exact=True) for name in ("Regenerate URL", "Cancel")
        )
        await renew.click()
        await expect(keep_it).to_be_focused()
        await keep_it.click()
        await expect(renew).to_be_focused()
        assert await address(service, user) == url
        await renew.click()
        await visitor.press("Regenerate URL")
        await visitor.says("This is your new URL. Paste it into OBS.")
        new = await address(service, user)
        assert new != url
        await expect(page.locator("#says")).to_have_text(
            "This overlay URL no longer works. Copy the new one from the Overlay page of your account."
        )
        before = len(visitor.sockets)
        await page.reload()
        await expect(page.locator("#says")).to_contain_text("no longer works")
        assert len(visitor.sockets) == before + 1
    async with watching(visitor, new) as page:
        captions = await talk(service, user)
        await captions.send(sound(2))
        await shows(page, words(4))
        await captions.stop()
    log = service.log()
    assert key(url) not in log
    assert key(new) not in log


async def test_presets_change_only_the_look_of_words(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    await visitor.goto(PATH)
    page, field = visitor.page, visitor.page.get_by_role("textbox", name="Overlay URL")
    await expect(page.get_by_role("button", name="Classic")).to_have_attribute("aria-pressed", "true")
    await page.get_by_text("Customize").click()
    await page.get_by_label("Position").select_option("Top")
    await visitor.press("High contrast")
    await expect(field).to_have_value(re.compile(r"\?size=60&color=ffee00&background_opacity=100&position=top#"))
    assert await style(page, "#overlay-preview .said", "color") == ["rgb(255, 238, 0)"]
    await expect(page.get_by_role("button", name="High contrast")).to_have_attribute("aria-pressed", "true")
    await expect(page.get_by_role("button", name="Classic")).to_have_attribute("aria-pressed", "false")
    await page.locator("#overlay-size").fill("61")
    await expect(page.locator("#presets [aria-pressed=true]")).to_have_count(0)
    await visitor.press("Minimal")
    await visitor.press("Classic")
    await expect(field).to_have_value(re.compile(r"\?position=top#"))


async def test_a_test_is_shown_on_the_overlay_and_the_count_is_reported(visitor: Visitor, service: Service) -> None:
    user = await service.user()
    await visitor.become(user)
    await visitor.goto(PATH)
    await visitor.press("Test overlay")
    await visitor.says("No overlay is open. Add the URL to OBS first, then test again.")
    async with watching(visitor, await address(service, user), fade=1) as page:
        await visitor.press("Test overlay")
        await shows(page, "This is a test caption.")
        await visitor.says("Test caption sent to 1 open overlay.")
        await expect(page.locator(".said")).to_have_count(0)
    await visitor.refuse("/account/overlay/test", 429, "rate_limited", **{"Retry-After": "7"})
    await visitor.press("Test overlay")
    await visitor.says("Too many attempts. Try again in 7 seconds.")


async def test_the_preview_shows_speech_and_stops_by_itself(microphone_browser: Browser, service: Service) -> None:
    user = await service.user()
    async with Visitor.arriving(microphone_browser, service, permissions=ALLOWED) as visitor:
        await visitor.become(user)
        await visitor.goto(PATH)
        await visitor.says("Starts captions for up to 1 min. They also show on open overlays. 1 second of audio")
        await expect(preview(visitor)).to_contain_text(SAMPLE)
        await visitor.press("Preview with your voice")
        await expect(preview(visitor)).to_contain_text(words(4), timeout=20_000)
        await expect(visitor.page.locator("#voice-state")).to_have_text("Live")
        await expect(visitor.page.locator("#voice-price")).to_contain_text(re.compile(r"^\d+ s used\. Stops by itself"))
        await visitor.press("Big and bold")
        await expect(preview(visitor)).to_contain_text(words(4))
        await visitor.press("Stop preview")
        await expect(visitor.page.locator("#voice-alert")).to_contain_text(re.compile(r"Done\. \d+ s billed\."))
        await expect(preview(visitor)).to_contain_text(SAMPLE)
        await visitor.press("Preview with your voice")
        await expect(visitor.page.locator("#voice-state")).to_have_text("Live")
        await visitor.press("Stop preview")
        await expect(visitor.page.get_by_role("button", name="Preview with your voice")).to_be_visible()


async def test_the_preview_shows_live_captions_at_no_cost(visitor: Visitor, service: Service) -> None:
    """A test does not count the preview."""
    user = await service.user()
    await visitor.become(user)
    captions = await talk(service, user)
    await visitor.goto(PATH)
    await visitor.says("Shows the captions that are live now, at no extra cost.")
    async with let_in(visitor.page):
        await visitor.press("Preview with your voice")
    await visitor.says("Showing your live captions")
    await captions.send(sound(2))
    await expect(preview(visitor)).to_contain_text(words(4))
    await visitor.press("Test overlay")
    await visitor.says("No overlay is open.")
    await visitor.press("Stop preview")
    await expect(preview(visitor)).to_contain_text(SAMPLE)
    assert len(visitor.sockets) == 1
    await captions.stop()


async def test_a_blocked_microphone_is_explained(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    await visitor.goto(PATH)
    await visitor.says("Starts captions for up to 1 min.")
    await visitor.page.evaluate(
        "() => { navigator.mediaDevices.getUserMedia = () =>"
        " Promise.reject(new DOMException('no', 'NotAllowedError')); }"
    )
    await visitor.press("Preview with your voice")
    await expect(visitor.page.locator("#voice-alert")).to_contain_text("Microphone blocked.")
    await expect(preview(visitor)).to_contain_text(SAMPLE)


@pytest.mark.parametrize("path", ["/account#overlay"])
async def test_the_old_location_redirects_to_the_setup_page(visitor: Visitor, service: Service, path: str) -> None:
    await visitor.become(await service.user())
    await visitor.goto(path)
    await visitor.is_at(PATH)


async def test_an_invalidated_key_is_explained_for_ten_seconds(visitor: Visitor, service: Service) -> None:
    """This includes words that would otherwise stay for ever."""
    user = await service.user()
    url = await address(service, user)
    page: Page = visitor.page
    await page.clock.install()
    async with let_in(page):
        await page.goto(url.replace("#", "?fade=0#"))
    captions = await talk(service, user)
    await captions.send(sound(2))
    await shows(page, words(4))
    await address(service, user, "POST")
    await expect(page.locator("#says")).to_contain_text("This overlay URL no longer works.")
    await expect(page.locator(".voice")).to_have_count(0)
    await page.clock.run_for(9_000)
    await expect(page.locator("#says")).to_be_visible()
    await page.clock.run_for(1_100)
    await expect(page.locator("body")).to_have_text("")
    await page.clock.run_for(600_000)
    await expect(page.locator("body")).to_have_text("")
    await captions.stop()


@pytest.mark.parametrize("fragment", ["#wrong", ""])
async def test_a_wrong_key_is_explained_for_ten_seconds(visitor: Visitor, fragment: str) -> None:
    await visitor.page.clock.install()
    await visitor.goto(f"/overlay{fragment}")
    await expect(visitor.page.locator("#says")).to_contain_text("This overlay URL")
    await visitor.page.clock.run_for(10_100)
    await expect(visitor.page.locator("body")).to_have_text("")

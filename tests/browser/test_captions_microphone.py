"""The captions page with a microphone that is blocked, does not open, is silent or disconnected."""

import pytest
from playwright.async_api import Browser, expect

from tests.browser.speaker import speaking, state, stop, used
from tests.browser.visitor import Visitor
from tests.e2e.service import Service


async def test_a_blocked_microphone_is_explained_beside_it(microphone_browser: Browser, service: Service) -> None:
    async with speaking(microphone_browser, service, await service.user(), permissions=[]) as visitor:
        await visitor.press("Start")
        await visitor.wrong("device", "Microphone blocked.")
        await state(visitor, "Not listening")
        await visitor.context.grant_permissions(["microphone"])
        await visitor.press("Start")
        await state(visitor, "Live")
        await expect(visitor.page.locator("#device-wrong")).to_be_empty()
        await stop(visitor)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ("NotFoundError", "No microphone found."),
        ("OverconstrainedError", "That microphone is no longer connected."),
        ("NotReadableError", "Another app may be using it"),
        ("StrangeError", "Couldn't open the microphone: odd."),
    ],
)
async def test_a_microphone_that_does_not_open_is_explained_beside_it(
    visitor: Visitor, service: Service, error: str, sentence: str
) -> None:
    await visitor.become(await service.user())
    await visitor.page.add_init_script(
        f"navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('odd', '{error}'));"
    )
    await visitor.goto("/captions")
    await expect(visitor.page.locator("#language")).not_to_be_empty()
    await visitor.press("Start")
    await visitor.wrong("device", sentence)
    await state(visitor, "Not listening")
    assert not [request for request in visitor.requests if request.resource_type == "websocket"]


async def test_a_silent_or_disconnected_microphone_is_reported(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    await visitor.page.add_init_script(
        "navigator.mediaDevices.getUserMedia = async () => {"
        " window.stream = new MediaStreamAudioDestinationNode(new AudioContext()).stream; return window.stream; };"
    )
    await visitor.goto("/captions")
    await expect(visitor.page.locator("#language")).not_to_be_empty()
    await visitor.press("Start")
    await expect(visitor.page.locator("#alerts")).to_have_text(
        "We can't hear anything. Is your mic muted, or is the wrong one selected?", timeout=15_000
    )
    await state(visitor, "Live")
    await visitor.page.evaluate("window.stream.getAudioTracks()[0].dispatchEvent(new Event('ended'))")
    await state(visitor, "Not listening")
    await expect(visitor.page.locator("#alerts")).to_contain_text("The microphone was disconnected.")
    await expect(visitor.page.locator("#alerts")).to_contain_text("s captioned,")


async def test_a_microphone_that_stops_delivering_is_reported(microphone_browser: Browser, service: Service) -> None:
    script = "window.AudioContext = class extends AudioContext { constructor() { super(); window.context = this; } };"
    async with speaking(microphone_browser, service, await service.user(), script=script) as visitor:
        await visitor.press("Start")
        await used(visitor, 1)
        await visitor.page.evaluate("context.resume = () => {}; context.suspend()")
        silent = visitor.page.get_by_text("We can't hear anything.")
        await expect(silent).to_be_visible(timeout=15_000)
        await visitor.page.evaluate("AudioContext.prototype.resume.call(context)")
        await expect(silent).to_have_count(0)
        await stop(visitor)

"""Words that are late, withdrawn or written without spaces, on /captions and the overlay; and failed starts."""

import re
from typing import Final

import pytest
from playwright.async_api import Browser, expect

from tests.browser.scripted import Scripted
from tests.browser.speaker import said, speaking, state, states
from tests.browser.visitor import Visitor
from tests.e2e.service import Service
from tests.unit.wire.test_spacing import LINES
from transcription_wire.spacing import join


async def test_withdrawn_words_disappear_and_late_ones_are_reported(
    microphone_browser: Browser, service: Service
) -> None:
    async with speaking(microphone_browser, service, await service.user()) as visitor:
        scripted, interim = await Scripted.of(visitor), visitor.page.locator("#interim")
        await visitor.press("Start")
        await scripted.begun()
        await state(visitor, "Live")
        scripted.words("hm", 0, final=False)
        await expect(interim).to_have_text("hm")
        scripted.words("", 0, final=True)
        await expect(interim).to_be_empty()
        await expect(visitor.page.get_by_role("button", name="Copy", exact=True)).to_be_disabled()
        scripted.words("One.", 0, final=True)
        scripted.words("two", 1, final=False)
        await expect(interim).to_have_text("two")
        scripted.words("", 1, final=True)
        await expect(interim).to_be_empty()
        scripted.says("warning", code="behind", message="Late.", seconds=6.4)
        await state(visitor, "Captions are 6 s behind")
        scripted.words("three", 0, final=False)
        await expect(visitor.page.locator("#state")).to_have_text(re.compile("Captions are [1-5] s behind"))
        scripted.words("", 0, final=True)
        scripted.says("warning", code="behind", message="On time.", seconds=0)
        await state(visitor, "Live")
        scripted.says("warning", code="not_raw_audio", message="This looks like WebM.")
        await visitor.says("This looks like WebM.")
        scripted.answers = False
        await state(visitor, "Captions are 4 s behind", within=6)
        await state(visitor, "Captions are 6 s behind")
        scripted.answers = True
        scripted.says("alive")
        await state(visitor, "Live")
        await visitor.press("Stop")
        await expect(visitor.page.locator("#alerts")).to_contain_text(
            "Done. 9.2 s captioned, 10 s billed (rounded up to the next second). 59 min 50 s left."
        )
        assert await said(visitor) == "One."


async def test_interim_words_of_a_lost_session_are_withdrawn(microphone_browser: Browser, service: Service) -> None:
    async with speaking(microphone_browser, service, await service.user()) as visitor:
        scripted = await Scripted.of(visitor)
        await visitor.press("Start")
        await scripted.begun()
        scripted.words("hm", 0, final=False)
        await expect(visitor.page.locator("#interim")).to_have_text("hm")
        await scripted.close(1012)
        await state(visitor, "Reconnecting")
        await expect(visitor.page.locator("#interim")).to_have_text("hm")
        await state(visitor, "Live")
        await expect(visitor.page.locator("#interim")).to_be_empty()
        await visitor.press("Stop")
        await state(visitor, "Not listening")


async def test_withdrawn_words_disappear_from_an_overlay_without_fading(visitor: Visitor) -> None:
    await visitor.goto("/overlay")
    modules = ", ".join(f"import('/static/overlay-{name}.js')" for name in ("words", "style"))
    texts = await visitor.page.evaluate(
        f"""Promise.all([{modules}]).then(([module, look]) => {{
            const place = document.getElementById('overlay');
            const overlay = new module.Overlay(place, look.read(new URLSearchParams('fade=0')));
            const line = (text, is_final, channel) => {{
                overlay.line({{session: 's', text, is_final, channel}});
                return [...place.querySelectorAll('.voice')].map(voice => voice.textContent);
            }};
            return [
                line('', true, 0), line('hm', false, 0), line('er', false, 1), line('', true, 0), line('Er.', true, 1),
                line('so', false, 1), line('', true, 1), line('今天', true, 0), line('天气', false, 0),
            ];
        }})"""
    )
    assert texts == [
        [], ["hm"], ["hm", "er"], ["er"], ["Er."], ["Er. so"], ["Er."], ["Er.", "今天"], ["Er.", "今天天气"],
    ]  # fmt: skip


async def test_pages_join_words_as_the_service_does(visitor: Visitor) -> None:
    await visitor.goto("/billing/cancel")
    joined = await visitor.page.evaluate(
        "lines => import('/static/spacing.js').then(module => lines.map(module.join))", [words for words, _ in LINES]
    )
    assert joined == [join(words) for words, _ in LINES]
    words = [{"word": word, "start": at, "end": at + 1} for at, word in enumerate(["今日", "は", "晴れ", "です。"])]
    lines = [{"text": "今日は晴れです。", "begin": 0, "end": 4, "words": words}]
    kept = await visitor.page.evaluate(
        "lines => import('/static/subtitles.js').then(({srt, vtt}) => [srt(lines), vtt(lines)])", lines
    )
    assert kept[0] == "1\n00:00:00,000 --> 00:00:04,000\n今日は晴れです。\n"
    assert kept[1] == "WEBVTT\n\n00:00:00.000 --> 00:00:04.000\n今日は晴れです。\n"


COUNTED: Final = """
    window.tracks = [];
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wanted) => {
        const stream = await open(wanted);
        window.tracks.push(...stream.getTracks());
        return stream;
    };
"""
HANGS: Final = "AudioContext.prototype.resume = () => new Promise(() => {});"
NOT_LOADED: Final = (
    "AudioWorklet.prototype.addModule = () => Promise.reject(new DOMException('Unable to load it.', 'AbortError'));"
)
NO_NODE: Final = "window.AudioWorkletNode = class { constructor() { throw new DOMException('odd', 'OddError'); } };"
LOST: Final = """
    const whole = navigator.mediaDevices.getUserMedia;
    navigator.mediaDevices.getUserMedia = async (wanted) => {
        const stream = await whole(wanted);
        for (const track of stream.getTracks()) track.stop();
        return stream;
    };
"""


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (HANGS, "Your browser's audio didn't start. Reload this page and try again."),
        (NOT_LOADED, "Part of this page didn't load. Check your connection and try again."),
        (NO_NODE, "Couldn't open the microphone: odd."),
        (LOST, "The microphone was disconnected. Plug it back in, then start again."),
    ],
    ids=["audio that does not start", "code that is not loaded", "a node that fails", "a device that is lost"],
)
async def test_a_failed_start_says_why_and_releases_the_microphone(
    microphone_browser: Browser, service: Service, fault: str, sentence: str
) -> None:
    async with speaking(microphone_browser, service, await service.user(), script=COUNTED + fault) as visitor:
        for times in range(1, 2 if fault is HANGS else 4):
            await visitor.press("Start")
            await expect(visitor.page.locator("#device-wrong")).to_have_text(sentence, timeout=10_000)
            await visitor.wrong("device", sentence)
            await state(visitor, "Not listening")
            assert await visitor.page.evaluate("tracks.map(track => track.readyState)") == ["ended"] * times


async def test_a_start_can_be_cancelled_while_the_browser_asks(microphone_browser: Browser, service: Service) -> None:
    late = """
        const asked = navigator.mediaDevices.getUserMedia;
        navigator.mediaDevices.getUserMedia = (wanted) =>
            new Promise((resolve) => {
                window.allow = () => asked(wanted).then(resolve);
                document.documentElement.dataset.asked = "";
            });
    """
    async with speaking(microphone_browser, service, await service.user(), script=COUNTED + late) as visitor:
        await visitor.press("Start")
        await state(visitor, "Waiting for the microphone")
        await expect(visitor.page.locator("html[data-asked]")).to_have_count(1)
        await visitor.press("Cancel")
        await state(visitor, "Not listening")
        await expect(visitor.page.locator("#device-wrong")).to_be_empty()
        await visitor.page.evaluate("allow()")
        await visitor.page.wait_for_function("tracks.length === 1 && tracks[0].readyState === 'ended'")
        assert await states(visitor) == ["Waiting for the microphone", "Not listening"]

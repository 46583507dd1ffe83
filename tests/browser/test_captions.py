"""/captions: captions from the browser's microphone, their failures, and saved transcripts."""

import re
from pathlib import Path
from typing import Any, Final

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from tests.browser.lives import HOSTILE, balance
from tests.browser.microphone import FRAME, SOUND, keep, listening, place
from tests.browser.speaker import ALLOWED, proxied, said, speaking, state, states, stop, used
from tests.browser.visitor import Visitor, nobody
from tests.e2e.service import Service, environment, serving
from tests.e2e.upstream import WORD, Upstream, words
from tests.integration.engine.recordings import TWO_CITIES, recording, word_errors
from tests.standin.script import Script
from transcription_wire.codes import ErrorCode

READ: Final = TWO_CITIES.partition(", it was the season of Light")[0]
READ_SECONDS: Final = 13.2


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(rf"{WORD}(\d+)", text)]


async def module(page: Page, name: str, call: str, argument: Any) -> Any:
    """Return the result of JavaScript that uses `module` and `argument`, on the page."""
    return await page.evaluate(f"argument => import('/static/{name}').then(module => {call})", argument)


async def test_real_speech_is_recognized_and_billed_while_it_lasts(scratch: Path) -> None:
    env = environment(scratch / "own", "")
    del env["DEEPGRAM_URL"], env["DEEPGRAM_API_KEY"]
    samples, rate = recording("two_cities.wav", READ_SECONDS)
    file = keep(scratch / "two_cities.wav", samples, rate)
    async with (
        serving(env) as service,
        listening(file) as browser,
        speaking(browser, service, (user := await service.user())) as visitor,
    ):
        dashboard = await visitor.context.new_page()
        await dashboard.goto("/dashboard")
        minutes = dashboard.locator("#minutes")
        await expect(minutes).to_have_attribute("data-seconds", "3600")
        await expect(visitor.page.locator("#terms-field")).to_be_hidden()
        await expect(visitor.page.locator("#diarize-field")).to_be_hidden()
        await visitor.press("Start")
        await state(visitor, "Live")
        await expect(visitor.page.locator("#interim")).not_to_be_empty(timeout=10_000)
        await expect(visitor.page.locator("#level")).not_to_have_attribute("aria-valuenow", "0")
        await expect(minutes).not_to_have_attribute("data-seconds", "3600", timeout=20_000)
        await used(visitor, round(READ_SECONDS) + 1)
        await stop(visitor)
        assert word_errors([await said(visitor)], [READ]) < 0.15
        (session,) = await service.sessions(user)
        cost = session["seconds_used"]
        await visitor.says(f"Done. {session['audio_seconds']:g} s captioned, {cost} s billed")
        await expect(minutes).to_have_attribute("data-seconds", str(3600 - cost), timeout=10_000)


async def test_running_out_of_minutes_shows_the_reason_and_a_link_to_buy(
    microphone_browser: Browser, service: Service
) -> None:
    async with speaking(microphone_browser, service, await service.user(4)) as visitor:
        await visitor.press("Start")
        await expect(visitor.page.locator("#left")).to_have_text("4 s left")
        await state(visitor, "Not listening")
        alerts = visitor.page.locator("#alerts")
        await expect(alerts).to_have_text(
            "You ran out of minutes, so captions stopped. Buy more to continue. "
            "4 s captioned, 4 s billed. 0 s left. Buy minutes"
        )
        await expect(alerts.get_by_role("link")).to_have_attribute("href", "/dashboard#buy")
        await expect(visitor.page.locator("#finals")).to_contain_text(words(8))
        await visitor.press("Start")
        await visitor.says("You have no minutes left, so captions can't start.")
        assert await said(visitor) == words(8)


async def test_no_word_is_lost_after_a_lost_connection(
    microphone_browser: Browser, service: Service, upstream: Upstream
) -> None:
    """Audio in transit is lost, and the service has not noticed yet that the connection is lost."""

    def where(head: bytes) -> int | None:
        if len(head) < 8 * FRAME:
            return None
        first = place(bytes(upstream.met(config)[0].audio[: len(head)]), SOUND)
        return 2 * FRAME * round((place(head, SOUND) - first) / FRAME)

    config = upstream.scripted(Script(locate=where))
    user = await service.user()
    async with proxied(service) as (proxy, there), speaking(microphone_browser, there, user) as visitor:
        await visitor.page.locator("#model").select_option("nova-2")
        await visitor.fill(terms=config["keywords"])
        await visitor.press("Start")
        await state(visitor, "Live")
        await used(visitor, 3)
        for link in proxy.links:
            link.change(frozen=True)
        await used(visitor, 5)
        for link in list(proxy.links):
            link.strand()
        await expect(visitor.page.locator("#finals")).to_contain_text(f"{WORD}17", timeout=15_000)
        await stop(visitor)
        assert await states(visitor) == [
            "Waiting for the microphone",
            "Connecting...",
            "Live",
            "Reconnecting. Nothing you say is lost.",
            "Live",
            "Finishing up...",
            "Not listening",
        ]
        heard = numbers(await said(visitor))
        assert heard == list(range(len(heard)))
        await expect(visitor.page.locator("#alerts")).to_contain_text("s captioned,", timeout=15_000)
        sessions = await service.sessions(user)
        assert [session["reason"] for session in sessions] == ["client_stop", "replaced"]
        cost = sum(session["seconds_used"] for session in sessions)
        await expect(visitor.page.locator("#alerts")).to_contain_text(f"{cost} s billed in 2 sessions")


async def test_a_redial_of_the_engine_is_shown(
    microphone_browser: Browser, service: Service, upstream: Upstream
) -> None:
    config = upstream.scripted(Script(reset_after=2.0), Script(handshake_delay=3.0))
    async with speaking(microphone_browser, service, await service.user()) as visitor:
        await visitor.page.locator("#model").select_option("nova-2")
        await visitor.fill(terms=config["keywords"])
        await visitor.press("Start")
        await expect(visitor.page.locator("#finals")).to_contain_text(f"{WORD}3 {WORD}0", timeout=20_000)
        await stop(visitor)
        await visitor.says("Done.")
        assert (await states(visitor))[2:5] == [
            "Live",
            "Reconnecting the speech engine. Nothing you say is lost.",
            "Live",
        ]


async def test_an_unreachable_service_is_shown(microphone_browser: Browser, service: Service) -> None:
    async with proxied(service) as (proxy, there), speaking(microphone_browser, there, await service.user()) as visitor:
        proxy.refusing = True
        await visitor.press("Start")
        await visitor.says("Can't reach the service. Check your connection, then start again.")
        await state(visitor, "Not listening")
        visitor.complaints.clear()  # Chromium's message about a failed WebSocket
        proxy.refusing = False
        await visitor.press("Start")
        await state(visitor, "Live")
        await stop(visitor)


async def test_a_refused_token_is_renewed_before_captions(microphone_browser: Browser, service: Service) -> None:
    async with Visitor.arriving(microphone_browser, service, permissions=ALLOWED) as visitor:
        await visitor.goto("/register")
        await visitor.register(nobody())
        await visitor.is_at("/captions")
        await expect(visitor.page.locator("#left")).to_have_text("10 min left")
        await visitor.page.evaluate(
            "session => localStorage.setItem('session', JSON.stringify({...JSON.parse(session), token: 'x'}))",
            await visitor.page.evaluate("localStorage.getItem('session')"),
        )
        await visitor.press("Start")
        await state(visitor, "Live")
        assert visitor.asked("POST", "/auth/refresh") == 1
        await stop(visitor)


async def test_a_session_ended_elsewhere_shows_the_reason(microphone_browser: Browser, service: Service) -> None:
    async with speaking(microphone_browser, service, await service.user()) as visitor:
        await visitor.press("Start")
        await state(visitor, "Live")
        account = await visitor.context.new_page()
        await account.goto("/account")
        await account.get_by_role("button", name="End the session").click()
        await visitor.says("You ended this session from the website.")
        await state(visitor, "Not listening")


async def test_every_error_that_can_end_captions_has_a_sentence(visitor: Visitor) -> None:
    """Errors of the service share one sentence."""
    await visitor.goto("/billing/cancel")
    ends = [{"error": code, "message": "no", "reason": "", "code": 4000, "began": True} for code in ErrorCode]
    told = await module(visitor.page, "ends.js", "argument.map(module.sentence)", ends)
    sentences = dict(zip(ErrorCode, told, strict=True))
    ours = {ErrorCode.AUTH_TIMEOUT, ErrorCode.BAD_MESSAGE, ErrorCode.MESSAGE_TOO_BIG, ErrorCode.INTERNAL}
    shared = sentences[ErrorCode.INTERNAL]["text"]
    assert {code for code, each in sentences.items() if each["text"] == shared} == ours
    assert sentences[ErrorCode.INVALID_CONFIG]["text"] == "These settings aren't supported. no"


async def test_add_ons_are_offered_where_they_are_priced_and_go_upstream(
    microphone_browser: Browser, service: Service, upstream: Upstream
) -> None:
    async with speaking(microphone_browser, service, await service.user()) as visitor:
        price, page = visitor.page.locator("#price"), visitor.page
        await expect(page.locator("#model")).to_have_value("nova-3")
        await page.locator("#model").select_option("nova-2")
        await expect(price).to_have_text("1 second of audio = 1 second of your balance.")
        await visitor.fill(terms="Zoë\n\n  Kubernetes ")
        await expect(price).to_have_text("1 second of audio = 1 second of your balance.")
        await page.locator("#model").select_option("nova-3")
        await page.locator("#language").select_option("multi")
        await page.get_by_label("Label speakers").check()
        await expect(price).to_have_text("1 second of audio = 1.76 seconds of your balance.")
        dialled = upstream.dialled
        await visitor.press("Start")
        await expect(page.locator("#model")).to_be_disabled()
        await expect(page.locator("#finals b")).to_have_text("Speaker 0: ")
        await expect(page.locator("#said")).to_have_attribute("lang", "")
        await stop(visitor)
        await expect(page.locator("#finals b")).to_have_count(1)
        (record,) = upstream._standin.records[dialled:]
        asked = [(name, value) for name, value in record.query if name in ("model", "language", "keyterm", "diarize")]
        assert sorted(asked) == [
            ("diarize", "true"), ("keyterm", "Kubernetes"), ("keyterm", "Zoë"), ("language", "multi"),
            ("model", "nova-3"),
        ]  # fmt: skip
        await page.reload()
        await expect(page.locator("#model")).to_have_value("nova-3")
        await expect(page.locator("#language")).to_have_value("multi")
        await expect(page.locator("#terms")).to_have_value("Zoë\n\n  Kubernetes ")
        await visitor.fill(terms="x" * 201)
        await visitor.press("Start")
        await visitor.wrong("terms", "At most 200 characters per line.")


async def test_add_ons_without_a_price_are_not_offered(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    options = (await service.http.get("/captions/options")).json()
    await visitor.answer("/captions/options", {**options, "addons": []})
    await visitor.goto("/captions")
    await visitor.page.locator("#model").select_option("nova-3")
    await expect(visitor.page.get_by_label("Label speakers")).to_be_hidden()
    await expect(visitor.page.get_by_label("Names and words to get right")).to_be_hidden()


async def test_options_that_failed_to_load_are_requested_again(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    await visitor.refuse("/captions/options", 500, "internal")
    await visitor.answer("/billing/balance", balance(0))
    await visitor.goto("/captions")
    await visitor.says("Couldn't load the models.")
    await visitor.says("You have no minutes to use, so captions can't start.")
    await visitor.context.unroute_all()
    await visitor.press("Try again")
    await expect(visitor.page.locator("#model")).to_have_value("nova-3")


async def test_transcripts_can_be_saved_as_text_and_subtitles(
    microphone_browser: Browser, service: Service, tmp_path: Path
) -> None:
    async with speaking(
        microphone_browser, service, await service.user(), viewport={"width": 390, "height": 844}
    ) as visitor:
        page = visitor.page
        await page.evaluate(
            "() => { window.jumps = 0; new PerformanceObserver(list => list.getEntries().forEach("
            "each => window.jumps += each.value)).observe({type: 'layout-shift'}); }"
        )
        await expect(page.get_by_role("button", name="Copy", exact=True)).to_be_disabled()
        await visitor.press("Start")
        await used(visitor, 5)
        await stop(visitor)
        assert await page.evaluate("window.jumps") < 0.05
        heard = await said(visitor)
        await visitor.press("Copy")
        await visitor.says("Copied.")
        copied: str = await page.evaluate("navigator.clipboard.readText()")
        assert copied.split() == heard.split()
        kept = {}
        for button, name in (("SRT", "captions.srt"), ("VTT", "captions.vtt"), ("text", "captions.txt")):
            async with page.expect_download() as started:
                await visitor.press(f"Download as {button}")
            download = await started.value
            assert download.suggested_filename == name
            await download.save_as(tmp_path / name)
            kept[name] = (tmp_path / name).read_text()
        assert kept["captions.txt"] == copied
        assert kept["captions.srt"].startswith(f"1\n00:00:00,000 --> 00:00:02,000\n{words(4)}\n\n2\n00:00:02,000 --> ")
        assert kept["captions.vtt"].startswith(f"WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n{words(4)}\n\n00:00:02.000")
        await visitor.press("Clear")
        await visitor.says("Your words appear here.")
        await expect(page.get_by_role("button", name="Copy", exact=True)).to_be_disabled()


async def test_captions_work_by_keyboard_alone_in_any_size(microphone_browser: Browser, service: Service) -> None:
    async with speaking(microphone_browser, service, await service.user()) as visitor:
        page, keyboard = visitor.page, visitor.page.keyboard
        captions = page.locator("#captions")

        async def size() -> float:
            return float(await captions.evaluate("element => parseFloat(getComputedStyle(element).fontSize)"))

        async def tab_to(name: str) -> None:
            for _ in range(20):
                await keyboard.press("Tab")
                if await page.locator(f"#{name}").evaluate("element => element === document.activeElement"):
                    return
            raise AssertionError(f"{name} cannot be reached")

        await tab_to("start")
        await keyboard.press("Enter")
        await state(visitor, "Live")
        await expect(page.locator("#start")).to_be_focused()
        usual = await size()
        await tab_to("larger")
        await keyboard.press("Enter")
        assert await size() == pytest.approx(usual * 1.2)
        await captions.focus()
        for _ in range(20):
            await keyboard.press("+")
        assert await size() == 12 * 16
        await keyboard.press("f")
        await expect(page.locator("#full")).to_have_text("Exit full screen")
        assert await page.evaluate("document.fullscreenElement.id") == "stage"
        await expect(page.locator("#finals")).to_contain_text(words(4))
        follows = "element => element.scrollHeight - element.scrollTop - element.clientHeight < 2"
        assert await captions.evaluate(follows)
        await expect(page.locator("#start")).to_be_visible()
        await keyboard.press("f")
        await expect(page.locator("#full")).to_have_text("Full screen")
        for _ in range(20):
            await keyboard.press("-")
        assert await size() == 16
        await page.locator("#start").focus()
        await keyboard.press("Space")
        await state(visitor, "Not listening")
        await visitor.says("Done.")


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1440)])
async def test_markup_and_long_words_are_text_without_axe_violations(
    microphone_browser: Browser, service: Service, upstream: Upstream, scheme: str, width: int
) -> None:
    config = upstream.scripted(Script(word=HOSTILE, final_ms=1000))
    size = {"width": width, "height": 844}
    async with speaking(
        microphone_browser, service, await service.user(), color_scheme=scheme, viewport=size
    ) as visitor:
        await visitor.page.locator("#model").select_option("nova-2")
        await visitor.fill(terms=config["keywords"])
        await visitor.press("Start")
        await expect(visitor.page.locator("#finals")).to_contain_text(f"{HOSTILE}1")
        await expect(visitor.page.locator("#interim")).to_contain_text(HOSTILE)
        found = (await Axe().run(visitor.page)).response["violations"]
        assert not [each["id"] for each in found if each["impact"] in ("serious", "critical")]
        assert await visitor.page.locator("main .stage img").count() == 0
        assert await visitor.page.evaluate("document.documentElement.scrollWidth") <= width
        await stop(visitor)

"""The dashboard: balance, forecast, live sessions and history."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from tests.browser.lives import HOSTILE, balance, live, session
from tests.browser.visitor import Visitor
from tests.e2e.client import sound
from tests.e2e.service import Service

HOUR = 3600


async def test_the_figures_update_while_a_session_runs(visitor: Visitor, service: Service) -> None:
    user = await service.user(HOUR)
    await visitor.become(user)
    await visitor.goto("/dashboard")
    meter = visitor.page.locator("#minutes")
    await expect(meter).to_have_attribute("data-seconds", str(HOUR))
    await expect(meter).to_have_text("60min")
    captions = await service.captions(user)
    await captions.ready()
    await captions.send(sound(12))
    await visitor.says("Live since")
    await expect(meter).not_to_have_attribute("data-seconds", str(HOUR), timeout=20_000)
    await expect(visitor.page.locator("#lasts")).to_contain_text("left at the current rate")
    await captions.stop()
    await expect(meter).to_have_attribute("data-seconds", str(HOUR - 12), timeout=10_000)
    row = visitor.page.get_by_role("row").filter(has_text="Stopped by you")
    await expect(row.get_by_role("cell", name="Nova-2", exact=True)).to_be_visible()
    await expect(row.get_by_role("cell", name="12 s", exact=True)).to_have_count(2)
    await visitor.says("Billed time is rounded up to the next second, once per session.")
    await expect(visitor.page.locator(".day").last).to_have_attribute("aria-label", re.compile("12 s used"))


@pytest.mark.parametrize(
    ("left", "sentences"),
    [
        (balance(599), ["9 min 59 s left.", "About 9 minutes of captions."]),
        (balance(0), ["No minutes left.", "Buy minutes to start captions."]),
        (
            balance(-4200),
            [
                "You owe 1 h 10 min.",
                "Your next purchase covers this first.",
                "Covers the 1 h 10 min you owe and leaves 7 h 10 min.",
            ],
        ),
        (balance(30120, frozen=30000), ["8 h 20 min frozen.", "You can use 2 min until it's settled."]),
        (balance(30000, frozen=30000), ["8 h 20 min frozen.", "Captions won't start until it's settled."]),
    ],
)
async def test_warnings_are_prominent(
    visitor: Visitor, service: Service, left: dict[str, int], sentences: list[str]
) -> None:
    await visitor.become(await service.user())
    await live(visitor, left)
    await visitor.goto("/dashboard")
    for sentence in sentences:
        await visitor.says(sentence)


@pytest.mark.parametrize(
    ("left", "sessions", "used", "sentence"),
    [
        (36000, [], {}, "About 10 hours of captions."),
        (36000, [], {"d1": 6 * HOUR, "d3": HOUR}, "About 10 hours of captions."),
        (36000, [], {"d0": HOUR, "d6": 8 * HOUR}, "About 10 hours of captions."),
        (36000, [], {"d1": 6 * HOUR, "d7": HOUR}, "Lasts about 10 days at your usual pace."),
        (7000, [], {"d1": 6 * HOUR, "d7": HOUR}, "About 1 h 50 min of captions."),
        (36000, [session(1, None), session(2, None)], {}, "About 5 h left at the current rate."),
    ],
)
async def test_the_balance_says_how_long_it_lasts(
    visitor: Visitor,
    service: Service,
    left: int,
    sessions: list[dict[str, object]],
    used: dict[str, int],
    sentence: str,
) -> None:
    await visitor.become(await service.user())
    await live(visitor, balance(left, held=90), live=sessions, used=used)
    await visitor.goto("/dashboard")
    await visitor.says(sentence)
    await expect(visitor.page.locator("#held")).to_have_text("1 min 30 s")


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/dashboard", "/billing/balance"),
        ("/account", "/account/sessions"),
        ("/billing/success?session_id=cs_1", "/billing/checkout/cs_1"),
    ],
)
async def test_a_hidden_tab_sends_no_requests(visitor: Visitor, service: Service, path: str, asked: str) -> None:
    await visitor.become(await service.user())
    await visitor.answer("/billing/checkout/cs_1", {"status": "open", "seconds": 30000})
    await visitor.page.clock.install()
    await visitor.goto(path)
    await visitor.page.wait_for_load_state("networkidle")

    async def shown(state: str) -> None:
        await visitor.page.evaluate(
            f"Object.defineProperty(document, 'hidden', {{value: {state}, configurable: true}});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )

    await shown("true")
    before = visitor.asked("GET", asked)
    assert before
    await visitor.page.clock.run_for(120_000)
    assert visitor.asked("GET", asked) == before
    async with visitor.page.expect_response(lambda answer: urlsplit(answer.url).path == asked):
        await shown("false")
    await visitor.page.wait_for_load_state("networkidle")
    async with visitor.page.expect_response(lambda answer: urlsplit(answer.url).path == asked):
        await visitor.page.clock.run_for(5000)


async def test_new_minutes_appear_without_a_reload(visitor: Visitor, service: Service) -> None:
    user = await service.user(300)
    await visitor.become(user)
    await visitor.goto("/dashboard")
    await expect(visitor.page.locator("#minutes")).to_have_text("5min")
    await service.command("credits", "grant", user.email, "3600", "--reason", "a gift")
    await expect(visitor.page.locator("#minutes")).to_have_text("65min", timeout=10_000)
    await expect(visitor.page.locator("#alerts")).to_be_empty()
    await visitor.says("Captions are off")


async def test_an_account_without_sessions_says_what_to_do_first(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    await visitor.goto("/dashboard")
    link = visitor.page.get_by_role("link", name="Try captions in the browser").first
    await expect(link).to_have_attribute("href", "/captions")
    await visitor.says("No usage in the last 30 days.")
    await visitor.says("No purchases yet.")


async def test_each_session_shows_its_end_reason_in_words(visitor: Visitor, service: Service) -> None:
    ends = ["client_gone", "insufficient_credits", "idle", "upstream_closed", "a_reason_to_come"]
    await visitor.become(await service.user())
    await live(visitor, balance(HOUR), sessions=[session(n, end) for n, end in enumerate(ends)])
    await visitor.goto("/dashboard")
    for words in ("Disconnected", "Out of minutes", "Ended after silence", "Speech engine failed", "a_reason_to_come"):
        await expect(visitor.page.get_by_role("table", name="Sessions").get_by_text(words)).to_be_visible()


async def test_markup_and_very_long_words_are_text(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    await visitor.page.set_viewport_size({"width": 390, "height": 844})
    hostile = session(1, HOSTILE, engine=HOSTILE)
    await live(visitor, balance(HOUR), sessions=[hostile], live=[session(2, None, engine=HOSTILE)])
    package = {"id": HOSTILE, "label": HOSTILE, "seconds": 60, "price_cents": 100, "currency": "usd"}
    await visitor.answer("/billing/packages", {"packages": [package]})
    await visitor.goto("/dashboard")
    await expect(visitor.page.get_by_text(HOSTILE)).to_have_count(3)
    assert await visitor.page.locator("main img").count() == 0
    assert await visitor.page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(500, "Something went wrong on our end."), (503, "temporarily unavailable"), (429, "Too many attempts.")],
)
async def test_a_failing_service_is_shown_and_retried(
    visitor: Visitor, service: Service, status: int, sentence: str
) -> None:
    await visitor.become(await service.user())
    for path in ("/billing/balance", "/billing/packages"):
        await visitor.refuse(path, status, "internal")
    await visitor.goto("/dashboard")
    await expect(visitor.page.locator("#alerts")).to_contain_text(sentence)
    await visitor.says("Couldn't load prices.")
    await expect(visitor.page.locator(".bone")).to_have_count(0)
    await visitor.context.unroute_all()
    await visitor.page.locator("#alerts").get_by_role("button", name="Try again").click()
    await expect(visitor.page.locator("#minutes")).to_have_text("60min")
    await expect(visitor.page.locator("#alerts")).to_be_empty()
    await visitor.page.locator("#packages").get_by_role("button", name="Try again").click()
    await expect(visitor.page.get_by_role("button", name="Buy 500 minutes")).to_be_visible()


async def test_figures_stay_visible_while_offline(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    await visitor.goto("/dashboard")
    await expect(visitor.page.locator("#minutes")).to_have_text("60min")
    await visitor.context.set_offline(True)
    await visitor.says("What you see may be out of date. You're offline.")
    await expect(visitor.page.locator("#minutes")).to_have_text("60min")
    await visitor.context.set_offline(False)
    await expect(visitor.page.locator("#alerts")).to_be_empty()


async def test_a_slow_service_is_shown_before_the_timeout(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    await visitor.page.clock.install()
    await visitor.context.route("**/billing/balance", lambda route: None)
    await visitor.goto("/dashboard")
    await expect(visitor.page.get_by_role("button", name="Buy 500 minutes")).to_be_visible()
    await visitor.page.clock.run_for(4500)
    await visitor.says("The service is slow to respond.")

"""Numbers, money, lengths and times on the pages, in the page's language and not the browser's."""

from typing import Any, Final

import pytest
from playwright.async_api import Browser

from tests.browser.visitor import Visitor
from tests.e2e.service import Service
from transcription_wire.lengths import exactly, in_minutes, length

SECONDS: Final = [0, 9, 59, 60, 61, 592, 3600, 3659, 12_000, 180_000, 183_994, 3_600_000]
AUDIO: Final = [0, 9.2, 10, 59.96, 61.5, 592.3, 3600.5, 3723.4]
MOMENT: Final = "2020-11-28T19:05:00Z"
FORMATS: Final = """
([seconds, audio, moment]) => import("/static/format.js").then((module) => ({
  lengths: seconds.map(module.duration),
  packages: seconds.map(module.inMinutes),
  audio: audio.map((each) => module.exactly(each)),
  numbers: [module.grouped(3066), module.grouped(1.34), module.money(1234500, "usd"), module.money(99, "eur")],
  days: [module.dayName("2020-11-28"), module.dayTick("2020-11-28"), module.date(moment)],
  clock: module.when(moment),
}))
"""


async def formats(browser: Browser, service: Service, **options: Any) -> Any:
    async with Visitor.arriving(browser, service, **options) as visitor:
        await visitor.goto("/billing/cancel")
        return await visitor.page.evaluate(FORMATS, [SECONDS, AUDIO, MOMENT])


@pytest.mark.parametrize(
    ("locale", "zone", "clock"),
    [
        ("en-US", "America/New_York", "Nov 28, 2020, 2:05 PM"),
        ("de-DE", "Europe/Berlin", "Nov 28, 2020, 20:05"),
        ("ar-EG", "Africa/Cairo", "Nov 28, 2020, 9:05 PM"),
    ],
)
async def test_the_browser_decides_only_the_time_zone_and_hour_cycle(
    browser: Browser, service: Service, locale: str, zone: str, clock: str
) -> None:
    found = await formats(browser, service, locale=locale, timezone_id=zone)
    assert found["numbers"] == ["3,066", "1.34", "$12,345.00", "€0.99"]
    assert found["days"] == ["Sat, November 28", "Nov 28", "November 28, 2020"]
    assert found["clock"].replace("\u202f", " ") == clock


async def test_lengths_match_those_of_commands_and_mails(browser: Browser, service: Service) -> None:
    found = await formats(browser, service)
    assert found["lengths"] == [length(seconds) for seconds in SECONDS]
    assert found["packages"] == [in_minutes(seconds) for seconds in SECONDS]
    assert found["audio"] == [exactly(seconds) for seconds in AUDIO]

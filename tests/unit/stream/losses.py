"""Sessions whose upstream was lost."""

from typing import Any

import pytest

from tests.unit.stream.driver import (
    SessionDriver,
    live,
    noise,
    results,
)
from transcription_proxy.stream import events as ev

UNDER_WAY = pytest.mark.parametrize("under_way", [True, False], ids=["while it is dialled", "between two tries"])


def lost(*, under_way: bool = False, **settings: Any) -> SessionDriver:
    """Return a driver after 2 s of audio, one of them final, whose upstream was lost."""
    driver = live(**settings)
    driver.frame(noise(2))
    driver.handle(results("one", 0.0, 1.0, is_final=True))
    driver.lose_upstream()
    if under_way:
        driver.dialled()
    return driver


def final(text: str, start: float, duration: float, **more: Any) -> ev.UpstreamSentText:
    return results(text, start, duration, is_final=True, **more)


def closing(driver: SessionDriver) -> tuple[int, int]:
    """Credits and milliseconds of audio that are booked at the end."""
    booked = driver.only(ev.Close).closing
    return booked.total, booked.audio_ms

"""Lengths of time as people read them."""

import pytest

from transcription_proxy.metering.lengths import length


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (312, "5 min 12 s"),
        (3600, "1 h"),
        (3659, "1 h"),
        (12_000, "3 h 20 min"),
        (180_000, "50 h"),
        (3_600_000, "1,000 h"),
        (-75, "-1 min 15 s"),
    ],
)
def test_at_most_two_units(seconds: int, text: str) -> None:
    assert length(seconds) == text

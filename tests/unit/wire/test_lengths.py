"""Lengths of time as people read them."""

import pytest

from transcription_wire.lengths import exactly, in_minutes, length


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (592, "9 min 52 s"),
        (3600, "1 h"),
        (3659, "1 h"),
        (12_000, "3 h 20 min"),
        (180_000, "50 h"),
        (3_600_000, "1,000 h"),
        (-75, "-1 min 15 s"),
        (-7, "-7 s"),
    ],
)
def test_two_units_at_most(seconds: float, text: str) -> None:
    assert length(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (9.2, "9.2 s"),
        (10.0, "10 s"),
        (59.96, "1 min"),
        (592.3, "9 min 52.3 s"),
        (3723.4, "1 h 2 min 3.4 s"),
        (3600.5, "1 h 0.5 s"),
    ],
)
def test_all_units_and_tenths(seconds: float, text: str) -> None:
    assert exactly(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(30_000, "500 minutes"), (180_000, "3,000 minutes"), (60, "1 min"), (1000, "16 min 40 s"), (600, "10 minutes")],
)
def test_whole_minutes_as_packages_are_sold(seconds: int, text: str) -> None:
    assert in_minutes(seconds) == text

"""The loudness that a meter shows."""

import struct

import pytest

from transcription_client.engine.level import TENTH_BYTES, Level

TENTH = TENTH_BYTES // 2


def samples(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}h", *values)


@pytest.mark.parametrize(("value", "level"), [(0, 0.0), (16_384, 0.5), (-16_384, 0.5), (-32_768, 1.0)])
def test_the_level_of_one_value(value: int, level: float) -> None:
    meter = Level()
    meter.feed(samples(value) * TENTH)
    assert meter.value == pytest.approx(level)


def test_it_is_the_root_of_the_mean_square() -> None:
    meter = Level()
    meter.feed(samples(0, 16_384) * (TENTH // 2))
    assert meter.value == pytest.approx(0.5 * 0.5**0.5)


def test_only_the_last_tenth_of_a_second_counts() -> None:
    meter = Level()
    meter.feed(samples(32_767) * 10 * TENTH)
    meter.feed(samples(0) * TENTH)
    assert meter.value == 0.0


def test_small_blocks_add_up() -> None:
    meter = Level()
    for _ in range(TENTH // 10):
        meter.feed(samples(16_384) * 10)
    assert meter.value == pytest.approx(0.5)

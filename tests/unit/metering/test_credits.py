"""What audio costs, and what a grant covers. The figures come from fractions."""

from fractions import Fraction
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.metering.audio import FORMATS, RATES, micro_of
from transcription_proxy.metering.audio import AudioFormat
from transcription_proxy.metering.credits import MICRO, covered_bytes, credits, credits_of_ms

SECOND = 32_000
"""Bytes of a second of the default audio."""


def test_fifty_seconds_at_one_point_one_are_55_credits_and_not_56() -> None:
    assert ceil(1.1 * 50) == 56  # what floats make of it
    assert credits(50 * SECOND, SECOND, 1_100_000) == 55
    assert credits_of_ms(50_000, 1_100_000) == 55


def test_no_audio_costs_nothing_and_the_first_sample_costs_a_credit() -> None:
    assert [credits(nbytes, SECOND, MICRO) for nbytes in (0, 2, SECOND, SECOND + 2)] == [0, 1, 1, 2]
    assert [credits_of_ms(ms, MICRO) for ms in (0, 1, 1000, 1001)] == [0, 1, 1, 2]


@given(FORMATS, RATES, st.integers(1, 8), st.integers(0, 10**10))
def test_credits_are_channels_times_rate_times_seconds_rounded_up(
    audio: AudioFormat, rate: str, billed: int, nbytes: int
) -> None:
    exact = billed * Fraction(rate) * Fraction(nbytes, audio.bytes_per_second)
    assert credits(nbytes, audio.bytes_per_second, billed * micro_of(rate)) == ceil(exact)
    assert credits_of_ms(nbytes, billed * micro_of(rate)) == ceil(billed * Fraction(rate) * Fraction(nbytes, 1000))


@given(FORMATS, RATES, st.integers(0, 10**9))
def test_what_a_grant_covers_is_whole_blocks_and_the_most_of_them(audio: AudioFormat, rate: str, grant: int) -> None:
    covered = covered_bytes(grant, audio.bytes_per_second, micro_of(rate), audio.block)
    assert covered % audio.block == 0
    assert Fraction(rate) * Fraction(covered, audio.bytes_per_second) <= grant
    assert Fraction(rate) * Fraction(covered + audio.block, audio.bytes_per_second) > grant

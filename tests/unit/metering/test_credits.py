"""What audio costs, and what a grant covers. The figures come from fractions."""

from fractions import Fraction
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.metering.audio import FORMATS, RATES, micro_of
from transcription_proxy.metering.audio import AudioFormat
from transcription_proxy.metering.credits import MICRO, Tariff

SECOND = 32_000
"""Bytes of a second of the default audio."""


def test_fifty_seconds_at_one_point_one_are_55_credits_and_not_56() -> None:
    assert ceil(1.1 * 50) == 56  # what floats make of it
    assert Tariff(SECOND, 1_100_000).credits(50 * SECOND) == 55
    assert Tariff(SECOND, 1_100_000).credits_of_ms(50_000) == 55


def test_no_audio_costs_nothing_and_the_first_sample_costs_a_credit() -> None:
    assert [Tariff(SECOND, MICRO).credits(nbytes) for nbytes in (0, 2, SECOND, SECOND + 2)] == [0, 1, 1, 2]
    assert [Tariff(SECOND, MICRO).credits_of_ms(ms) for ms in (0, 1, 1000, 1001)] == [0, 1, 1, 2]


@given(FORMATS, RATES, st.integers(1, 8), st.integers(0, 10**10))
def test_credits_are_channels_times_rate_times_seconds_rounded_up(
    audio: AudioFormat, rate: str, billed: int, nbytes: int
) -> None:
    exact = billed * Fraction(rate) * Fraction(nbytes, audio.bytes_per_second)
    tariff = Tariff(audio.bytes_per_second, billed * micro_of(rate))
    assert tariff.credits(nbytes) == ceil(exact)
    assert tariff.credits_of_ms(nbytes) == ceil(billed * Fraction(rate) * Fraction(nbytes, 1000))


@given(FORMATS, RATES, st.integers(0, 10**9))
def test_what_a_grant_covers_is_whole_blocks_and_the_most_of_them(audio: AudioFormat, rate: str, grant: int) -> None:
    covered = Tariff(audio.bytes_per_second, micro_of(rate)).covered_bytes(grant, audio.block)
    assert covered % audio.block == 0
    assert Fraction(rate) * Fraction(covered, audio.bytes_per_second) <= grant
    assert Fraction(rate) * Fraction(covered + audio.block, audio.bytes_per_second) > grant


@given(FORMATS, RATES, RATES, st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**4))
def test_a_changed_rate_holds_from_there_on_and_the_sum_is_rounded_once(
    audio: AudioFormat, first: str, second: str, begin: int, more: int, grant: int
) -> None:
    tariff = Tariff(audio.bytes_per_second, micro_of(first))
    tariff.change(begin, micro_of(second))
    exact = (Fraction(first) * begin + Fraction(second) * more) / audio.bytes_per_second
    assert tariff.credits(begin + more) == ceil(exact)
    assert tariff.credits(begin // 2) == ceil(Fraction(first) * (begin // 2) / audio.bytes_per_second)
    before = Fraction(first) * Fraction(begin, audio.bytes_per_second)
    covered = tariff.covered_bytes(ceil(before) + grant, audio.block)
    spent = before + Fraction(second) * Fraction(covered - begin, audio.bytes_per_second)
    assert spent <= ceil(before) + grant < spent + Fraction(second) * Fraction(audio.block, audio.bytes_per_second)


@given(RATES, RATES, st.integers(0, 10**6), st.integers(0, 10**6))
def test_milliseconds_cost_the_same_as_their_bytes(first: str, second: str, begin_ms: int, milliseconds: int) -> None:
    tariff = Tariff(SECOND, micro_of(first))
    tariff.change(begin_ms * 32, micro_of(second))
    assert tariff.credits_of_ms(milliseconds) == tariff.credits(milliseconds * 32)


def test_of_two_changes_at_one_place_the_later_counts() -> None:
    tariff = Tariff(SECOND, MICRO)
    tariff.change(SECOND, 2 * MICRO)
    tariff.change(SECOND, 3 * MICRO)
    assert tariff.credits(2 * SECOND) == 4

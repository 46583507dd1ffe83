"""The final total: which figure for the audio counts, rounded up once (money 2-7)."""

from fractions import Fraction
from math import ceil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription_proxy.metering.audio import AudioFormat
from transcription_proxy.metering.credits import Tariff
from transcription_proxy.stream.bill import AudioUsage, Bill, compute_bill

AUDIO = AudioFormat()
SECOND = AUDIO.bytes_per_second
RATE_1 = 1_000_000


def bill(seconds: float, micro: int = RATE_1, audio: AudioFormat = AUDIO, **known: Any) -> Bill:
    """The bill for `seconds` of audio sent over one connection, whose Results go to the end and whose Metadata is
    missing; `known` overrides."""
    usage: dict[str, Any] = {
        "reported_ms": None,
        "silence_ms": 0,
        "has_words": True,
        "results_ms": round(seconds * 1000),
        **known,
    }
    return compute_bill(
        AudioUsage(forwarded=round(seconds * audio.bytes_per_second), **usage),
        audio,
        Tariff(audio.bytes_per_second, micro),
    )


def test_no_audio_costs_nothing() -> None:
    assert bill(0) == bill(0, reported_ms=5000) == Bill(0, 0)


def test_what_was_sent_is_billed_where_nothing_was_reported() -> None:
    assert bill(2.3) == Bill(3, 2300)
    assert bill(2) == Bill(2, 2000)


def test_a_single_byte_is_a_credit() -> None:
    assert compute_bill(AudioUsage(1, None, 0, False, 0), AUDIO, Tariff(SECOND, RATE_1)) == Bill(1, 0)


@pytest.mark.parametrize(("reported_ms", "expected"), [(1900, Bill(2, 1900)), (2000, Bill(2, 2000)), (1, Bill(1, 1))])
def test_what_was_reported_is_billed(reported_ms: int, expected: Bill) -> None:
    assert bill(2.3, reported_ms=reported_ms) == expected


@pytest.mark.parametrize("reported_ms", [2300, 2301, 9_999_999])
def test_never_more_than_what_was_sent(reported_ms: int) -> None:
    assert bill(2.3, reported_ms=reported_ms) == Bill(3, 2300)


def test_own_silence_is_subtracted_from_the_reported_duration() -> None:
    assert bill(3, reported_ms=2100, silence_ms=100) == Bill(2, 2000)
    assert bill(3, reported_ms=50, silence_ms=100) == Bill(0, 0)


def test_nothing_reported_although_there_were_words_is_not_believed() -> None:
    assert bill(2.3, reported_ms=0, has_words=True) == Bill(3, 2300)
    assert bill(2.3, reported_ms=0, has_words=False) == Bill(0, 0)


@pytest.mark.parametrize(("sent", "results_ms", "seconds"), [(30, 10_000, 15), (12, 10_000, 12), (33, 0, 5), (4, 0, 4)])
def test_audio_after_the_last_results_is_billed_5_s_at_most(sent: int, results_ms: int, seconds: int) -> None:
    assert bill(sent, results_ms=results_ms, has_words=results_ms > 0) == Bill(seconds, seconds * 1000)


def test_words_of_an_upstream_that_tells_no_times_are_billed_as_they_were_sent() -> None:
    assert bill(30, results_ms=0, has_words=True) == Bill(30, 30_000)


@pytest.mark.parametrize(("reported_ms", "seconds"), [(12_000, 12), (20_000, 15)])
def test_the_lower_of_both_limits_counts(reported_ms: int, seconds: int) -> None:
    assert bill(30, results_ms=10_000, reported_ms=reported_ms) == Bill(seconds, seconds * 1000)


def test_the_bill_is_rounded_up_once_and_exactly() -> None:
    assert bill(50, 1_100_000).total == 55
    assert bill(50, 1_100_000, reported_ms=50_000).total == 55
    assert bill(50.001, 1_100_000).total == 56
    assert bill(33.4, 1_200_000).total == 41


@given(
    forwarded=st.integers(0, 10**9),
    micro=st.integers(1, 8_000_000_000),
    audio=st.builds(
        AudioFormat,
        st.sampled_from(["linear16", "linear32", "mulaw", "alaw"]),
        st.integers(8000, 48_000),
        st.integers(1, 8),
    ),
    reported_ms=st.none() | st.integers(0, 10**7),
    silence_ms=st.sampled_from([0, 100]),
    has_words=st.booleans(),
    results_ms=st.integers(0, 10**7),
)
def test_the_bill_is_the_ceiling_of_rate_times_audio_by_exact_arithmetic(
    forwarded: int,
    micro: int,
    audio: AudioFormat,
    reported_ms: int | None,
    silence_ms: int,
    has_words: bool,
    results_ms: int,
) -> None:
    seconds = sent = Fraction(forwarded, audio.bytes_per_second)
    if reported_ms is not None and not (reported_ms == 0 and has_words):
        seconds = min(seconds, max(Fraction(0), Fraction(reported_ms - silence_ms, 1000)))
    if results_ms or not has_words:
        seconds = min(seconds, Fraction(results_ms, 1000) + 5)
    made = compute_bill(
        AudioUsage(forwarded, reported_ms, silence_ms, has_words, results_ms),
        audio,
        Tariff(audio.bytes_per_second, micro),
    )
    assert made.total == ceil(Fraction(micro, 1_000_000) * seconds)
    assert abs(Fraction(made.audio_ms, 1000) - seconds) <= Fraction(1, 2000)
    assert made.total <= ceil(Fraction(micro, 1_000_000) * sent)

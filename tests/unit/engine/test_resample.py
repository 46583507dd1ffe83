"""Tones in, the same tones at 16 kHz out: in place, at unit gain, and nothing that was not there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription_engine.resample import RATE, ZERO_CROSSINGS, Resampler, Samples

RATES = [8000, 11_025, 22_050, 24_000, 32_000, 44_100, 48_000]


def tone(hertz: float, rate: int, samples: int) -> Samples:
    wave: Samples = (0.5 * np.sin(2 * np.pi * hertz * np.arange(samples) / rate)).astype(np.float32)
    return wave


def level(samples: Samples) -> float:
    """Of the loudest, in dB of the tones' level; the first 100 samples, where a tone sets in, do not count."""
    return float(20 * np.log10(np.abs(samples[100:]).max() / 0.5 + 1e-12))


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_comes_out_as_itself(rate: int) -> None:
    out = Resampler(rate).feed(tone(1000, rate, rate))
    difference = out - tone(1000, RATE, len(out))
    assert level(difference) < -50


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("hertz", [100, 3000])
def test_speech_keeps_its_level(rate: int, hertz: int) -> None:
    assert level(Resampler(rate).feed(tone(hertz, rate, rate))) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("hertz", [9500, 12_000, 15_000, 21_000])
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_what_16_khz_cannot_hold_does_not_come_back_as_something_else(rate: int, hertz: int) -> None:
    assert level(Resampler(rate).feed(tone(hertz, rate, rate))) < -45


@pytest.mark.parametrize("rate", RATES)
def test_a_steady_level_stays_as_it_is(rate: int) -> None:
    out = Resampler(rate).feed(np.full(rate, 0.25, np.float32))
    assert out[100:] == pytest.approx(0.25, abs=1e-5)


@pytest.mark.parametrize("rate", [*RATES, 47_999])
def test_all_but_half_a_filter_comes_out_at_once(rate: int) -> None:
    heard = rate // 2
    missing = heard * RATE / rate - len(Resampler(rate).feed(np.zeros(heard, np.float32)))
    assert 0 <= missing <= ZERO_CROSSINGS * max(1, RATE / rate) + 1


@given(
    rate=st.sampled_from(RATES),
    sizes=st.lists(st.integers(0, 700), max_size=12),
    seed=st.integers(0, 2**32 - 1),
)
def test_pieces_give_what_the_whole_gives(rate: int, sizes: list[int], seed: int) -> None:
    noise = np.random.default_rng(seed).uniform(-1, 1, sum(sizes)).astype(np.float32)
    whole = Resampler(rate).feed(noise)
    resampler = Resampler(rate)
    pieces = [resampler.feed(piece) for piece in np.split(noise, np.cumsum(sizes))]
    assert np.concatenate(pieces) == pytest.approx(whole, abs=1e-6)


def test_16_khz_passes_untouched() -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, 1000).astype(np.float32)
    assert np.array_equal(Resampler(RATE).feed(noise), noise)


def test_two_streams_of_one_rate_do_not_disturb_each_other() -> None:
    first, second = Resampler(48_000), Resampler(48_000)
    first.feed(np.ones(1000, np.float32))
    assert not second.feed(np.zeros(1000, np.float32)).any()

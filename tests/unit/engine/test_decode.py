"""Raw audio in, the same audio at 16 kHz out: in place, at unit gain, and nothing that was not there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription_engine.decode import PcmDecoder
from transcription_engine.pcm import RATE, Pcm
from transcription_engine.request import Request

RATES = [8000, 11_025, 22_050, 24_000, 32_000, 44_100, 48_000]
SETTLED = 100
"""Samples at the begin and end in which a tone sets in and out."""


def tone(hertz: float, rate: int, samples: int) -> Pcm:
    wave: Pcm = (16_384 * np.sin(2 * np.pi * hertz * np.arange(samples) / rate)).astype("<i2")
    return wave


def resampled(samples: Pcm, rate: int) -> Pcm:
    return PcmDecoder(Request(rate)).feed(samples.tobytes())[:, 0]


def level(samples: Pcm) -> float:
    """Return the level of the loudest sample, in dB of the tones' level."""
    return float(20 * np.log10(np.abs(samples[SETTLED:-SETTLED].astype(float)).max() / 16_384 + 1e-12))


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_comes_out_as_itself(rate: int) -> None:
    out = resampled(tone(1000, rate, rate), rate)
    assert level(out - tone(1000, RATE, len(out))) < -50


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("hertz", [100, 3000])
def test_speech_keeps_its_level(rate: int, hertz: int) -> None:
    assert level(resampled(tone(hertz, rate, rate), rate)) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("hertz", [9500, 12_000, 15_000, 21_000])
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_what_16_khz_cannot_hold_does_not_come_back_as_something_else(rate: int, hertz: int) -> None:
    assert level(resampled(tone(hertz, rate, rate), rate)) < -45


@pytest.mark.parametrize("rate", [*RATES, 47_999])
def test_all_but_two_milliseconds_come_out_at_once(rate: int) -> None:
    missing = RATE // 2 - len(resampled(np.zeros(rate // 2, np.int16), rate))
    assert 0 <= missing <= 2 * RATE // 1000


@given(
    rate=st.sampled_from([*RATES, RATE]),
    sizes=st.lists(st.integers(0, 700), max_size=12),
    seed=st.integers(0, 2**32 - 1),
)
def test_pieces_come_out_as_the_whole_does(rate: int, sizes: list[int], seed: int) -> None:
    samples = np.random.default_rng(seed).integers(-9999, 9999, (sum(sizes), 2)).astype("<i2")
    whole, pieces = PcmDecoder(Request(rate, channels=2)), PcmDecoder(Request(rate, channels=2))
    ends = np.cumsum(sizes)
    out = [pieces.feed(samples[end - size : end].tobytes()) for size, end in zip(sizes, ends, strict=True)]
    assert np.array_equal(np.concatenate([np.zeros((0, 2), np.int16), *out]), whole.feed(samples.tobytes()))


def test_one_streams_audio_is_not_anothers() -> None:
    first, second = PcmDecoder(Request(48_000)), PcmDecoder(Request(48_000))
    first.feed(np.full(1000, 9999, np.int16).tobytes())
    assert not second.feed(bytes(2000)).any()


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("linear16", np.array([-8192, 0, 16_384], "<i2").tobytes()),
        ("linear32", np.array([-0.25, 0, 0.5], "<f4").tobytes()),
        ("mulaw", bytes([0x1F, 0xFF, 0x8F])),
        ("alaw", bytes([0x35, 0xD5, 0xA5])),
    ],
)
def test_every_raw_encoding_is_decoded(encoding: str, data: bytes) -> None:
    out = PcmDecoder(Request(RATE, encoding=encoding)).feed(data)[:, 0]
    assert out.tolist() == pytest.approx([-8192, 0, 16_384], abs=600)


def test_eight_channels_stay_apart() -> None:
    """PyAV crashes on eight planes."""
    samples = np.arange(8, dtype="<i2") * 1000 + np.zeros((4800, 1), "<i2")
    out = PcmDecoder(Request(48_000, channels=8)).feed(samples.tobytes())
    assert out[SETTLED:-SETTLED].mean(axis=0) == pytest.approx(samples[0], abs=2)

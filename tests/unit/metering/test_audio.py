"""Raw audio: bytes and time, and what silence sounds like."""

import struct
from collections.abc import Callable
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription_proxy.metering.audio import SAMPLE_BYTES, AudioFormat

FORMATS = st.builds(AudioFormat, st.sampled_from(sorted(SAMPLE_BYTES)), st.integers(8000, 48000), st.integers(1, 8))


@pytest.mark.parametrize(
    ("audio", "block", "bytes_per_second"),
    [
        (AudioFormat(), 2, 32_000),
        (AudioFormat("linear16", 48_000, 2), 4, 192_000),
        (AudioFormat("linear32", 44_100, 1), 4, 176_400),
        (AudioFormat("mulaw", 8000, 1), 1, 8000),
        (AudioFormat("alaw", 8000, 8), 8, 64_000),
    ],
)
def test_a_second_is_sample_bytes_times_channels_times_rate(
    audio: AudioFormat, block: int, bytes_per_second: int
) -> None:
    assert (audio.block, audio.bytes_per_second) == (block, bytes_per_second)


@given(FORMATS, st.integers(0, 10**9))
def test_milliseconds_are_the_nearest(audio: AudioFormat, nbytes: int) -> None:
    off = audio.milliseconds(nbytes) - Fraction(nbytes * 1000, audio.bytes_per_second)
    assert -Fraction(1, 2) < off <= Fraction(1, 2)


@given(FORMATS, st.integers(0, 10**6))
def test_bytes_of_a_time_are_whole_blocks_and_the_most_that_fit(audio: AudioFormat, milliseconds: int) -> None:
    nbytes = audio.bytes_in(milliseconds)
    exact = Fraction(milliseconds * audio.bytes_per_second, 1000)
    assert nbytes % audio.block == 0
    assert nbytes <= exact < nbytes + audio.block


def mulaw(byte: int) -> int:
    """A sample by G.711."""
    flipped = ~byte & 0xFF
    magnitude = ((flipped & 0x0F) * 8 + 0x84 << (flipped >> 4 & 7)) - 0x84
    return -magnitude if flipped & 0x80 else magnitude


def alaw(byte: int) -> int:
    """A sample by G.711."""
    flipped = byte ^ 0x55
    exponent, mantissa = flipped >> 4 & 7, flipped & 0x0F
    magnitude = mantissa * 16 + 8 if exponent == 0 else mantissa * 16 + 264 << exponent - 1
    return magnitude if flipped & 0x80 else -magnitude


DECODERS: dict[str, Callable[[bytes], list[float]]] = {
    "linear16": lambda data: [sample[0] for sample in struct.iter_unpack("<h", data)],
    "linear32": lambda data: [sample[0] for sample in struct.iter_unpack("<f", data)],
    "mulaw": lambda data: [mulaw(byte) for byte in data],
    "alaw": lambda data: [alaw(byte) for byte in data],
}
QUIETEST = {"linear16": 0, "linear32": 0, "mulaw": 0, "alaw": 8}
"""A-law has no zero."""


@pytest.mark.parametrize(("encoding", "channels"), list(product(sorted(SAMPLE_BYTES), (1, 2, 8))))
def test_silence_is_silent_and_as_long_as_was_asked(encoding: str, channels: int) -> None:
    audio = AudioFormat(encoding, 8000, channels)
    samples = DECODERS[encoding](audio.silence(100))
    assert len(samples) == 800 * channels
    assert {abs(sample) for sample in samples} == {QUIETEST[encoding]}

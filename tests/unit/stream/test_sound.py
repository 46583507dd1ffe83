"""How loud raw audio is in each encoding, and the files that are not raw audio."""

import io
import math
from array import array
from random import Random
from typing import Any, Final

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription_proxy.metering.audio import SAMPLE_BYTES, AudioFormat
from transcription_proxy.stream.sound import HEAD_BYTES, QUIET_POWER, container, power

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
NOISE: Final[Floats] = np.random.default_rng(5).uniform(-1, 1, 16_000)


def encoded(samples: Floats, encoding: str) -> bytes:
    """Samples from -1 to 1 as raw audio, G.711 by FFmpeg."""
    if encoding == "linear32":
        return array("f", samples).tobytes()
    whole = np.clip(np.round(samples * 32767), -32768, 32767).astype("<i2")
    if encoding == "linear16":
        return whole.tobytes()
    codec: Any = av.CodecContext.create(f"pcm_{encoding}", "w")
    codec.sample_rate, codec.format, codec.layout = 16_000, "s16", "mono"
    frame = av.AudioFrame.from_ndarray(whole.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = 16_000
    return b"".join(bytes(packet) for packet in [*codec.encode(frame), *codec.encode(None)])


@pytest.mark.parametrize("encoding", SAMPLE_BYTES)
@pytest.mark.parametrize("decibels", [0, -20, -45, -55])
def test_loudness_is_that_of_the_samples_in_every_encoding(encoding: str, decibels: int) -> None:
    samples = NOISE * 10 ** (decibels / 20)
    measured = 10 * math.log10(power(encoded(samples, encoding), encoding))
    assert measured == pytest.approx(10 * math.log10(np.mean(samples**2)), abs=1.5)


@pytest.mark.parametrize("encoding", SAMPLE_BYTES)
def test_silence_is_quiet_in_every_encoding(encoding: str) -> None:
    assert power(AudioFormat(encoding).silence(100), encoding) < QUIET_POWER / 100


@pytest.mark.parametrize("channels", range(1, 9))
def test_one_loud_channel_is_heard_among_silent_ones(channels: int) -> None:
    for loud in range(channels):
        samples = np.zeros((16_000, channels))
        samples[:, loud] = NOISE
        assert power(encoded(samples.reshape(-1), "linear16"), "linear16") == pytest.approx(1 / 3 / channels, rel=0.3)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 3e38])
def test_floats_that_are_no_sound_count_as_full_scale(value: float) -> None:
    assert power(array("f", [value] * 100).tobytes(), "linear32") == 1


@given(st.binary(min_size=4, max_size=400), st.sampled_from(list(SAMPLE_BYTES)))
def test_any_bytes_have_a_loudness(audio: bytes, encoding: str) -> None:
    assert 0 <= power(audio[: len(audio) // 4 * 4], encoding) <= 1


def file(format_name: str, codec: str, rate: int = 48_000, seconds: float = 1) -> bytes:
    """A file of noise, made by FFmpeg."""
    made = io.BytesIO()
    with av.open(made, "w", format=format_name) as output:
        stream: Any = output.add_stream(codec, rate=rate, layout="mono")
        samples: Any = (np.random.default_rng(5).uniform(-0.5, 0.5, round(rate * seconds)) * 32767).astype("<i2")
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(stream.format, "mono", rate, frame_size=stream.codec_context.frame_size or None)
        for cut in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(cut))
        output.mux(stream.encode(None))
    return made.getvalue()


FILES: Final = {
    "webm": ("webm", "libopus", 48_000, "WebM"),
    "ogg": ("ogg", "libopus", 48_000, "Ogg"),
    "flac": ("flac", "flac", 44_100, "FLAC"),
    "wav": ("wav", "pcm_s16le", 16_000, "WAV"),
    "mp4": ("mp4", "aac", 44_100, "MP4"),
    "mp3 with a tag": ("mp3", "libmp3lame", 44_100, "MP3"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_are_recognised_by_their_first_bytes(name: str) -> None:
    format_name, codec, rate, known = FILES[name]
    assert container(file(format_name, codec, rate)[:HEAD_BYTES]) == known


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000])
def test_mp3_is_recognised_without_a_tag_at_every_rate(rate: int) -> None:
    tagged = file("mp3", "libmp3lame", rate)
    assert tagged[:3] == b"ID3"
    size = int.from_bytes(bytes(tagged[6:10]), "big")
    bare = tagged[10 + (size & 0x7F | (size >> 8 & 0x7F) << 7) :]
    assert bare[0] == 0xFF
    assert container(bare[:HEAD_BYTES]) == "MP3"
    assert container(bare[:40]) is None, "one frame alone is found in raw audio, too"


@pytest.mark.parametrize("head", [b"", b"R", b"RIFF", b"RIFF\0\0\0\0AVI ", b"ID3\xff", bytes(4096), b"\xff" * 4096])
def test_other_bytes_are_raw_audio(head: bytes) -> None:
    assert container(head) is None


@pytest.mark.parametrize("header", [b"\xff\xfb\x00\x00", b"\xff\xfb\xf0\x00", b"\xff\xfb\x9c\x00", b"\xff\xea\x90\x00"])
def test_headers_with_reserved_values_are_no_mp3(header: bytes) -> None:
    assert container(header * 1024) is None


def test_noise_is_raw_audio() -> None:
    random = Random(3)
    assert not any(container(b"\xff\xfb\x90" + random.randbytes(4000)) for _ in range(1000))

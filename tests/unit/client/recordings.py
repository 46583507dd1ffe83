"""Files of sound, made for a test: a tone of a known pitch."""

import math
from array import array
from itertools import pairwise
from pathlib import Path

import av
from av.audio.stream import AudioStream

PITCH = 440


def tone(seconds: float, rate: int = 16_000, channels: int = 1) -> "array[int]":
    """Interleaved 16-bit samples."""
    samples = (round(12_000 * math.sin(2 * math.pi * PITCH * n / rate)) for n in range(round(seconds * rate)))
    return array("h", (sample for sample in samples for _ in range(channels)))


def record(path: Path, seconds: float, *, codec: str = "pcm_s16le", rate: int = 16_000, channels: int = 1) -> Path:
    """A file of that tone; the format goes by the name."""
    layout = "mono" if channels == 1 else "stereo"
    frame = av.AudioFrame(format="s16", layout=layout, samples=round(seconds * rate))
    frame.planes[0].update(tone(seconds, rate, channels).tobytes())
    frame.sample_rate, frame.pts = rate, 0
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        assert isinstance(stream, AudioStream)
        resampler = av.AudioResampler(stream.format.name, layout, rate, frame_size=stream.frame_size or None)
        for piece in [*resampler.resample(frame), *resampler.resample(None), None]:
            container.mux(stream.encode(piece))
    return path


def picture(path: Path) -> Path:
    """A film without sound, of one picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 32
        container.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        container.mux(stream.encode(None))
    return path


def pitch(sound: bytes, rate: int = 16_000) -> float:
    """How often a second linear16 rises through zero."""
    samples = array("h", sound)
    rises = sum(1 for before, after in pairwise(samples) if before < 0 <= after)
    return rises * rate / len(samples)

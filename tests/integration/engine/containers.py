"""Real speech in containers and codecs, made with PyAV."""

import io
import tempfile
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.integration.engine.recordings import Pcm, at_rate, recording

LAYOUTS = {1: "mono", 2: "stereo", 8: "7.1"}
LIVE_WEBM = {"live": "1", "cluster_time_limit": "1000"}
"""As a browser's MediaRecorder writes it: no length, no index, clusters of unknown size."""
BIT_RATES = {"libopus": 32_000, "libopencore_amrnb": 12_200}


def speech(rate: int = 16_000) -> Pcm:
    """Return 10 s of speech, whose text is BECKETT."""
    samples, found = recording("beckett.wav")
    return at_rate(samples, found, rate)


def encoded(kind: str, codec: str, rate: int, *channels: Pcm, **options: str) -> bytes:
    """Return a file. `options`: of the muxer."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "audio")  # some muxers open their file again
        with av.open(str(file), "w", format=kind, options=options) as container:
            stream: Any = container.add_stream(codec, rate=rate, layout=LAYOUTS[len(channels)])
            if codec in BIT_RATES:
                stream.bit_rate = BIT_RATES[codec]
            for frame in _frames(stream, rate, *channels):
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return file.read_bytes()


def opus_packets(rate: int = 48_000) -> list[bytes]:
    """Return speech as raw Opus packets of 20 ms."""
    with av.open(io.BytesIO(encoded("ogg", "libopus", rate, speech(rate))), "r") as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def _frames(stream: Any, rate: int, *channels: Pcm) -> list[av.AudioFrame]:
    interleaved = np.ascontiguousarray(np.stack(channels, axis=1)).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(interleaved, "s16", stream.layout.name)
    frame.rate = rate
    resampler = av.AudioResampler(stream.format, stream.layout, rate, stream.codec_context.frame_size or 1024)
    return [*resampler.resample(frame), *resampler.resample(None)]

"""Decodes audio files of any kind with PyAV: WebM, MP3, M4A, Ogg, FLAC, WAV and more, and raw audio. No other module
imports it."""

from collections.abc import Iterator
from typing import IO, Final

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from transcription_engine.request import RawFormat
from transcription_engine.resample import RATE

MAX_CHANNELS: Final = 20
FORMATS: Final = (
    "aac,aiff,alaw,amr,amrnb,amrwb,asf,au,avi,caf,f32le,flac,flv,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpeg,mpegts,"
    "mulaw,ogg,s16le,w64,wav"
)
"""Formats that hold the audio themselves. Playlists would make FFmpeg open other files and addresses."""
Pcm = NDArray[np.int16]


class Undecodable(Exception):
    """The file has no audio that can be decoded."""


def decoded(file: IO[bytes], raw: RawFormat | None) -> Iterator[Pcm]:
    """Yield the audio at 16 kHz in pieces of shape (samples, channels). Raise Undecodable if there is none.

    A file that is cut off or damaged further on is decoded as far as it goes."""
    yielded = False
    try:
        for piece in _pieces(file, raw):
            yielded = True
            yield piece
    except (av.FFmpegError, ValueError) as error:
        if not yielded:
            raise Undecodable(type(error).__name__) from error
    if not yielded:
        raise Undecodable("no audio")


def _pieces(file: IO[bytes], raw: RawFormat | None) -> Iterator[Pcm]:
    options = {"format_whitelist": FORMATS}
    if raw is not None:
        options |= {"sample_rate": str(raw.sample_rate), "ch_layout": f"{raw.channels}c"}
    with av.open(file, "r", format=raw.format if raw else None, options=options) as container:
        if not container.streams.audio:
            raise Undecodable("no audio stream")
        resampler: AudioResampler | None = None
        for frame in container.decode(container.streams.audio[0]):
            if resampler is None:
                if frame.layout.nb_channels > MAX_CHANNELS:
                    raise Undecodable("too many channels")
                resampler = AudioResampler("s16p", frame.layout, RATE)
            frame.pts = None  # the length counts what there is, without gaps between time stamps
            yield from _samples(resampler.resample(frame))
        if resampler is not None:
            yield from _samples(resampler.resample(None))


def _samples(frames: list[AudioFrame]) -> Iterator[Pcm]:
    for frame in frames:
        if frame.samples:
            yield np.ascontiguousarray(frame.to_ndarray().astype("<i2").T)

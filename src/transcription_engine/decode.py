"""Decodes and resamples audio with PyAV: files and streams of WebM, MP3, M4A, Ogg, FLAC, WAV and more, and raw audio.
No other module imports PyAV.

Frames are read in the packed format s16: PyAV crashes on the planes of a frame with eight or more channels."""

import tempfile
from collections.abc import Iterator
from typing import IO, Final, Protocol, cast

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from transcription_engine import mp4, wav
from transcription_engine.pcm import RATE, SAMPLE_BYTES, Pcm
from transcription_engine.request import Encoded, Request

MAX_CHANNELS: Final = 20
FORMATS: Final = (
    "aac,aiff,alaw,amr,amrnb,amrwb,asf,au,avi,caf,f32le,f64le,flac,flv,g729,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpeg,"
    "mpegts,mulaw,ogg,s16le,s24le,s32le,u8,w64,wav"
)
"""Formats that hold the audio themselves. Playlists would make FFmpeg open other files and addresses."""
LIVE_OPTIONS: Final = {"probesize": "32768", "analyzeduration": "100000", "formatprobesize": "65536"}
"""Decode a stream from its first words on: FFmpeg reads up to 5 s of audio, or 1 MiB of anything, before it begins."""
MAX_WHOLE_BYTES: Final = 64 << 20
"""Bytes that a stream may have if it can be decoded at its end only."""
CODECS: Final = {"linear16": "pcm_s16le", "linear32": "pcm_f32le", "mulaw": "pcm_mulaw", "alaw": "pcm_alaw",
                 "opus": "opus", "speex": "speex"}  # fmt: skip
"""FFmpeg's decoder of audio without a container, by Deepgram's name of the encoding."""
CONTAINERS: Final = {"linear16": "s16le", "linear32": "f32le", "mulaw": "mulaw", "alaw": "alaw", "flac": "flac",
                     "ogg-opus": "ogg", "amr-nb": "amrnb", "amr-wb": "amrwb", "g729": "g729"}  # fmt: skip
"""FFmpeg's format of a file or stream, by Deepgram's name of the encoding."""


class Undecodable(Exception):
    """There is no audio that can be decoded."""


class Source(Protocol):
    """The bytes of a stream. Its methods wait for bytes."""

    def read(self, size: int, /) -> bytes:
        """Return at most so many bytes, none at the end."""

    def peek(self, size: int, /) -> bytes:
        """Return so many bytes without consuming them, fewer at the end."""

    def message(self) -> bytes:
        """Return the bytes that the client sent as one message, none at the end."""


class PcmDecoder:
    """Decodes and resamples one stream of raw audio, piece by piece."""

    def __init__(self, request: Request) -> None:
        """`request`: one whose encoding is in SAMPLE_BYTES."""
        self._channels = request.channels
        self._codec = None
        if request.encoding != "linear16" or request.sample_rate != RATE:
            self._codec = _codec(request.encoding or "", request.sample_rate, request.channels)
            self._resampler = _Resampler()

    def feed(self, data: bytes) -> Pcm:
        """Return the samples that can be computed so far. About a millisecond waits for more input."""
        if self._codec is None:
            return np.frombuffer(data, "<i2").reshape(-1, self._channels)
        pieces = [self._resampler.feed(frame) for frame in self._codec.decode(av.Packet(data))] if data else []
        return np.concatenate(pieces) if pieces else np.zeros((0, self._channels), np.int16)


class _Resampler:
    """Resamples frames to 16 kHz. Should their format change in mid-stream, the channels stay as they were."""

    def __init__(self) -> None:
        self._resampler: AudioResampler | None = None
        self._format: tuple[str, int, str] | None = None

    def feed(self, frame: AudioFrame) -> Pcm:
        format = frame.format.name, frame.sample_rate, frame.layout.name
        rest: list[AudioFrame] = []
        if self._resampler is None:
            if frame.layout.nb_channels > MAX_CHANNELS:
                raise Undecodable("too many channels")
            self._layout = frame.layout
        if self._resampler is None or format != self._format:
            rest = self._resampler.resample(None) if self._resampler else []
            self._resampler, self._format = AudioResampler("s16", self._layout, RATE), format
        frame.pts = None  # the length counts what there is, without gaps between time stamps
        return self._samples([*rest, *self._resampler.resample(frame)])

    def finish(self) -> Pcm:
        """Return the last samples."""
        return self._samples(self._resampler.resample(None) if self._resampler else [])

    def _samples(self, frames: list[AudioFrame]) -> Pcm:
        channels = self._layout.nb_channels if self._resampler else 1
        pieces = [frame.to_ndarray().reshape(-1, channels) for frame in frames if frame.samples]
        return np.concatenate(pieces) if pieces else np.zeros((0, channels), np.int16)


def decoded(file: IO[bytes], encoded: Encoded | None) -> Iterator[Pcm]:
    """Yield the audio of a file at 16 kHz, in pieces. Raise Undecodable if there is none.

    A file that is cut off or damaged further on is decoded as far as it goes."""
    yielded = False
    try:
        with _opened(file, CONTAINERS[encoded.encoding] if encoded else None, encoded) as container:
            for piece in _pieces(container):
                yielded = True
                yield piece
    except (av.FFmpegError, ValueError) as error:
        if not yielded:
            raise Undecodable(type(error).__name__) from error
    if not yielded:
        raise Undecodable("no audio")


def decoded_live(source: Source, encoded: Encoded | None) -> Iterator[Pcm]:
    """Yield the audio of a stream at 16 kHz, as it arrives. Raise Undecodable where it cannot be decoded."""
    try:
        if encoded is not None and encoded.encoding in CODECS:
            yield from _decoded_packets(source, encoded)
        else:
            yield from _decoded_container(source, encoded)
    except (av.FFmpegError, ValueError) as error:
        raise Undecodable(type(error).__name__) from error


def _decoded_packets(source: Source, encoded: Encoded) -> Iterator[Pcm]:
    codec, resampler = _codec(encoded.encoding, encoded.sample_rate, encoded.channels), _Resampler()
    damaged = True
    while message := source.message():
        try:
            frames = codec.decode(av.Packet(message))
        except av.FFmpegError:
            continue  # a damaged packet costs its own words only
        for frame in frames:
            damaged = False
            yield resampler.feed(frame)
    if damaged:
        raise Undecodable("no audio")
    yield resampler.finish()


def _decoded_container(source: Source, encoded: Encoded | None) -> Iterator[Pcm]:
    file: Source | _Part | IO[bytes] = source
    if encoded is not None:
        format = CONTAINERS[encoded.encoding]
    elif header := wav.read(source.peek):
        format, encoded = header.format, Encoded(header.format, header.sample_rate, header.channels)
        file = _Part(source, header)
    else:
        format = "mp3" if source.peek(3) == b"ID3" else ""  # a picture in the tag may be larger than the probe
    if encoded is None and mp4.is_index_last(source.peek):
        file = _whole(source)
    with _opened(file, format or None, encoded, LIVE_OPTIONS) as container:
        yield from _pieces(container)


class _Part:
    """The audio of a WAV stream without its header, and without what follows the audio."""

    def __init__(self, source: Source, header: wav.Wav) -> None:
        self._source = source
        self._left = header.nbytes
        skipped = 0
        while skipped < header.begin and (data := source.read(header.begin - skipped)):
            skipped += len(data)

    def read(self, size: int) -> bytes:
        """Return at most so many bytes, none at the end."""
        if self._left is None:
            return self._source.read(size)
        data = self._source.read(min(size, self._left)) if self._left else b""
        self._left -= len(data)
        return data


def _whole(source: Source) -> IO[bytes]:
    """Return a temporary file with the whole stream. Raise Undecodable if it is too long."""
    file = cast("IO[bytes]", tempfile.TemporaryFile())  # noqa: SIM115 - freed with the last reference to it
    while data := source.read(1 << 16):
        file.write(data)
        if file.tell() > MAX_WHOLE_BYTES:
            raise Undecodable("the index comes too late")
    file.seek(0)
    return file


def _opened(
    file: object, format: str | None, encoded: Encoded | None, more: dict[str, str] | None = None
) -> av.container.InputContainer:
    options = {"format_whitelist": FORMATS, **(more or {})}
    if encoded is not None and format in (*CONTAINERS.values(), *wav.FORMATS.values()):
        options |= _raw_options(format or "", encoded)
    return av.open(file, "r", format=format, options=options)


def _raw_options(format: str, encoded: Encoded) -> dict[str, str]:
    if format == "g729":
        return {"bit_rate": "8000"}
    if format in (*(CONTAINERS[name] for name in SAMPLE_BYTES), *wav.FORMATS.values()):
        return {"sample_rate": str(encoded.sample_rate), "ch_layout": f"{encoded.channels}C"}
    return {}


def _pieces(container: av.container.InputContainer) -> Iterator[Pcm]:
    if not container.streams.audio:
        raise Undecodable("no audio stream")
    resampler, is_damaged, has_audio = _Resampler(), False, False
    for packet in container.demux(container.streams.audio[0]):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            is_damaged = True  # a damaged packet costs its own words only
            continue
        for frame in frames:
            has_audio = True
            yield resampler.feed(frame)
    if is_damaged and not has_audio:
        raise Undecodable("damaged")
    yield resampler.finish()


def _codec(encoding: str, sample_rate: int, channels: int) -> AudioCodecContext:
    codec = AudioCodecContext.create(CODECS[encoding], "r")
    assert isinstance(codec, AudioCodecContext)
    codec.sample_rate, codec.layout = sample_rate, f"{channels}c"
    return codec

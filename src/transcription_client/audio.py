"""Reads audio: from a file in any format, which is decoded, or as raw bytes from standard input."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Final

import av
from av.audio.frame import AudioFrame
from av.container import InputContainer

from transcription_client.core import Format, Pace, frames
from transcription_client.errors import ClientError
from transcription_client.lengths import declared_seconds
from transcription_wire.lengths import exactly

PIECE_BYTES: Final = 1 << 14
MOST_PIECES: Final = 64
"""Pieces that are read ahead, 1 MiB in all. A recorder in a pipe continues while the client connects."""
STOP_SECONDS: Final = 2.0
"""How long a file may take to be closed."""
TOLERATED_SECONDS: Final = 0.5
TOLERATED_PART: Final = 0.01
"""How much shorter than declared a file may be, in seconds or as a part of its length.

Decoders drop the padding of their encoder, and formats round their lengths."""


async def paced(decoded: Iterator[bytes], audio: Format, pace: Pace) -> AsyncIterator[bytes]:
    """Yield frames of a tenth of a second, each when `pace` says that it is due. Raise ClientError."""
    cut = frames(decoded, audio.frame_bytes)
    async for frame in _pumped(lambda: next(cut, b"")):
        await asyncio.sleep(pace.wait(len(frame), time.monotonic()))
        yield frame


def from_file(path: Path, audio: Format) -> Iterator[bytes]:
    """Return a file's first audio stream as linear16 at `audio.sample_rate`, mixed to mono.

    The file is opened at once. Raise ClientError, also after the last frame if the file is cut off or damaged.
    """
    try:
        container = av.open(f"file:{path}")  # without the prefix, FFmpeg reads a name with a colon as a URL
    except FileNotFoundError as error:
        raise ClientError(f"No such file: {path}. Check the name.") from error
    except (OSError, av.FFmpegError) as error:
        raise _undecodable(path, error) from error
    if not container.streams.audio:
        container.close()
        raise ClientError(f"{path} has no audio. Choose another file.")
    return _decoded(container, path, audio)


def _decoded(container: InputContainer, path: Path, audio: Format) -> Iterator[bytes]:
    samples = 0
    try:
        with container:
            declared = declared_seconds(container, path)
            for frame in _resampled(container, audio):
                samples += frame.samples
                yield bytes(frame.planes[0])[: frame.samples * 2]
    except (OSError, av.FFmpegError) as error:
        raise _undecodable(path, error) from error
    if not samples:
        raise ClientError(f"{path} has no audio that can be decoded. Choose another file.")
    decoded = samples / audio.sample_rate
    missing = (declared or 0.0) - decoded
    if missing > max(TOLERATED_SECONDS, TOLERATED_PART * decoded):
        raise ClientError(
            f"{path} is cut off or damaged. {exactly(decoded)} could be decoded, {exactly(missing)} are missing."
        )


def _resampled(container: InputContainer, audio: Format) -> Iterator[AudioFrame]:
    for _, alike in groupby(_frames(container), key=lambda frame: (frame.layout.name, frame.sample_rate)):
        resampler = av.AudioResampler(format="s16", layout="mono", rate=audio.sample_rate)
        for frame in alike:
            yield from resampler.resample(frame)
        yield from resampler.resample(None)


def _frames(container: InputContainer) -> Iterator[AudioFrame]:
    for packet in container.demux(container.streams.audio[0]):
        with suppress(av.InvalidDataError):  # skip a damaged packet
            yield from packet.decode()


def _undecodable(path: Path, error: Exception) -> ClientError:
    if isinstance(error, OSError) and error.errno:
        return ClientError(f"Can't read {path} ({os.strerror(error.errno)}). Choose another file.")
    return ClientError(f"Can't decode {path}. Choose an audio file such as WAV, MP3 or Ogg.")


class FileSource:
    """An AudioSource that plays an audio file, at the speed it was spoken.

    `on_problem` is called with a sentence where the file cannot be decoded."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.ended = threading.Event()
        """The file was played to its end, or failed."""
        self.on_problem: Callable[[str], None] = lambda sentence: None

    def start(self, callback: Callable[[bytes], None]) -> None:
        """Begin at the begin of the file. Raise ClientError where it cannot be opened."""
        audio = Format()
        decoded = frames(from_file(self._path, audio), audio.frame_bytes)
        self._stopping.clear()
        self.ended.clear()
        self._thread = threading.Thread(
            target=self._play, args=(decoded, Pace(audio), callback), name="captions-file", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def _play(self, decoded: Iterator[bytes], pace: Pace, callback: Callable[[bytes], None]) -> None:
        try:
            for frame in decoded:
                if self._stopping.wait(pace.wait(len(frame), time.monotonic())):
                    break
                callback(frame)
        except ClientError as error:
            self.on_problem(str(error))
        self.ended.set()


def from_stdin() -> AsyncIterator[bytes]:
    """Yield the raw bytes of standard input as they arrive. Raise ClientError, also at the end if there were none."""
    if sys.stdin is None or sys.stdin.isatty():
        raise ClientError("- reads raw audio from a pipe. Pipe a recorder into it; see --help for an example.")
    descriptor = sys.stdin.fileno()
    return _some(_pumped(lambda: os.read(descriptor, PIECE_BYTES)))


async def _some(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    came = False
    try:
        async for piece in pieces:
            came = True
            yield piece
    except OSError as error:
        raise ClientError(f"Can't read standard input: {error.strerror}.") from error
    if not came:
        raise ClientError("Standard input was empty. Pipe a recorder into it; see --help for an example.")


def _pumped(read: Callable[[], bytes]) -> AsyncIterator[bytes]:
    """Yield what `read` returns, up to an empty piece. A daemon thread reads, so it does not keep the program alive."""
    pieces: asyncio.Queue[bytes | Exception] = asyncio.Queue(MOST_PIECES)
    threading.Thread(target=_pump, args=(read, pieces, asyncio.get_running_loop()), daemon=True).start()
    return _arriving(pieces)


async def _arriving(pieces: "asyncio.Queue[bytes | Exception]") -> AsyncIterator[bytes]:
    while piece := await pieces.get():
        if isinstance(piece, Exception):
            raise piece
        yield piece


def _pump(
    read: Callable[[], bytes], pieces: "asyncio.Queue[bytes | Exception]", loop: asyncio.AbstractEventLoop
) -> None:
    piece: bytes | Exception = b"-"
    with suppress(RuntimeError, CancelledError):  # the program ends
        while piece and not isinstance(piece, Exception):
            try:
                piece = read()
            except (ClientError, OSError) as error:
                piece = error
            asyncio.run_coroutine_threadsafe(pieces.put(piece), loop).result()

"""Where audio comes from: a file of any kind, decoded, or raw bytes on standard input."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
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

PIECE: Final = 1 << 14
PIECES: Final = 64
"""How much is read ahead, 1 MiB: a microphone goes on while the service is being reached."""


async def paced(decoded: Iterator[bytes], audio: Format, pace: Pace) -> AsyncIterator[bytes]:
    """Frames of a tenth of a second, each when it is due. Raises ClientError."""
    cut = frames(decoded, audio.frame_bytes)
    while (frame := await asyncio.to_thread(next, cut, None)) is not None:
        await asyncio.sleep(pace.wait(len(frame), time.monotonic()))
        yield frame


def from_file(path: Path, audio: Format) -> Iterator[bytes]:
    """A file's first audio stream as linear16 of that rate, mixed to mono. Opened at once; raises ClientError, later
    too where the file is broken further on."""
    try:
        container = av.open(f"file:{path}")  # else a name with a colon would be a URL
    except FileNotFoundError as error:
        raise ClientError(f"There is no file {path}: check the name.") from error
    except (OSError, av.FFmpegError) as error:
        raise _undecodable(path, error) from error
    if not container.streams.audio:
        container.close()
        raise ClientError(f"{path} has no sound in it: choose another file.")
    return _decoded(container, path, audio)


def _decoded(container: InputContainer, path: Path, audio: Format) -> Iterator[bytes]:
    heard = False
    try:
        with container:
            for frame in _resampled(container, audio):
                heard = True
                yield bytes(frame.planes[0])[: frame.samples * 2]
    except (OSError, av.FFmpegError) as error:
        raise _undecodable(path, error) from error
    if not heard:
        raise ClientError(f"{path} has no sound that can be decoded: choose another file.")


def _resampled(container: InputContainer, audio: Format) -> Iterator[AudioFrame]:
    for _, alike in groupby(_frames(container), key=lambda frame: (frame.layout.name, frame.sample_rate)):
        resampler = av.AudioResampler(format="s16", layout="mono", rate=audio.sample_rate)
        for frame in alike:
            yield from resampler.resample(frame)
        yield from resampler.resample(None)


def _frames(container: InputContainer) -> Iterator[AudioFrame]:
    for packet in container.demux(container.streams.audio[0]):
        with suppress(av.InvalidDataError):  # one damaged place does not end it
            yield from packet.decode()


def _undecodable(path: Path, error: Exception) -> ClientError:
    if isinstance(error, OSError) and error.errno:
        return ClientError(f"{path} cannot be read ({os.strerror(error.errno)}): choose another file.")
    return ClientError(f"{path} cannot be decoded: choose a file of sound, such as WAV, MP3 or Ogg.")


def from_stdin() -> AsyncIterator[bytes]:
    """Raw bytes as they come, read from now on by a daemon thread, which cannot keep the program from ending."""
    if sys.stdin is None or sys.stdin.isatty():
        raise ClientError("- reads raw audio from a pipe: put a program that records before it.")
    pieces: asyncio.Queue[bytes | OSError] = asyncio.Queue(PIECES)
    reading = (sys.stdin.fileno(), pieces, asyncio.get_running_loop())
    threading.Thread(target=_pump, args=reading, daemon=True).start()
    return _arriving(pieces)


async def _arriving(pieces: "asyncio.Queue[bytes | OSError]") -> AsyncIterator[bytes]:
    while piece := await pieces.get():
        if isinstance(piece, OSError):
            raise ClientError(f"Standard input cannot be read: {piece.strerror}.") from piece
        yield piece


def _pump(descriptor: int, pieces: "asyncio.Queue[bytes | OSError]", loop: asyncio.AbstractEventLoop) -> None:
    piece: bytes | OSError = b"-"
    with suppress(RuntimeError, CancelledError):  # the program ends
        while piece and not isinstance(piece, OSError):
            try:
                piece = os.read(descriptor, PIECE)
            except OSError as error:
                piece = error
            asyncio.run_coroutine_threadsafe(pieces.put(piece), loop).result()

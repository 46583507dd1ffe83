"""Where audio comes from: a file of any kind, decoded, or raw bytes on standard input."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path

import av
from av.audio.frame import AudioFrame

from transcription_client.core import Format, Pace, frames
from transcription_client.errors import ClientError


async def from_file(path: Path, audio: Format, *, fast: bool) -> AsyncIterator[bytes]:
    """Frames of a tenth of a second, as fast as they were spoken, or `fast`. Raises ClientError."""
    decoded = frames(decode(path, audio), audio.frame_bytes)
    pace = Pace(audio, time.monotonic())
    while (frame := await asyncio.to_thread(next, decoded, None)) is not None:
        if not fast:
            await asyncio.sleep(pace.wait(len(frame), time.monotonic()))
        yield frame


async def from_stdin() -> AsyncIterator[bytes]:
    """Raw bytes as they come. They are read by a daemon thread, which cannot keep the program from ending."""
    pieces: asyncio.Queue[bytes] = asyncio.Queue(maxsize=8)
    loop = asyncio.get_running_loop()
    threading.Thread(target=_pump, args=(sys.stdin.fileno(), pieces, loop), daemon=True).start()
    while data := await pieces.get():
        yield data


def _pump(descriptor: int, pieces: "asyncio.Queue[bytes]", loop: asyncio.AbstractEventLoop) -> None:
    data = b"-"
    while data:
        data = os.read(descriptor, 1 << 14)
        with suppress(RuntimeError, CancelledError):  # the program ends
            asyncio.run_coroutine_threadsafe(pieces.put(data), loop).result()


def decode(path: Path, audio: Format) -> Iterator[bytes]:
    """A file's first audio stream as linear16 of that rate, mixed to mono. Raises ClientError."""
    heard = False
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise ClientError(f"{path} has no sound in it: choose another file.")
            resampler = av.AudioResampler(format="s16", layout="mono", rate=audio.sample_rate)
            for frame in container.decode(container.streams.audio[0]):
                for piece in resampler.resample(frame):
                    heard = True
                    yield _bytes(piece)
            for piece in resampler.resample(None):
                yield _bytes(piece)
    except FileNotFoundError as error:
        raise ClientError(f"There is no file {path}: check the name.") from error
    except (OSError, av.FFmpegError) as error:
        raise ClientError(f"{path} cannot be decoded: choose a file of sound, such as WAV, MP3 or Ogg.") from error
    if not heard:
        raise ClientError(f"{path} is empty: choose another file.")


def _bytes(frame: AudioFrame) -> bytes:
    return bytes(frame.planes[0])[: frame.samples * 2]

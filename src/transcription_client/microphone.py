"""Reads the microphone with PortAudio: 16 kHz mono in blocks of a tenth of a second, from PortAudio's own thread."""

import asyncio
import importlib
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from transcription_client.core import Format
from transcription_client.errors import ClientError
from transcription_client.flow import Source

AUDIO: Final = Format()
MOST_BLOCKS: Final = 100
"""Blocks of a tenth of a second that are kept while the event loop is blocked. With more, the oldest are dropped."""


@contextmanager
def microphone(device: str | None = None) -> Iterator[Source]:
    """Record until the end of the block. `device`: a number, or part of a name. Raise ClientError."""
    sounddevice = _sounddevice()
    blocks = _Blocks(asyncio.get_running_loop())
    try:
        stream = sounddevice.RawInputStream(
            samplerate=AUDIO.sample_rate,
            channels=AUDIO.channels,
            dtype="int16",
            blocksize=AUDIO.frame_bytes // AUDIO.block,
            device=int(device) if device is not None and device.isdecimal() else device,
            callback=lambda sound, *_: blocks.put(bytes(sound)),
            finished_callback=blocks.end,
        )
        stream.start()
    except (sounddevice.PortAudioError, ValueError) as error:
        raise ClientError(_no_microphone(sounddevice, device, error)) from error
    try:
        yield Source(blocks.arriving(), AUDIO, live=True, take_missed=blocks.take_missed)
    finally:
        stream.close()


def _sounddevice() -> Any:
    """Import sounddevice only when it is needed, since the import fails without PortAudio. Raise ClientError."""
    try:
        return importlib.import_module("sounddevice")
    except ImportError as error:
        raise ClientError("--mic needs sounddevice. Run pip install sounddevice.") from error
    except OSError as error:
        raise ClientError("--mic needs PortAudio. On Debian and Ubuntu, run apt install libportaudio2.") from error


def _no_microphone(sounddevice: Any, device: str | None, error: Exception) -> str:
    inputs = [
        f"{number} ({known['name']})"
        for number, known in enumerate(sounddevice.query_devices())
        if known["max_input_channels"] > 0
    ]
    if not inputs:
        return "No microphone found. Plug one in, and allow this program to use it."
    asked = "" if device is None else f" {device}"
    return f"Can't open the microphone{asked} ({error}). Choose one with --device: {', '.join(inputs)}."


class _Blocks:
    """Passes blocks from PortAudio's thread to the event loop, which is woken once for all waiting blocks."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._waiting: deque[bytes] = deque()
        self._missed = 0
        self._ended = False
        self._there = asyncio.Event()

    def put(self, sound: bytes) -> None:
        with self._lock:
            if len(self._waiting) >= MOST_BLOCKS:
                self._missed += len(self._waiting.popleft())
            self._waiting.append(sound)
            first = len(self._waiting) == 1
        if first:
            self._wake()

    def end(self) -> None:
        """Note that PortAudio has stopped."""
        self._ended = True
        self._wake()

    def take_missed(self) -> int:
        with self._lock:
            missed, self._missed = self._missed, 0
        return missed

    async def arriving(self) -> AsyncIterator[bytes]:
        """Yield blocks as they arrive. Raise ClientError when the microphone stops."""
        while True:
            await self._there.wait()
            self._there.clear()
            while sound := self._take():
                yield sound
            if self._ended:
                raise ClientError("The microphone was disconnected. Plug it back in, or choose another with --device.")

    def _take(self) -> bytes:
        with self._lock:
            return self._waiting.popleft() if self._waiting else b""

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._there.set)
        except RuntimeError:
            return  # the event loop is closed, because the program ends


def input_devices() -> list[str]:
    """Return the names of the microphones that are connected now. Raise ClientError without PortAudio."""
    return []


class Microphone:
    """An AudioSource that reads a microphone, and finds it again by its name after it was unplugged."""

    def __init__(self, device: str | None = None) -> None:
        """`device`: a name from `input_devices()`; None for the system's default."""
        self._device = device
        self.on_problem: Callable[[str], None] = lambda sentence: None

    def start(self, callback: Callable[[bytes], None]) -> None:
        """Begin to record. Return at once; a microphone that cannot be opened is told to `on_problem`."""

    def stop(self) -> None:
        """End the recording."""

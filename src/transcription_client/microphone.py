"""Reads microphones with PortAudio: `microphone` for one transcription of the command line, and `Microphone` for the
engine, which finds a microphone again that was unplugged."""

import asyncio
import importlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import av

from transcription_client.blocks import Blocks
from transcription_client.core import Format
from transcription_client.engine import sentences
from transcription_client.errors import ClientError
from transcription_client.flow import Source

AUDIO: Final = Format()
UNPLUGGED: Final = "The microphone was disconnected. Plug it back in, or choose another with --device."
LOOK_SECONDS: Final = 1.0
"""Pause between two looks for a microphone that is not connected."""
SILENT_SECONDS: Final = 2.0
"""A microphone that gives no audio for this long is opened again: some drivers never tell that it was unplugged."""
STOP_SECONDS: Final = 2.0
"""How long PortAudio may take to close a microphone."""


@contextmanager
def microphone(device: str | None = None) -> Iterator[Source]:
    """Record until the end of the block. `device`: a number, or part of a name. Raise ClientError."""
    sounddevice = _sounddevice()
    blocks = Blocks(asyncio.get_running_loop())
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
        yield Source(blocks.arriving(UNPLUGGED), AUDIO, live=True, take_missed=blocks.take_missed)
    finally:
        stream.close()


def _sounddevice(
    missing: str = "--mic needs sounddevice. Run pip install sounddevice.",
    without_portaudio: str = "--mic needs PortAudio. On Debian and Ubuntu, run apt install libportaudio2.",
) -> Any:
    """Import sounddevice only when it is needed, since the import fails without PortAudio. Raise ClientError."""
    try:
        return importlib.import_module("sounddevice")
    except ImportError as error:
        raise ClientError(missing) from error
    except OSError as error:
        raise ClientError(without_portaudio) from error


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


def input_devices() -> list[str]:
    """Return the names of the microphones that are connected now. Raise ClientError without PortAudio."""
    with _portaudio.free() as sounddevice:
        try:
            return list(dict.fromkeys(known["name"] for known in _inputs(sounddevice)))
        except sounddevice.PortAudioError as error:
            raise ClientError(sentences.sound_system_failed(str(error))) from error


class Microphone:
    """An AudioSource that reads a microphone, and finds it again by its name after it was unplugged.

    `on_problem` is called with a sentence when the microphone cannot be used, and with "" once it can."""

    def __init__(self, device: str | None = None) -> None:
        """`device`: a name from `input_devices()`; None for the system's default."""
        self._device = device or None
        self._ended = threading.Event()
        """The microphone was unplugged, or `stop` was called."""
        self._stopping = threading.Event()
        self._heard_at = 0.0
        self._thread: threading.Thread | None = None
        self.on_problem: Callable[[str], None] = lambda sentence: None

    def start(self, callback: Callable[[bytes], None]) -> None:
        """Begin to record. Return at once; a microphone that cannot be opened is told to `on_problem`."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, args=(callback,), name="captions-microphone", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the recording."""
        self._stopping.set()
        self._ended.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def _run(self, callback: Callable[[bytes], None]) -> None:
        problem = ""
        while not self._stopping.is_set():
            try:
                with self._open(callback):
                    self._watch(problem)
                problem = sentences.UNPLUGGED
            except ClientError as error:
                problem = str(error)
            if not self._stopping.is_set():
                self.on_problem(problem)
                self._stopping.wait(LOOK_SECONDS)

    @contextmanager
    def _open(self, callback: Callable[[bytes], None]) -> Iterator[None]:
        """Record until the end of the block. Raise ClientError."""
        self._ended.clear()
        self._heard_at = time.monotonic()
        with _portaudio.used() as sounddevice:
            stream = _opened(sounddevice, self._device, self._taking(callback), self._ended.set)
            try:
                yield
            finally:
                stream.close()

    def _taking(self, callback: Callable[[bytes], None]) -> Callable[[bytes], None]:
        def take(sound: bytes) -> None:
            self._heard_at = time.monotonic()
            if sound and not self._stopping.is_set():
                callback(sound)

        return take

    def _watch(self, problem: str) -> None:
        """Wait until the microphone ends. Tell that it works again once it gives audio."""
        began_at = self._heard_at
        while not self._ended.wait(0.2):
            if problem and self._heard_at > began_at:
                self.on_problem("")
                problem = ""
            if time.monotonic() - self._heard_at > SILENT_SECONDS:
                return


def _inputs(sounddevice: Any) -> list[dict[str, Any]]:
    return [known for known in sounddevice.query_devices() if known["max_input_channels"] > 0]


def _opened(sounddevice: Any, name: str | None, take: Callable[[bytes], None], ended: Callable[[], None]) -> Any:
    """Return a started stream of a microphone, in the device's own rate. Raise ClientError."""
    try:
        inputs = _inputs(sounddevice)
        if not inputs:
            raise ClientError(sentences.NO_MICROPHONE)
        device = sounddevice.query_devices(None, "input") if name is None else _named(inputs, name)
        rate, channels = int(device["default_samplerate"]), min(2, device["max_input_channels"])
        convert = resampling(rate, channels)
        stream = sounddevice.RawInputStream(
            samplerate=rate,
            channels=channels,
            dtype="int16",
            blocksize=rate // 10,
            device=device["index"],
            callback=lambda sound, *_: take(convert(bytes(sound))),
            finished_callback=ended,
        )
        stream.start()
    except (sounddevice.PortAudioError, ValueError) as error:
        raise ClientError(sentences.microphone_refused(name or "", str(error))) from error
    return stream


def _named(inputs: list[dict[str, Any]], name: str) -> dict[str, Any]:
    for known in inputs:
        if known["name"] == name:
            return known
    raise ClientError(sentences.microphone_missing(name))


def resampling(rate: int, channels: int) -> Callable[[bytes], bytes]:
    """Return a function that turns 16-bit audio of that rate, with one or two channels, into 16 kHz mono."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=AUDIO.sample_rate)
    layout = "mono" if channels == 1 else "stereo"

    def convert(sound: bytes) -> bytes:
        frame = av.AudioFrame(format="s16", layout=layout, samples=len(sound) // 2 // channels)
        frame.sample_rate = rate
        frame.planes[0].update(sound)
        return b"".join(bytes(each.planes[0])[: each.samples * 2] for each in resampler.resample(frame))

    return convert


class _PortAudio:
    """PortAudio lists the devices only when it is initialized, which must not happen while a stream is open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0

    @contextmanager
    def free(self) -> Iterator[Any]:
        """Yield sounddevice, with the devices of this moment unless one of our streams is open. Raise ClientError."""
        sounddevice = _sounddevice(sentences.NO_SOUNDDEVICE, sentences.NO_PORTAUDIO)
        with self._lock:
            self._refresh(sounddevice)
            yield sounddevice

    @contextmanager
    def used(self) -> Iterator[Any]:
        """Yield sounddevice for opening a stream, which is closed by the end of the block. Raise ClientError."""
        sounddevice = _sounddevice(sentences.NO_SOUNDDEVICE, sentences.NO_PORTAUDIO)
        with self._lock:
            self._refresh(sounddevice)
            self._users += 1
        try:
            yield sounddevice
        finally:
            with self._lock:
                self._users -= 1

    def _refresh(self, sounddevice: Any) -> None:
        if self._users:
            return
        with suppress(sounddevice.PortAudioError):  # the last initialization failed
            sounddevice._terminate()
        try:
            sounddevice._initialize()
        except sounddevice.PortAudioError as error:
            raise ClientError(sentences.sound_system_failed(str(error))) from error


_portaudio: Final = _PortAudio()

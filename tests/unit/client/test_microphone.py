"""The microphone, with a PortAudio of the test's own: there is no hardware here."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any

import pytest

from transcription_client.blocks import MOST_BYTES
from transcription_client.core import Format
from transcription_client.errors import ClientError
from transcription_client.microphone import microphone

BLOCK = Format().frame_bytes
MOST_BLOCKS = MOST_BYTES // BLOCK
DEVICES = [
    {"name": "Speakers", "max_input_channels": 0},
    {"name": "Built-in", "max_input_channels": 2},
    {"name": "USB headset", "max_input_channels": 1},
]


class PortAudioError(Exception):
    """As sounddevice has it."""


@dataclass
class Stream:
    """As sounddevice's RawInputStream, played by hand."""

    options: dict[str, Any]
    started: bool = False
    closed: bool = False

    def start(self) -> None:
        self.started = True

    def close(self) -> None:
        self.closed = True

    def hear(self, *blocks: bytes) -> None:
        """From another thread, as PortAudio does; the buffer is not valid after the call."""

        def call() -> None:
            for block in blocks:
                buffer = bytearray(block)
                self.options["callback"](memoryview(buffer), len(block) // 2, None, None)
                buffer[:] = bytes(len(block))

        thread = threading.Thread(target=call)
        thread.start()
        thread.join()

    def stop(self) -> None:
        thread = threading.Thread(target=self.options["finished_callback"])
        thread.start()
        thread.join()


@dataclass
class SoundDevice:
    devices: list[dict[str, Any]] = field(default_factory=lambda: DEVICES)
    refuses: Exception | None = None
    stream: Stream | None = None

    def open(self, **options: Any) -> Stream:
        if self.refuses is not None:
            raise self.refuses
        self.stream = Stream(options)
        return self.stream


@pytest.fixture
def sounddevice(monkeypatch: pytest.MonkeyPatch) -> SoundDevice:
    fake = SoundDevice()
    module = ModuleType("sounddevice")
    vars(module).update(
        PortAudioError=PortAudioError, RawInputStream=fake.open, query_devices=lambda: list(fake.devices)
    )
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return fake


def block(number: int) -> bytes:
    return bytes([number]) * BLOCK


async def test_sound_comes_as_16_khz_mono_in_tenths_of_a_second(sounddevice: SoundDevice) -> None:
    with microphone() as source:
        stream = sounddevice.stream
        assert stream is not None
        assert stream.started
        wanted = {"samplerate": 16_000, "channels": 1, "dtype": "int16", "blocksize": 1_600, "device": None}
        assert {name: stream.options[name] for name in wanted} == wanted
        assert (source.audio, source.live) == (Format(), True)
        stream.hear(block(1), block(2))
        async with asyncio.timeout(10):
            assert [await anext(source.sound), await anext(source.sound)] == [block(1), block(2)]
            waiting = asyncio.ensure_future(anext(source.sound))
            await asyncio.sleep(0)
            stream.hear(block(3))
            assert await waiting == block(3)
        assert source.take_missed() == 0
        assert not stream.closed
    assert stream.closed


@pytest.mark.parametrize(("device", "asked"), [("2", 2), ("USB", "USB"), ("2 channels", "2 channels")])
async def test_another_one_is_chosen_by_number_or_name(sounddevice: SoundDevice, device: str, asked: int | str) -> None:
    with microphone(device):
        assert sounddevice.stream is not None
        assert sounddevice.stream.options["device"] == asked


async def test_it_is_given_back_whatever_happens(sounddevice: SoundDevice) -> None:
    with pytest.raises(ZeroDivisionError), microphone():
        raise ZeroDivisionError
    assert sounddevice.stream is not None
    assert sounddevice.stream.closed


async def test_while_this_program_is_held_up_ten_seconds_wait_and_the_oldest_go(sounddevice: SoundDevice) -> None:
    with microphone() as source:
        assert sounddevice.stream is not None
        sounddevice.stream.hear(*(block(number) for number in range(MOST_BLOCKS + 3)))
        async with asyncio.timeout(10):
            sound = [await anext(source.sound) for _ in range(MOST_BLOCKS)]
        assert sound == [block(number) for number in range(3, MOST_BLOCKS + 3)]
        assert (source.take_missed(), source.take_missed()) == (3 * BLOCK, 0)


async def test_an_unplugged_microphone_is_an_error_after_its_last_audio(sounddevice: SoundDevice) -> None:
    with microphone() as source:
        assert sounddevice.stream is not None
        sounddevice.stream.hear(block(1))
        sounddevice.stream.stop()
        async with asyncio.timeout(10):
            assert await anext(source.sound) == block(1)
            with pytest.raises(ClientError, match="The microphone was disconnected"):
                await anext(source.sound)


@pytest.mark.parametrize(
    ("device", "error", "sentence"),
    [
        (
            None,
            PortAudioError("Invalid sample rate [PaErrorCode -9997]"),
            "Can't open the microphone (Invalid sample rate [PaErrorCode -9997]). "
            "Choose one with --device: 1 (Built-in), 2 (USB headset).",
        ),
        (
            "usb2",
            ValueError("No input device matching 'usb2'"),
            "Can't open the microphone usb2 (No input device matching 'usb2'). "
            "Choose one with --device: 1 (Built-in), 2 (USB headset).",
        ),
    ],
)
async def test_one_that_cannot_be_opened_says_which_there_are(
    sounddevice: SoundDevice, device: str | None, error: Exception, sentence: str
) -> None:
    sounddevice.refuses = error
    with pytest.raises(ClientError) as told, microphone(device):
        raise AssertionError("it is open")
    assert str(told.value) == sentence


async def test_without_any_it_says_so(sounddevice: SoundDevice) -> None:
    sounddevice.refuses, sounddevice.devices = PortAudioError("Error querying device -1"), DEVICES[:1]
    with pytest.raises(ClientError, match=r"^No microphone found"), microphone():
        raise AssertionError("it is open")


class Missing(MetaPathFinder):
    """sounddevice cannot be imported."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def find_spec(self, name: str, *_: Any) -> None:
        if name == "sounddevice":
            raise self._error


@pytest.fixture
def cannot_import(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Exception], None]]:
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    yield lambda error: monkeypatch.setattr(sys, "meta_path", [Missing(error), *sys.meta_path])


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ImportError("No module"), "--mic needs sounddevice. Run pip install sounddevice."),
        (
            OSError("PortAudio library not found"),
            "--mic needs PortAudio. On Debian and Ubuntu, run apt install libportaudio2.",
        ),
    ],
)
async def test_what_has_to_be_installed_is_said(
    cannot_import: Callable[[Exception], None], error: Exception, sentence: str
) -> None:
    cannot_import(error)
    with pytest.raises(ClientError) as told, microphone():
        raise AssertionError("it is open")
    assert str(told.value) == sentence


async def test_audio_after_the_event_loop_has_ended_is_ignored(sounddevice: SoundDevice) -> None:
    def listen() -> None:
        async def once() -> None:
            with microphone():
                pass

        asyncio.run(once())

    await asyncio.to_thread(listen)
    assert sounddevice.stream is not None
    sounddevice.stream.hear(block(1))
    sounddevice.stream.stop()


def test_portaudio_is_needed_for_the_microphone_only() -> None:
    imports = "import sys, transcription_client.main; sys.exit('sounddevice' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", imports], check=False).returncode == 0

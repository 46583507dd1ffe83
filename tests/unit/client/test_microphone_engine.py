"""The engine's microphone, with a PortAudio of the test's own: found by name, lost, and found again."""

import math
import struct
import sys
import threading
from dataclasses import dataclass, field
from itertools import pairwise
from types import ModuleType
from typing import Any

import pytest

from tests.unit.client.engine.app import WITHIN
from transcription_client import microphone
from transcription_client.engine import sentences
from transcription_client.errors import ClientError
from transcription_client.microphone import Microphone, input_devices, resampling

HEADSET = {"name": "USB headset", "max_input_channels": 1, "default_samplerate": 48_000.0}
BUILT_IN = {"name": "Built-in", "max_input_channels": 4, "default_samplerate": 44_100.0}
SPEAKERS = {"name": "Speakers", "max_input_channels": 0, "default_samplerate": 44_100.0}


class PortAudioError(Exception):
    """As sounddevice has it."""


@dataclass
class PortAudio:
    """As sounddevice: it sees other devices only after it was initialized again."""

    plugged: list[dict[str, Any]] = field(default_factory=lambda: [SPEAKERS, BUILT_IN, HEADSET])
    known: list[dict[str, Any]] = field(default_factory=list)
    streams: list["Stream"] = field(default_factory=list)
    refuses: Exception | None = None
    broken: bool = False
    changed: threading.Condition = field(default_factory=threading.Condition)

    def initialize(self) -> None:
        if self.broken:
            raise PortAudioError("Host error")
        assert all(stream.closed for stream in self.streams), "that ends every stream"
        self.known = [device | {"index": number} for number, device in enumerate(self.plugged)]

    def terminate(self) -> None:
        if self.broken:
            raise PortAudioError("PortAudio not initialized")

    def query_devices(self, device: int | None = None, kind: str | None = None) -> Any:
        if kind is None:
            return self.known
        return next(known for known in self.known if known["max_input_channels"])

    def open(self, **options: Any) -> "Stream":
        if self.refuses is not None:
            raise self.refuses
        with self.changed:
            self.streams.append(Stream(options))
            self.changed.notify_all()
        return self.streams[-1]

    def until_streams(self, count: int) -> "Stream":
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.streams) >= count, WITHIN)
        return self.streams[count - 1]


@dataclass
class Stream:
    """As sounddevice's RawInputStream, played by hand."""

    options: dict[str, Any]
    closed: bool = False

    def start(self) -> None:
        """It is played by hand."""

    def close(self) -> None:
        self.closed = True

    def hear(self, sound: bytes) -> None:
        self.options["callback"](memoryview(sound), 0, None, None)

    def end(self) -> None:
        self.options["finished_callback"]()


@dataclass
class Listener:
    """Keeps what a microphone gives and tells."""

    sound: bytearray = field(default_factory=bytearray)
    problems: list[str] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def hear(self, sound: bytes) -> None:
        with self.changed:
            self.sound += sound
            self.changed.notify_all()

    def note(self, problem: str) -> None:
        with self.changed:
            self.problems.append(problem)
            self.changed.notify_all()

    def until_told(self, *problems: str) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.problems == list(problems), WITHIN), self.problems


@pytest.fixture
def portaudio(monkeypatch: pytest.MonkeyPatch) -> PortAudio:
    fake, module = PortAudio(), ModuleType("sounddevice")
    vars(module).update(
        PortAudioError=PortAudioError, RawInputStream=fake.open, query_devices=fake.query_devices,
        _initialize=fake.initialize, _terminate=fake.terminate,
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    monkeypatch.setattr(microphone, "LOOK_SECONDS", 0.01)
    return fake


@pytest.fixture
def listener() -> Listener:
    return Listener()


def recording(listener: Listener, device: str | None = None) -> Microphone:
    recorder = Microphone(device)
    recorder.on_problem = listener.note
    recorder.start(listener.hear)
    return recorder


def test_only_microphones_are_listed(portaudio: PortAudio) -> None:
    assert input_devices() == ["Built-in", "USB headset"]
    portaudio.plugged = [BUILT_IN, BUILT_IN]
    assert input_devices() == ["Built-in"]


def test_a_list_does_not_end_a_recording(portaudio: PortAudio, listener: Listener) -> None:
    recorder = recording(listener)
    stream = portaudio.until_streams(1)
    portaudio.plugged = []
    assert input_devices() == ["Built-in", "USB headset"]
    assert not stream.closed
    recorder.stop()


@pytest.mark.parametrize(
    ("device", "index", "rate", "channels"), [(None, 1, 44_100, 2), ("USB headset", 2, 48_000, 1), ("", 1, 44_100, 2)]
)
def test_a_microphone_is_opened_as_it_is(
    portaudio: PortAudio, listener: Listener, device: str | None, index: int, rate: int, channels: int
) -> None:
    recorder = recording(listener, device)
    options = portaudio.until_streams(1).options
    wanted = {"device": index, "samplerate": rate, "channels": channels, "dtype": "int16", "blocksize": rate // 10}
    assert {name: options[name] for name in wanted} == wanted
    recorder.stop()
    assert portaudio.streams[0].closed


def test_an_unplugged_microphone_is_found_again_by_its_name_at_another_place(
    portaudio: PortAudio, listener: Listener
) -> None:
    recorder = recording(listener, "USB headset")
    stream = portaudio.until_streams(1)
    portaudio.plugged = [BUILT_IN]
    stream.end()
    missing = sentences.microphone_missing("USB headset")
    with listener.changed:
        assert listener.changed.wait_for(lambda: listener.problems[-1:] == [missing], WITHIN)
    assert listener.problems[0] == sentences.UNPLUGGED
    portaudio.plugged = [HEADSET, BUILT_IN]
    again = portaudio.until_streams(2)
    assert again.options["device"] == 0
    again.hear(bytes(9600))
    with listener.changed:
        assert listener.changed.wait_for(lambda: listener.problems[-1] == "", WITHIN)
    recorder.stop()
    assert stream.closed


def test_a_driver_that_falls_silent_is_opened_again(
    portaudio: PortAudio, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(microphone, "SILENT_SECONDS", 0.01)
    recorder = recording(listener)
    portaudio.until_streams(2)
    assert portaudio.streams[0].closed
    assert listener.problems[0] == sentences.UNPLUGGED
    recorder.stop()


@pytest.mark.parametrize("error", [PortAudioError("Device unavailable"), ValueError("Device unavailable")])
def test_one_that_another_app_holds_is_told(portaudio: PortAudio, listener: Listener, error: Exception) -> None:
    portaudio.refuses = error
    recorder = recording(listener, "Built-in")
    refused = sentences.microphone_refused("Built-in", "Device unavailable")
    with listener.changed:
        assert listener.changed.wait_for(lambda: refused in listener.problems, WITHIN)
    recorder.stop()


def test_no_microphone_at_all_is_told(portaudio: PortAudio, listener: Listener) -> None:
    portaudio.plugged = [SPEAKERS]
    recorder = recording(listener)
    with listener.changed:
        assert listener.changed.wait_for(lambda: sentences.NO_MICROPHONE in listener.problems, WITHIN)
    recorder.stop()


def test_without_portaudio_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, listener: Listener) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    recorder = recording(listener)
    with listener.changed:
        assert listener.changed.wait_for(lambda: sentences.NO_SOUNDDEVICE in listener.problems, WITHIN)
    recorder.stop()
    with pytest.raises(ClientError) as error:
        input_devices()
    assert str(error.value) == sentences.NO_SOUNDDEVICE


def test_a_sound_system_that_fails_is_told_and_tried_again(portaudio: PortAudio, listener: Listener) -> None:
    portaudio.broken = True
    with pytest.raises(ClientError) as error:
        input_devices()
    assert str(error.value) == sentences.sound_system_failed("Host error")
    recorder = recording(listener)
    with listener.changed:
        assert listener.changed.wait_for(
            lambda: sentences.sound_system_failed("Host error") in listener.problems, WITHIN
        )
    portaudio.broken = False
    portaudio.until_streams(1)
    recorder.stop()


def test_after_stop_nothing_is_given(portaudio: PortAudio, listener: Listener) -> None:
    recorder = recording(listener)
    stream = portaudio.until_streams(1)
    recorder.stop()
    recorder.stop()
    stream.hear(bytes(8820))
    assert listener.sound == b""


def tone(rate: int, channels: int, seconds: float = 1.0) -> bytes:
    """440 Hz at half of full scale."""
    values = [round(16_384 * math.sin(2 * math.pi * 440 * number / rate)) for number in range(round(rate * seconds))]
    return b"".join(struct.pack("<h", value) * channels for value in values)


@pytest.mark.parametrize(
    ("rate", "channels"), [(16_000, 1), (44_100, 1), (44_100, 2), (48_000, 2), (8000, 1), (96_000, 2)]
)
def test_any_rate_becomes_16_khz_mono(rate: int, channels: int) -> None:
    convert = resampling(rate, channels)
    sound = tone(rate, channels)
    block = rate // 10 * channels * 2
    converted = b"".join(convert(sound[begin : begin + block]) for begin in range(0, len(sound), block))
    samples = struct.unpack(f"<{len(converted) // 2}h", converted)
    assert 15_900 <= len(samples) <= 16_000
    crossings = sum(1 for before, after in pairwise(samples) if before < 0 <= after)
    assert crossings == pytest.approx(440, abs=4)
    assert max(samples) == pytest.approx(16_384, rel=0.05)

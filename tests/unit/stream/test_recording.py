"""The request, length and cost of a recording."""

import struct

import pytest

from transcription_proxy.errors import Refusal
from transcription_proxy.metering import rates
from transcription_proxy.stream import recording
from transcription_proxy.stream.deepgram import MAX_AUDIO_MS
from transcription_proxy.stream.recording import Length, Metadata, RecordingRequest

RATES = rates.load()
RAW = "model=nova-3&encoding=linear16&sample_rate=8000&channels=2"


def read(query: str = "model=nova-3") -> RecordingRequest:
    return recording.read(query, RATES)


def wav(data: int, channels: int = 1, extra: bytes = b"") -> bytes:
    """The header of a WAV file of 16 kHz that announces `data` bytes of audio."""
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, 16000, 32000 * channels, 2 * channels, 16)
    return b"RIFF" + bytes(4) + b"WAVE" + extra + fmt + struct.pack("<4sI", b"data", data)


def flac(rate: int, channels: int, samples: int) -> bytes:
    fields = rate << 44 | (channels - 1) << 41 | 15 << 36 | samples
    return b"fLaC\x00\x00\x00\x22" + bytes(10) + fields.to_bytes(8, "big")


@pytest.mark.parametrize(
    ("head", "size", "length"),
    [
        (wav(32000), None, Length(1000, 1)),
        (wav(64000, 2), None, Length(1000, 2)),
        (wav(32000), 44 + 16000, Length(500, 1)),
        (wav(0), 44 + 16000, Length(500, 1)),
        (wav(0xFFFFFFFF), None, None),
        (wav(32000, extra=b"LIST\x03\x00\x00\x00abc\x00"), None, Length(1000, 1)),
        (wav(32000)[:30], 32044, None),
        (b"RIFF", 4, None),
        (flac(16000, 2, 24000), None, Length(1500, 2)),
        (flac(16000, 2, 0), None, None),
        (b"ID3\x04", 4, None),
        (b"\x1a\x45\xdf\xa3" * 20, 80, None),
    ],
)
def test_the_length_is_read_from_the_header(head: bytes, size: int | None, length: Length | None) -> None:
    assert read().length(head, size) == length


def test_raw_audio_is_as_long_as_its_bytes() -> None:
    assert read(RAW).length(b"RIFF", 64_000) == Length(2000, 2)
    assert read(RAW).length(b"", None) is None


@pytest.mark.parametrize(
    ("size", "seconds"), [(None, 45), (1, 1), (4000, 1), (4001, 2), (10**18, MAX_AUDIO_MS // 1000)]
)
def test_an_unknown_length_is_guessed_from_the_bytes(size: int | None, seconds: int) -> None:
    assert read().expected(size).milliseconds == seconds * 1000


def test_a_recording_costs_its_length_rounded_up_once_for_each_separate_channel() -> None:
    assert read().cost(Length(7300, 2)) == 8
    assert read("model=nova-3&multichannel=true").cost(Length(7300, 2)) == 15
    assert read("model=nova-3&multichannel=true").cost(Length(1000, 0)) == 1
    assert read("model=nova-3&multichannel=true").cost(Length(1000, 10**9)) == 20
    assert read("model=nova-3&diarize=true").cost(Length(10_000, 1)) == 14
    assert read().cost(Length(0, 1)) == 0


def test_the_upstreams_length_is_billed_but_of_raw_audio_not_more_than_was_sent() -> None:
    assert read().billed(Metadata(duration=7.3, channels=2), 5) == Length(7300, 2)
    assert read(RAW).billed(Metadata(duration=7.3, channels=2), 64_000) == Length(2000, 2)
    assert read(RAW).billed(Metadata(duration=1.5, channels=9), 64_000) == Length(1500, 2)


@pytest.mark.parametrize(("duration", "milliseconds"), [(0.0004, 0), (1.0006, 1001), (-5.0, 0), (1e300, MAX_AUDIO_MS)])
def test_a_senseless_duration_is_bounded(duration: float, milliseconds: int) -> None:
    assert Metadata(duration=duration).milliseconds == milliseconds


@pytest.mark.parametrize("option", [*recording.UNPRICED, "callback"])
def test_what_has_no_rate_is_refused(option: str) -> None:
    with pytest.raises(Refusal, match=option):
        read(f"model=nova-3&{option}=x")


def test_what_is_switched_off_may_pass() -> None:
    assert read("model=nova-3&summarize=false").listen.query == "model=nova-3&summarize=false"


def test_a_url_is_read_from_json() -> None:
    assert recording.read_url(b'{"url": "https://example.com/a.mp3", "more": 1}') == "https://example.com/a.mp3"
    for body in (b"", b"{", b"[]", b'{"url": 5}', b'{"url": null}', b"\xff", b"[" * 100_000):
        with pytest.raises(Refusal, match="url"):
            recording.read_url(body)


def test_the_metadata_of_an_answer_may_be_missing() -> None:
    assert recording.read_answer(b'{"metadata": {"duration": 2, "channels": 1}, "results": {}}') == Metadata("", 2.0, 1)
    for body in (b"", b"{}", b'{"metadata": 5}', b'{"request_id": "x"}'):
        assert recording.read_answer(body) is None

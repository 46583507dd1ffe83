"""The first bytes of WAV and MP4 streams."""

import struct

import pytest

from transcription_engine import mp4, wav
from transcription_engine.wav import Peek, Wav


def peeking(data: bytes) -> Peek:
    return lambda size: data[:size]


def header(tag: int = 1, channels: int = 1, rate: int = 8000, bits: int = 16, size: int = 1000) -> bytes:
    described = struct.pack("<HHIIHH", tag, channels, rate, rate * channels * bits // 8, channels * bits // 8, bits)
    chunks = b"fmt " + struct.pack("<I", 16) + described + b"LIST" + struct.pack("<I", 3) + b"abc\0"
    return b"RIFF\xff\xff\xff\xffWAVE" + chunks + b"data" + struct.pack("<I", size)


def test_a_header_tells_where_the_audio_is() -> None:
    head = header(channels=2)
    assert wav.read(peeking(head + bytes(9))) == Wav("s16le", 8000, 2, len(head), 1000)


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_writer_may_not_know_the_size(size: int) -> None:
    found = wav.read(peeking(header(size=size)))
    assert found is not None
    assert found.nbytes is None


@pytest.mark.parametrize(
    ("tag", "bits", "format"), [(1, 8, "u8"), (1, 24, "s24le"), (3, 32, "f32le"), (6, 8, "alaw"), (7, 8, "mulaw")]
)
def test_plain_samples_of_any_kind_are_known(tag: int, bits: int, format: str) -> None:
    found = wav.read(peeking(header(tag, bits=bits)))
    assert found is not None
    assert found.format == format


@pytest.mark.parametrize(
    "data",
    [b"", b"RIFF", b"OggS" + bytes(99), header()[:40], header(tag=17, bits=4), header(channels=0), header(rate=0),
     b"RIFF\0\0\0\0WAVEdata\0\0\0\0", b"RIFF\0\0\0\0WAVE" + b"JUNK\xff\xff\xff\x7f" * 9]
)  # fmt: skip
def test_anything_else_is_left_to_ffmpeg(data: bytes) -> None:
    assert wav.read(peeking(data)) is None


def box(name: bytes, size: int = 8) -> bytes:
    return size.to_bytes(4) + name + bytes(max(0, size - 8))


@pytest.mark.parametrize(
    ("boxes", "is_last"),
    [
        ([box(b"ftyp", 28), box(b"free"), box(b"mdat", 1 << 20)], True),
        ([box(b"ftyp", 28), box(b"mdat", 1)], True),
        ([box(b"ftyp", 28), box(b"moov", 999), box(b"mdat")], False),
        ([box(b"ftyp", 28), box(b"sidx", 40), box(b"moof", 99), box(b"mdat")], False),
        ([box(b"ftyp", 28)], False),
        ([box(b"ftyp", 28), box(b"free", 0)], False),
        ([box(b"free"), box(b"mdat")], False),
        ([], False),
    ],
)
def test_an_index_behind_the_audio_is_found(boxes: list[bytes], is_last: bool) -> None:
    assert mp4.is_index_last(peeking(b"".join(boxes))) is is_last

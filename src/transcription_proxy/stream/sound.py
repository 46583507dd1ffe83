"""Inspects raw audio: how loud it is, and whether it is in fact a file that was not decoded."""

from math import hypot
from typing import Final

QUIET_POWER: Final = 10 ** (-50 / 10)
"""Mean square at -50 dBFS, where full scale is 1."""
HEAD_BYTES: Final = 4096
"""Bytes that are enough to recognise every format: more than two of the longest MP3 frames."""
STRIDE: Final = 251
"""Every 251st sample is looked at, 64 a second at 16 kHz. A prime, so that no channel is left out."""


def power(audio: bytes, encoding: str) -> float:
    """Return the mean square of raw audio, full scale being 1. `audio`: whole samples, at least one.

    Samples of several bytes are read in native byte order: little-endian on every platform that we run on."""
    match encoding:
        case "linear16":
            values, full_scale = memoryview(audio).cast("h")[::STRIDE].tolist(), 32768
        case "linear32":
            values, full_scale = memoryview(audio).cast("f")[::STRIDE].tolist(), 1
        case _:
            values, full_scale = [_G711[encoding][code] for code in audio[::STRIDE]], 32768
    return min(1.0, (hypot(*values) / full_scale) ** 2 / len(values))  # 1 where a value is not a number


def container(head: bytes) -> str | None:
    """Return the file format that these first bytes belong to, None for raw audio."""
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "WAV"
    if head[4:8] == b"ftyp":
        return "MP4"
    if head[:3] == b"ID3" and head[3:4] in (b"\2", b"\3", b"\4"):
        return "MP3"
    return _MAGIC.get(head[:4]) or ("MP3" if _is_mp3(head) else None)


_MAGIC: Final = {b"\x1aE\xdf\xa3": "WebM", b"OggS": "Ogg", b"fLaC": "FLAC"}


def _is_mp3(head: bytes) -> bool:
    """Return whether three MPEG frames follow each other. Raw audio contains single ones by chance."""
    at = 0
    for _ in range(3):
        length = _frame_length(head[at : at + 4])
        if length is None:
            return False
        at += length
    return True


def _frame_length(header: bytes) -> int | None:
    """Return the bytes of the MPEG layer III frame with this header (ISO 11172-3, 13818-3), None for no header."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return None
    version, bitrate, rate = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or bitrate in (0, 15) or rate == 3:
        return None
    kilobits = _KILOBITS[version == 3][bitrate - 1]
    hertz = (44_100, 48_000, 32_000)[rate] >> {3: 0, 2: 1, 0: 2}[version]
    return (144_000 if version == 3 else 72_000) * kilobits // hertz + (header[2] >> 1 & 1)


_KILOBITS: Final = (
    (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),  # MPEG 2 and 2.5
    (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),  # MPEG 1
)


def _mulaw(code: int) -> int:
    code = ~code & 0xFF
    return (((code & 0x0F) << 3) + 0x84 << (code >> 4 & 7)) - 0x84


def _alaw(code: int) -> int:
    code ^= 0x55
    mantissa, segment = (code & 0x0F) << 4, code >> 4 & 7
    return mantissa + 8 if segment == 0 else mantissa + 0x108 << segment - 1


_G711: Final = {name: tuple(map(decode, range(256))) for name, decode in (("mulaw", _mulaw), ("alaw", _alaw))}
"""Magnitude of each code, 16 bits wide."""

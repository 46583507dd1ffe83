"""The header of a WAV stream. FFmpeg reads 64 KiB of audio before it decodes any, which is four seconds of a telephone
call, so plain PCM is decoded as raw audio from its first sample on."""

import struct
from dataclasses import dataclass
from typing import Final, Protocol

MAX_HEADER_BYTES: Final = 64 << 10
"""Bytes before the audio: a longer header is left to FFmpeg."""
UNKNOWN_BYTES: Final = 0x7FFF0000
"""A size from here on, and 0, means that the writer did not know the size."""
FORMATS: Final = {
    (1, 8): "u8", (1, 16): "s16le", (1, 24): "s24le", (1, 32): "s32le", (3, 32): "f32le", (3, 64): "f64le",
    (6, 8): "alaw", (7, 8): "mulaw",
}  # fmt: skip
"""FFmpeg's name of the format, by the format tag and the bits of a sample."""


@dataclass(frozen=True, slots=True)
class Wav:
    """What a header says. `begin`: where the audio begins. `nbytes`: the length of the audio, None if unknown."""

    format: str
    sample_rate: int
    channels: int
    begin: int
    nbytes: int | None


class Peek(Protocol):
    """Returns the first bytes of the stream without consuming them: as many as asked for, fewer at its end."""

    def __call__(self, size: int, /) -> bytes: ...


def read(peek: Peek) -> Wav | None:
    """Return the header of a plain WAV stream, None for anything else."""
    head = peek(12)
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    position, described = 12, None
    while position < MAX_HEADER_BYTES:
        chunk = peek(position + 8)[position:]
        if len(chunk) < 8:
            return None
        name, nbytes = struct.unpack("<4sI", chunk)
        position += 8
        if name == b"fmt " and nbytes >= 16:
            described = peek(position + 16)[position:]
        elif name == b"data":
            known = nbytes if 0 < nbytes < UNKNOWN_BYTES else None
            return _described(described, position, known)
        position += nbytes + nbytes % 2
    return None


def _described(described: bytes | None, begin: int, nbytes: int | None) -> Wav | None:
    if described is None or len(described) < 16:
        return None
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", described)
    format = FORMATS.get((tag, bits))
    return Wav(format, rate, channels, begin, nbytes) if format and channels and rate else None

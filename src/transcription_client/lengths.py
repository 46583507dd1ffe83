"""The length that an audio file declares. A file that ends earlier was cut off."""

import re
from pathlib import Path
from typing import Final

from av.container import InputContainer

SELF_DESCRIBING: Final = ("flac", "aiff", "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2")
"""FFmpeg's names of formats whose header states the length. FFmpeg may estimate that of others."""
MP3_RATES: Final = (44_100, 48_000, 32_000, 44_100)
"""Samples a second in MPEG 1, by the index in a frame's header; the fourth index is reserved."""
MP3_DIVISORS: Final = (4, 1, 2, 1)
"""What these rates are divided by, for the version in a frame's header: MPEG 2.5, reserved, MPEG 2, MPEG 1."""
UNKNOWN_BYTES: Final = 0x7FFF0000
"""The least size in a WAV header written before the size was known, as arecord, sox and FFmpeg do in a pipe."""
XING: Final = re.compile(rb"(?:Xing|Info)\0\0\0[\1\3\5\7\11\13\15\17](.{4})", re.DOTALL)
"""The tag in an MP3 file's first frame: its name, its flags, and the number of frames."""


def declared_seconds(container: InputContainer, path: Path) -> float | None:
    """Return the length that a file declares, or None where it declares none."""
    name = container.format.name
    if not path.is_file():  # a pipe cannot be read twice
        return None
    if name == "wav":
        return _wav_seconds(path)
    if name == "mp3":
        return _mp3_seconds(path)
    return _stream_seconds(container) if name in SELF_DESCRIBING else None


def _stream_seconds(container: InputContainer) -> float | None:
    stream = container.streams.audio[0]
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is None or container.streams.video:  # a film may be longer than its sound
        return None
    return container.duration / 1_000_000


def _wav_seconds(path: Path) -> float | None:
    """Return the length in a WAV file's header, since FFmpeg reports the length of the existing data."""
    with path.open("rb") as file:
        file.seek(12)  # RIFF, its size, WAVE
        bytes_per_second = 0
        while len(chunk := file.read(8)) == 8:
            size = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"data":
                return size / bytes_per_second if bytes_per_second and size < UNKNOWN_BYTES else None
            start = file.tell()
            if chunk[:4] == b"fmt ":
                bytes_per_second = int.from_bytes(file.read(12)[8:], "little")
            file.seek(start + size + size % 2)
    return None


def _mp3_seconds(path: Path) -> float | None:
    """Return the length in an MP3 file's tag, since FFmpeg estimates it where the tag does not fit the file's size."""
    with path.open("rb") as file:
        head = file.read(10)
        sevens = head[6:10] if head[:3] == b"ID3" else b""
        file.seek(10 + sum(part << 7 * place for place, part in enumerate(reversed(sevens))) if sevens else 0)
        frame = file.read(200)
    tag = XING.search(frame)
    if tag is None or frame[0] != 0xFF:
        return None
    version, rate = frame[1] >> 3 & 3, frame[2] >> 2 & 3  # ISO 11172-3, 2.4.2.3
    samples = 1152 if version == 3 else 576
    return int.from_bytes(tag[1], "big") * samples * MP3_DIVISORS[version] / MP3_RATES[rate]

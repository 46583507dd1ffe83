"""Raw audio as bytes: how many of them are a second, and where a frame may be cut."""

from dataclasses import dataclass
from typing import Final

SAMPLE_BYTES: Final = {"linear16": 2, "linear32": 4, "mulaw": 1, "alaw": 1}
"""Bytes of one sample of one channel, by Deepgram's name of the encoding (deepgram 2.3)."""


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """Interleaved raw audio. `encoding` is a key of SAMPLE_BYTES; `sample_rate` is in Hz."""

    encoding: str = "linear16"
    sample_rate: int = 16000
    channels: int = 1

    @property
    def block(self) -> int:
        """Bytes of one sample of all channels: audio is cut at a multiple of it."""
        return SAMPLE_BYTES[self.encoding] * self.channels

    @property
    def bytes_per_second(self) -> int:
        return self.block * self.sample_rate

    def milliseconds(self, nbytes: int) -> int:
        """Length of `nbytes` of audio, rounded to the nearest millisecond."""
        per_second = self.bytes_per_second
        return (nbytes * 2000 + per_second) // (2 * per_second)

    def bytes_in(self, milliseconds: int) -> int:
        """Bytes of that much audio, rounded down to a whole block."""
        return milliseconds * self.sample_rate // 1000 * self.block

    def silence(self, milliseconds: int) -> bytes:
        """That much silence."""
        return _SILENT_BYTE[self.encoding] * self.bytes_in(milliseconds)


_SILENT_BYTE: Final = {"linear16": b"\x00", "linear32": b"\x00", "mulaw": b"\xff", "alaw": b"\xd5"}
"""The byte that, repeated, is silence."""

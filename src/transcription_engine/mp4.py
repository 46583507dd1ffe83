"""Tells whether an MP4 or M4A stream has its index behind its audio, so that nothing can be decoded before its end."""

from typing import Final

from transcription_engine.wav import Peek

MAX_HEADER_BYTES: Final = 64 << 10


def is_index_last(peek: Peek) -> bool:
    """Return whether the stream is an MP4 whose audio comes before the index. `peek`: returns its first bytes."""
    if peek(8)[4:] != b"ftyp":
        return False
    position = 0
    while position < MAX_HEADER_BYTES:
        box = peek(position + 8)[position:]
        if len(box) < 8 or box[4:] in (b"moov", b"moof"):
            return False
        size = int.from_bytes(box[:4])
        if box[4:] == b"mdat" or size < 8:
            return box[4:] == b"mdat"
        position += size
    return False

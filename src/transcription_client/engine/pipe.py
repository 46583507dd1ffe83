"""What goes through the pipe to the local model: frames of one letter, a length, and as many bytes. Lines come back."""

import struct
from typing import BinaryIO, Final

_HEAD: Final = struct.Struct("<cI")
AUDIO, FINAL, END = b"a", b"f", b"s"
FINALIZE: Final = _HEAD.pack(FINAL, 0)
"""Make the words so far final."""
STOP: Final = _HEAD.pack(END, 0)
"""Send the last words, and end."""
READY: Final = b"ready\n"
"""The first line from the process."""
NOT_INSTALLED: Final = 3
"""Exit status of the process where the speech model is not installed."""


def audio_frame(sound: bytes) -> bytes:
    """Return the frame for a piece of audio."""
    return _HEAD.pack(AUDIO, len(sound)) + sound


def read_frame(stream: BinaryIO) -> tuple[bytes, bytes]:
    """Return the letter and the bytes of the next frame. The end of the pipe is END."""
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return END, b""
    letter, size = _HEAD.unpack(head)
    return letter, stream.read(size)

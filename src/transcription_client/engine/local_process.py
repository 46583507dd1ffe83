"""`python -m transcription_client.engine.local_process`: the speech model, fed through standard input (pipe.py)."""

import os
import signal
import sys
import threading
from queue import SimpleQueue
from typing import BinaryIO, Final, Protocol

from transcription_client.engine.pipe import AUDIO, END, FINAL, NOT_INSTALLED, READY, read_frame
from transcription_client.engine.settings import AUDIO as FORMAT
from transcription_wire import messages as wire

TURN_BYTES: Final = FORMAT.bytes_per_second // 2
"""Audio that is recognized at once, at least: the model looks at it every half second."""
MOST_TURN_BYTES: Final = 4 * FORMAT.bytes_per_second
"""Audio that is recognized at once, at most, so that words come while kept audio is caught up with."""
STDIN, STDOUT = 0, 1
"""Descriptors: in an app without a console, Python has no sys.stdin and sys.stdout."""
FROZEN_ARGUMENT: Final = "--captions-local-process"
"""Starts this process where the app is one executable, which has no `python -m`."""
Frame = tuple[bytes, bytes]


class Recognition(Protocol):
    """A speech model over one stream, as LocalModel is."""

    def feed(self, sound: bytes, /) -> list[wire.Transcript]:
        """Return the words that are new or have changed."""

    def finalize(self) -> list[wire.Transcript]:
        """Make all words so far final."""

    def finish(self) -> list[wire.Transcript]:
        """Return the last words."""


def main() -> None:
    """Caption standard input until it ends. Words go to standard output, a message a line."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal goes to the whole group; the app ends this
    out = os.fdopen(os.dup(STDOUT), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)  # what a library prints must not get between the words
    try:
        from transcription_client.engine.local_model import LocalModel  # noqa: PLC0415 - needs the extra `local`
    except ImportError:
        sys.exit(NOT_INSTALLED)
    model = LocalModel()
    frames: SimpleQueue[Frame] = SimpleQueue()
    threading.Thread(target=_read, args=(os.fdopen(STDIN, "rb"), frames), daemon=True).start()
    out.write(READY)
    recognize(model, frames, out)


def _read(stream: BinaryIO, frames: "SimpleQueue[Frame]") -> None:
    letter = AUDIO
    while letter != END:
        letter, sound = read_frame(stream)
        frames.put((letter, sound))


def recognize(model: Recognition, frames: "SimpleQueue[Frame]", out: BinaryIO) -> None:
    """Write the words of all frames up to END."""
    letter = AUDIO
    while letter != END:
        sound, letter = take_turn(frames)
        words = model.feed(sound) if sound else []
        if letter == FINAL:
            words += model.finalize()
        elif letter == END:
            words += model.finish()
        for each in words:
            out.write(wire.encode(each) + b"\n")


def take_turn(frames: "SimpleQueue[Frame]") -> Frame:
    """Wait for audio or a command. Return the audio to recognize now, and the letter of the command after it."""
    sound = bytearray()
    while len(sound) < TURN_BYTES or (len(sound) < MOST_TURN_BYTES and not frames.empty()):
        letter, piece = frames.get()
        if letter != AUDIO:
            return bytes(sound), letter
        sound += piece
    return bytes(sound), AUDIO


if __name__ == "__main__":
    main()

"""A transcription without sockets, files and screens: audio frames and their pace, captions, the receipt."""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from transcription_client.tally import Part, Tally
from transcription_wire import messages as wire
from transcription_wire.codes import ErrorCode, Reason
from transcription_wire.lengths import exactly, length
from transcription_wire.sentences import ENDS, ERRORS

SAMPLE_BYTES: Final = {"linear16": 2, "linear32": 4, "mulaw": 1, "alaw": 1}
FRAME_SECONDS: Final = 0.1
AHEAD_SECONDS: Final = 10.0
"""Audio that may be sent ahead of its words. The built-in engine needs 2 s for it; the service waits 5 s at the end."""
CATCH_UP_RATE: Final = 2.0
"""How many times faster than real time kept audio is sent while no words come back, as in silence."""
JOINERS: Final = "\u200c\u200d"
"""Zero-width characters that Persian, Hindi and emoji need."""


@dataclass(frozen=True, slots=True)
class Format:
    """The format of raw audio, in the words of the `auth` message."""

    encoding: str = "linear16"
    sample_rate: int = 16000
    channels: int = 1

    @property
    def block(self) -> int:
        """Bytes of one sample of all channels."""
        return SAMPLE_BYTES.get(self.encoding, 1) * self.channels  # the service refuses an unknown encoding

    @property
    def bytes_per_second(self) -> int:
        return self.block * self.sample_rate

    @property
    def frame_bytes(self) -> int:
        """Bytes of a tenth of a second."""
        return max(1, int(FRAME_SECONDS * self.sample_rate)) * self.block


def frames(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Cut bytes into frames of `size`. The last frame may be shorter."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        while len(waiting) >= size:
            yield bytes(waiting[:size])
            del waiting[:size]
    if waiting:
        yield bytes(waiting)


class Pace:
    """Says when a frame is due, so that audio is sent in real time without drift."""

    def __init__(self, audio: Format) -> None:
        self._rate = audio.bytes_per_second
        self._began: float | None = None
        self._sent = 0

    def note_words(self, seconds: float) -> None:
        """Ignore how far words have come: real time does not depend on it."""

    def wait(self, nbytes: int, now: float) -> float:
        """Return the seconds to wait before sending `nbytes`, which are complete by then."""
        if self._began is None:
            self._began = now
        self._sent += nbytes
        return max(0.0, self._began + self._sent / self._rate - now)


class FastPace(Pace):
    """Sends audio as fast as its words come back.

    Audio sent far ahead of its words waits in buffers, and its words miss the time limits at the end of a session.
    Silence has no words, so it is sent in real time."""

    def __init__(self, audio: Format) -> None:
        super().__init__(audio)
        self._heard = 0.0

    def note_words(self, seconds: float) -> None:
        """Note that words came up to `seconds` of the audio."""
        self._heard = max(self._heard, seconds)

    def wait(self, nbytes: int, now: float) -> float:
        """Return the seconds to wait before sending `nbytes`: their duration if they are far ahead, else 0."""
        self._sent += nbytes
        return 0.0 if self._sent / self._rate - self._heard <= AHEAD_SECONDS else nbytes / self._rate


class Lead:
    """Limits how far one session's audio is sent ahead of its words. Live audio is never delayed.

    Kept audio is not sent all at once: what waits in buffers is billed, and its words are lost if the session ends."""

    def __init__(self, now: float) -> None:
        """`now`: when the session became ready, monotonic seconds."""
        self._began = now
        self._heard = 0.0

    def note_words(self, seconds: float) -> None:
        """Note that words came up to `seconds` of the session."""
        self._heard = max(self._heard, seconds)

    def wait(self, seconds: float, now: float) -> float:
        """Return how long to wait, unless more words come, before audio up to `seconds` of the session is sent."""
        ahead = seconds - AHEAD_SECONDS
        return 0.0 if ahead <= self._heard else max(0.0, self._began + ahead / CATCH_UP_RATE - now)


@dataclass(slots=True)
class Captions:
    """What the screen shows: interim words, credit used and left, and problems."""

    interims: dict[int, str] = field(default_factory=dict)
    """Interim words by channel."""
    seconds_remaining: int | None = None
    low: bool = False
    reconnecting: str | None = None
    """Why the connection was lost, as far as known, while the client reconnects; None while it is connected."""
    engine_delay: float = 0.0
    connection_delay: float = 0.0
    """Seconds that words are late, by the service's warning and by the connection's delay; 0 when they are not."""
    gap_seconds: float = 0.0
    """Audio that was dropped."""
    tally: Tally = field(default_factory=Tally)

    def take(self, message: wire.ServerMessage, *, repeated: bool = False) -> str | None:
        """Take in a message, and return its text if it is final. `repeated`: its words were shown before."""
        match message:
            case wire.Transcript(text=text, is_final=True):
                self.interims.pop(_channel(message), None)
                return None if repeated else printable(text) or None
            case wire.Transcript(text=text) if not repeated:
                self.interims[_channel(message)] = printable(text)
            case wire.Ready(session_id=session_id, seconds_remaining=left):
                self.tally.parts.append(Part(session_id))
                self.interims.clear()  # the new session transcribes the same audio again
                self.seconds_remaining, self.reconnecting = left, None
                self.engine_delay = self.connection_delay = 0.0
            case wire.Warning(code="behind"):
                self.engine_delay = message.seconds or 0.0
            case wire.Usage(seconds_used=used, seconds_remaining=left):
                self.tally.last.seconds_used, self.seconds_remaining = used, left
            case wire.CreditsLow(seconds_remaining=left):
                self.seconds_remaining, self.low = left, True
            case wire.UpstreamStatus(upstream=state):
                self.reconnecting = "" if state == "reconnecting" else None
            case wire.SessionEnd():
                self._settle(message)
        return None

    def _settle(self, end: wire.SessionEnd) -> None:
        if self.seconds_remaining is not None:
            self.seconds_remaining -= end.seconds_used - self.tally.last.seconds_used
        self.tally.record_end(end)

    @property
    def interim(self) -> str:
        """Interim words, with a line for each channel."""
        return "\n".join(text for _, text in sorted(self.interims.items()))

    def status(self) -> str:
        """Return the line below the words."""
        left = "" if self.seconds_remaining is None else f", {length(self.seconds_remaining)} left"
        return f"{length(self.tally.seconds_used)} billed{left}{self._note()}"

    def _note(self) -> str:
        if self.reconnecting is not None:
            return f" - reconnecting... ({self.reconnecting})" if self.reconnecting else " - reconnecting..."
        if late := max(self.engine_delay, self.connection_delay):
            return f" - captions are {late:.0f} s behind"
        if self.gap_seconds:
            return f" - {exactly(self.gap_seconds)} of audio lost"
        return " - low on minutes" if self.low else ""


def _channel(words: wire.Transcript) -> int:
    return words.channel[0] if isinstance(words.channel, list) and words.channel else 0


def receipt(captions: Captions, *, explained: bool = False) -> str:
    """Return the last line: why the transcription ended (unless `explained`), audio, billed time, and time left."""
    tally = captions.tally
    reason = tally.last.reason or Reason.CLIENT_GONE
    began = "Done: " if reason == Reason.CLIENT_STOP else "Ended: " if explained else f"{what_happened(reason)} "
    sessions = f" in {len(tally.parts)} sessions" if len(tally.parts) > 1 else ""
    billed = f"{exactly(tally.audio_seconds)} of audio, {exactly(tally.seconds_used)} billed{sessions}"
    if not tally.complete:
        return f"{began}{billed}, or more. Run transcription-client balance to check."
    later = " (shown in your balance later)" if any(part.pending for part in tally.parts) else ""
    left = "" if captions.seconds_remaining is None else f", {length(captions.seconds_remaining)} left"
    return f"{began}{billed}{later}{left}."


def what_happened(word: str) -> str:
    """Return the sentence for an end reason or an error code. An unknown word, of a newer service, stands as it is."""
    if word in ENDS:
        return ENDS[Reason(word)].sentence.what
    return ERRORS[ErrorCode(word)].what if word in ERRORS else f"Ended: {printable(word)}."


def printable(text: str) -> str:
    """Replace control and formatting characters by spaces, so that text cannot control the terminal."""
    return "".join(char if char in JOINERS or unicodedata.category(char)[0] != "C" else " " for char in text)

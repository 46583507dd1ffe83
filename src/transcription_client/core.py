"""What a transcription is, apart from sockets, files and screens: frames and their times, captions, the receipt."""

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
"""Of audio. The built-in engine hears that much in 2 s; the service waits 5 s for the last words."""
CATCH_UP: Final = 2.0
"""How much faster than it was spoken sound that had to wait is sent where no words come back, as in silence."""
JOINERS: Final = "\u200c\u200d"
"""Part of how Persian, Hindi and emoji are written."""


@dataclass(frozen=True, slots=True)
class Format:
    """Raw audio, as the server is told of it."""

    encoding: str = "linear16"
    sample_rate: int = 16000
    channels: int = 1

    @property
    def block(self) -> int:
        """Bytes of a sample of all channels."""
        return SAMPLE_BYTES.get(self.encoding, 1) * self.channels  # the service refuses what it does not know

    @property
    def bytes_per_second(self) -> int:
        return self.block * self.sample_rate

    @property
    def frame_bytes(self) -> int:
        """Bytes of a tenth of a second."""
        return max(1, int(FRAME_SECONDS * self.sample_rate)) * self.block


def frames(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in frames of `size`; the last may be shorter."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        while len(waiting) >= size:
            yield bytes(waiting[:size])
            del waiting[:size]
    if waiting:
        yield bytes(waiting)


class Pace:
    """When a frame is due, so that audio is sent as fast as it was spoken and no drift adds up."""

    def __init__(self, audio: Format) -> None:
        self._rate = audio.bytes_per_second
        self._began: float | None = None
        self._sent = 0

    def heard(self, seconds: float) -> None:
        """What comes back makes no difference to what is live."""

    def wait(self, nbytes: int, now: float) -> float:
        """Seconds to wait before sending these bytes, which are spoken by then."""
        if self._began is None:
            self._began = now
        self._sent += nbytes
        return max(0.0, self._began + self._sent / self._rate - now)


class FastPace(Pace):
    """As fast as the words come back: what is sent far ahead of them waits in buffers on the way, and is lost to the
    time limits at the end of a session. Silence brings no words, so it goes at the speed of live sound."""

    def __init__(self, audio: Format) -> None:
        super().__init__(audio)
        self._heard = 0.0

    def heard(self, seconds: float) -> None:
        """Notes how far the words have come."""
        self._heard = max(self._heard, seconds)

    def wait(self, nbytes: int, now: float) -> float:
        """Seconds to wait before sending these bytes: what they last, where they are far ahead."""
        self._sent += nbytes
        return 0.0 if self._sent / self._rate - self._heard <= AHEAD_SECONDS else nbytes / self._rate


class Lead:
    """How far one session's sound may run ahead of its words. Sound that had to wait is not sent all at once: what lies
    in buffers on the way is billed, and its words are lost if the session ends. Live sound is never held up."""

    def __init__(self, now: float) -> None:
        """`now`: when the session became ready, monotonic seconds."""
        self._began = now
        self._heard = 0.0

    def heard(self, seconds: float) -> None:
        """Words came up to there, in the session's own time."""
        self._heard = max(self._heard, seconds)

    def wait(self, seconds: float, now: float) -> float:
        """How long to wait, unless more words come, before the session's sound is sent up to `seconds`."""
        ahead = seconds - AHEAD_SECONDS
        return 0.0 if ahead <= self._heard else max(0.0, self._began + ahead / CATCH_UP - now)


@dataclass(slots=True)
class Captions:
    """What is to be seen: words that may still change, what is used and left, and what is wrong."""

    interims: dict[int, str] = field(default_factory=dict)
    """Words that may still change, by channel."""
    seconds_remaining: int | None = None
    low: bool = False
    away: str | None = None
    """Why nothing comes, as far as it is known, while a lost connection is sought again; None when it is there."""
    engine_late: float = 0.0
    line_late: float = 0.0
    """How late words are, by the service's word and by the connection's own delay, seconds; 0 when they are not."""
    gap_seconds: float = 0.0
    """Sound that was lost."""
    tally: Tally = field(default_factory=Tally)

    def take(self, message: wire.ServerMessage, *, repeated: bool = False) -> str | None:
        """Take a message in and return a final text, which stays. `repeated`: its words were shown before."""
        match message:
            case wire.Transcript(text=text, is_final=True):
                self.interims.pop(_channel(message), None)
                return None if repeated else printable(text) or None
            case wire.Transcript(text=text) if not repeated:
                self.interims[_channel(message)] = printable(text)
            case wire.Ready(session_id=session_id, seconds_remaining=left):
                self.tally.parts.append(Part(session_id))
                self.interims.clear()  # the new session hears them again, and may hear something else
                self.seconds_remaining, self.away = left, None
                self.engine_late = self.line_late = 0.0
            case wire.Warning(code="behind"):
                self.engine_late = message.seconds or 0.0
            case wire.Usage(seconds_used=used, seconds_remaining=left):
                self.tally.last.seconds_used, self.seconds_remaining = used, left
            case wire.CreditsLow(seconds_remaining=left):
                self.seconds_remaining, self.low = left, True
            case wire.UpstreamStatus(upstream=state):
                self.away = "" if state == "reconnecting" else None
            case wire.SessionEnd():
                self._settle(message)
        return None

    def _settle(self, end: wire.SessionEnd) -> None:
        if self.seconds_remaining is not None:
            self.seconds_remaining -= end.seconds_used - self.tally.last.seconds_used
        self.tally.ended(end)

    @property
    def interim(self) -> str:
        """Words that may still change, a line for each channel."""
        return "\n".join(text for _, text in sorted(self.interims.items()))

    def status(self) -> str:
        """The line below the words."""
        left = "" if self.seconds_remaining is None else f", {length(self.seconds_remaining)} left"
        return f"{length(self.tally.seconds_used)} billed{left}{self._note()}"

    def _note(self) -> str:
        if self.away is not None:
            return f" - reconnecting... ({self.away})" if self.away else " - reconnecting..."
        if late := max(self.engine_late, self.line_late):
            return f" - captions are {late:.0f} s behind"
        if self.gap_seconds:
            return f" - {exactly(self.gap_seconds)} of audio lost"
        return " - low on minutes" if self.low else ""


def _channel(words: wire.Transcript) -> int:
    return words.channel[0] if isinstance(words.channel, list) and words.channel else 0


def receipt(captions: Captions, *, explained: bool = False) -> str:
    """The last line: why it ended (unless `explained`), the audio of all sessions, what it cost, what is left."""
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
    """Return the sentence for an end reason or an error code; the word itself where a newer service sent it."""
    if word in ENDS:
        return ENDS[Reason(word)].sentence.what
    return ERRORS[ErrorCode(word)].what if word in ERRORS else f"Ended: {printable(word)}."


def printable(text: str) -> str:
    """The text without what could drive a terminal: control and formatting characters become spaces."""
    return "".join(char if char in JOINERS or unicodedata.category(char)[0] != "C" else " " for char in text)

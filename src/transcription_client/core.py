"""What a transcription is, apart from sockets, files and screens: frames and their times, captions, the receipt."""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from transcription_wire import messages as wire

SAMPLE_BYTES: Final = {"linear16": 2, "linear32": 4, "mulaw": 1, "alaw": 1}
FRAME_SECONDS: Final = 0.1
AHEAD_SECONDS: Final = 10.0
"""Of audio. The built-in engine hears that much in 2 s; the service waits 5 s for the last words."""
JOINERS: Final = "\u200c\u200d"
"""Part of how Persian, Hindi and emoji are written."""


@dataclass(frozen=True, slots=True)
class Format:
    """Raw audio, as the server is told of it."""

    encoding: str = "linear16"
    sample_rate: int = 16000
    channels: int = 1

    @property
    def bytes_per_second(self) -> int:
        return SAMPLE_BYTES[self.encoding] * self.channels * self.sample_rate

    @property
    def frame_bytes(self) -> int:
        """Bytes of a tenth of a second."""
        return int(FRAME_SECONDS * self.sample_rate) * SAMPLE_BYTES[self.encoding] * self.channels


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

    def take(self, message: wire.ServerMessage) -> None:
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

    def take(self, message: wire.ServerMessage) -> None:
        """Notes how far the service has come."""
        if isinstance(message, wire.Transcript):
            self._heard = max(self._heard, message.start + message.duration)

    def wait(self, nbytes: int, now: float) -> float:
        """Seconds to wait before sending these bytes: what they last, where they are far ahead."""
        self._sent += nbytes
        return 0.0 if self._sent / self._rate - self._heard <= AHEAD_SECONDS else nbytes / self._rate


@dataclass(slots=True)
class Captions:
    """What is to be seen: words that may still change, and what is left."""

    interim: str = ""
    seconds_used: int = 0
    seconds_remaining: int | None = None
    low: bool = False
    reconnecting: bool = False

    def take(self, message: wire.ServerMessage) -> str | None:
        """Takes a message in; a final text, which is to stay, comes back."""
        match message:
            case wire.Transcript(text=text, is_final=True):
                self.interim = ""
                return printable(text)
            case wire.Transcript(text=text):
                self.interim = printable(text)
            case wire.Ready(seconds_remaining=left):
                self.seconds_remaining = left
            case wire.Usage(seconds_used=used, seconds_remaining=left):
                self.seconds_used, self.seconds_remaining = used, left
            case wire.CreditsLow(seconds_remaining=left):
                self.seconds_remaining, self.low = left, True
            case wire.UpstreamStatus(upstream=state):
                self.reconnecting = state == "reconnecting"
            case wire.SessionEnd(seconds_used=used):
                self._settle(used)
        return None

    def _settle(self, used: int) -> None:
        if self.seconds_remaining is not None:
            self.seconds_remaining -= used - self.seconds_used
        self.seconds_used = used

    def status(self) -> str:
        """The line below the words."""
        left = "" if self.seconds_remaining is None else f", {length(self.seconds_remaining)} left"
        note = " - reconnecting ..." if self.reconnecting else " - minutes run low" if self.low else ""
        return f"{length(self.seconds_used)} used{left}{note}"


ENDS: Final = {
    "client_stop": "finished",
    "client_gone": "the connection was lost",
    "replaced": "continued from another connection",
    "ended_by_user": "ended from your account",
    "ended_by_operator": "ended by the operator",
    "idle": "no audio came for a long time",
    "insufficient_credits": "no minutes are left",
    "upstream_closed": "the speech engine ended the stream",
    "service_restart": "the service restarted",
    "too_slow": "this program did not read fast enough",
    "database_away": "the service could not reach its accounts",
    "bad_messages": "the service did not understand this program",
    "lease_expired": "the service lost track of this session",
    "internal": "something failed on the service's side",
}


def receipt(end: wire.SessionEnd, captions: Captions) -> str:
    """The last line: what was heard, what it cost, what is left, why it ended."""
    left = "" if captions.seconds_remaining is None else f", {length(captions.seconds_remaining)} left"
    pending = " (will be booked when the service's database is back)" if end.pending else ""
    why = ENDS.get(end.reason, printable(end.reason))
    return f"{end.audio_seconds:.10g} s of audio, {end.seconds_used} s used{pending}{left}: {why}."


def length(seconds: int) -> str:
    """7 s, 3 min 20 s, 8 h 20 min."""
    if abs(seconds) < 60:
        return f"{seconds} s"
    minutes, rest = divmod(abs(seconds), 60)
    sign = "-" if seconds < 0 else ""
    if minutes < 60:
        return f"{sign}{minutes} min {rest} s"
    return f"{sign}{minutes // 60} h {minutes % 60} min"


def printable(text: str) -> str:
    """The text without what could drive a terminal: control and formatting characters become spaces."""
    return "".join(char if char in JOINERS or unicodedata.category(char)[0] != "C" else " " for char in text)

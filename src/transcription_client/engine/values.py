"""What an engine tells the app, and what it needs of an audio source."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

State = Literal["connecting", "live", "reconnecting", "fallback", "ended"]


@dataclass(frozen=True, slots=True)
class TranscriptionResult:
    """Words. `start` and `duration` are seconds since `start()`; `timestamp` is when they began, in local time.

    An interim result (`is_final` false) is replaced by the next result, interim or final. A final result without text
    withdraws the interim words before it. `confidence` is None where the engine has none."""

    text: str
    is_final: bool
    confidence: float | None
    start: float
    duration: float
    timestamp: datetime


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """The state of the engine. `message`: a sentence for people. `reason`: why captions ended, set with "ended" only.

    "fallback": the model on this machine captions until the service is back. `seconds_remaining`: the balance, None
    where it is unknown."""

    state: State
    message: str
    seconds_remaining: int | None = None
    reason: str | None = None


class AudioSource(Protocol):
    """Captures audio in a thread of its own.

    If a source has an attribute `on_problem`, the engine sets it to a function that takes a sentence for people, to be
    called when the source fails, and with "" once it works again."""

    def start(self, callback: Callable[[bytes], None], /) -> None:
        """Begin to call `callback` with pieces of 16 kHz mono audio, signed 16-bit, little-endian."""

    def stop(self) -> None:
        """End. No call of `callback` begins after this has returned."""

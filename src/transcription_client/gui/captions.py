"""The captions of the window, without the window: what is shown, what can be saved, and how long minutes last."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from transcription_client.core import printable
from transcription_client.engine.values import TranscriptionResult
from transcription_client.output import Segment

SHOWN: Final = 24
"""Finals that are given to a view, which shows the last lines of them."""
RATE_SECONDS: Final = 60.0
"""How long balances are watched to know how fast they fall."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The captions that a view shows: final words, a line for each, and interim words after them."""

    finals: Sequence[str] = ()
    interim: str = ""

    @property
    def unfinished(self) -> str:
        """The interim words with an ellipsis, so that they show as unfinished without a color."""
        return f"{self.interim.rstrip('.,; ')}\u2026" if self.interim else ""


@dataclass
class CaptionLog:
    """All final words since the app started, also over several starts of the engine. Times are seconds."""

    segments: list[Segment] = field(default_factory=list)
    interim: str = ""
    unsaved: bool = False
    _first_start: float | None = None
    _offset: float = 0.0

    def begin(self, now: float) -> None:
        """Note that an engine starts. `now`: monotonic seconds."""
        if self._first_start is None:
            self._first_start = now
        self._offset = now - self._first_start
        self.interim = ""

    def take(self, result: TranscriptionResult) -> None:
        """Take in words. A final without text withdraws the interim words."""
        text = " ".join(printable(result.text).split())
        self.interim = "" if result.is_final else text
        if result.is_final and text:
            start = self._offset + max(0.0, result.start)
            self.segments.append(Segment(start, start + max(0.0, result.duration), text))
            self.unsaved = True

    def end(self) -> None:
        """Note that the engine ended: interim words stay no longer."""
        self.interim = ""

    def clear(self) -> None:
        self.segments.clear()
        self.interim, self.unsaved, self._first_start = "", False, None

    @property
    def shown(self) -> Shown:
        return Shown(tuple(segment.text for segment in self.segments[-SHOWN:]), self.interim)


class Forecast:
    """Tells how long a balance lasts at the pace at which it falls. Before that is known: a second a second."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def note(self, remaining: int, now: float) -> None:
        """Note a balance in seconds. One that has risen, as after a purchase, begins a new pace."""
        if self._seen and remaining > self._seen[-1][1]:
            self._seen.clear()
        self._seen.append((now, remaining))
        while len(self._seen) > 2 and self._seen[1][0] <= now - RATE_SECONDS:
            self._seen.popleft()

    def lasts(self) -> float | None:
        """Return for how many seconds the last balance is enough, or None before a pace is known."""
        if not self._seen:
            return None
        (began, before), (ended, remaining) = self._seen[0], self._seen[-1]
        if ended - began < RATE_SECONDS / 2:
            return float(remaining)
        used = before - remaining
        return remaining * (ended - began) / used if used else None

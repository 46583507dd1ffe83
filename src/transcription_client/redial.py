"""Whether a lost session is followed by another one, and when: values in, values out."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from transcription_client.core import what_happened
from transcription_client.errors import ClientError
from transcription_wire.codes import ErrorCode, Reason

WITHIN: Final = 60.0
"""Seconds from the loss."""
LAST_CHANCE: Final = 5.0
"""Seconds that a try may take in any case."""
PAUSES: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds before each try, at most; the last one goes on."""
NO_WORD: Final = 0.1
"""Seconds of sound in which there is no word."""

PASSING: Final[frozenset[str]] = frozenset(
    {
        Reason.SERVICE_RESTART,
        Reason.DATABASE_AWAY,
        Reason.UPSTREAM_CLOSED,
        Reason.LEASE_EXPIRED,
        Reason.CLIENT_GONE,
        Reason.INTERNAL,
        ErrorCode.SERVICE_UNAVAILABLE,
        ErrorCode.BUSY,
        ErrorCode.TOO_MANY_CONNECTIONS,
        ErrorCode.UPSTREAM_UNAVAILABLE,
        ErrorCode.AUTH_TIMEOUT,
    }
)
"""Error codes and reasons that another session may not meet. All others are final, those we do not know too."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a connection ended. `error`, `reason`: what the service said, None if it did not. `fault`: there was none."""

    ready: bool = False
    error: str | None = None
    reason: str | None = None
    fault: ClientError | None = None

    @property
    def why(self) -> str:
        """Return a sentence that says what happened."""
        if self.reason is not None:
            return what_happened(self.reason)
        if self.error is not None:
            return what_happened(self.error)
        if self.fault is not None:
            return "Can't reach the service."
        return what_happened(Reason.CLIENT_GONE) if self.ready else "The service isn't responding."


class Step(Enum):
    STOP = auto()
    RENEW = auto()
    """Dial again with another token."""
    REDIAL = auto()


def next_step(ended: Ended, *, began: bool, renewed: bool, rest: float | None) -> Step:
    """What to do when a connection has ended. `began`: there has been a session; `renewed`: the token is a new one;
    `rest`: seconds of sound without final words, None while more comes."""
    if ended.error == "unauthorized" and ended.reason is None and not ended.ready:
        return Step.STOP if renewed else Step.RENEW
    passing = all(word in PASSING for word in (ended.error, ended.reason) if word is not None)
    if not began or not passing or not owes_words(rest):
        return Step.STOP
    return Step.REDIAL


def owes_words(rest: float | None) -> bool:
    """Whether another session could find words."""
    return rest is None or rest >= NO_WORD


class Redial:
    """When to try again. Tries and clock start anew when a session has proven itself: by final words, which are
    progress, or by its length, as somebody may be silent. Times are monotonic seconds."""

    def __init__(
        self, within: float = WITHIN, pauses: tuple[float, ...] = PAUSES, last_chance: float = LAST_CHANCE
    ) -> None:
        self.within = within
        self._pauses = pauses
        self._last_chance = last_chance
        self._since: float | None = None
        self._ready_at: float | None = None
        self.tries = 0

    def ready(self, now: float) -> None:
        self._ready_at = now

    def proved(self) -> None:
        """Final words came that had not come before."""
        self._since = None
        self.tries = 0

    def lost(self, now: float, luck: float) -> float | None:
        """Seconds to wait before the next try, None when enough was tried. `luck`: from 0 to 1, so that clients that
        lost the same service do not come back at one moment."""
        if self._ready_at is not None and now >= self._ready_at + self.within:
            self.proved()
        self._ready_at = None
        if self._since is None:
            self._since = now
        left = self._since + self.within - now
        if left <= 0:
            return None
        pause = self._pauses[min(self.tries, len(self._pauses) - 1)]
        self.tries += 1
        return min(pause * (1 + luck) / 2, left)

    def patience(self, now: float) -> float:
        """Seconds that a try may take until a session is ready."""
        since = now if self._since is None else self._since
        return max(since + self.within - now, self._last_chance)

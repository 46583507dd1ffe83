"""Decides whether a lost session is followed by another one, and when. It uses no clock and no socket."""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from transcription_client.core import what_happened
from transcription_client.errors import ClientError
from transcription_wire.codes import ErrorCode, Reason

RETRY_SECONDS: Final = 60.0
"""How long after the loss of a session the client tries to reconnect."""
LAST_TRY_SECONDS: Final = 5.0
"""The least time that a try may take, also after RETRY_SECONDS."""
PAUSE_SECONDS: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""The longest pause before each try. The last one is repeated."""
SHORTEST_WORD_SECONDS: Final = 0.1
"""Audio that is shorter has no word in it."""

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
"""Error codes and end reasons that may be over in the next session. All others, unknown ones included, are final."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a connection ended. `ready`: its session became ready. `error`, `reason`: the service's words, if any.

    `detail`: the service's sentence about `error`. `fault`: why no connection could be made."""

    ready: bool = False
    error: str | None = None
    reason: str | None = None
    fault: ClientError | None = None
    detail: str | None = field(default=None, compare=False)

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
    """What to do after a connection has ended."""

    STOP = auto()
    RENEW = auto()
    """Dial again with another token."""
    REDIAL = auto()


def next_step(ended: Ended, *, began: bool, renewed: bool, rest: float | None) -> Step:
    """Return what to do when a connection has ended.

    `began`: there has been a session. `renewed`: the token has just been renewed. `rest`: seconds of audio without
    final words, None until the source has ended."""
    if ended.error == "unauthorized" and ended.reason is None and not ended.ready:
        return Step.STOP if renewed else Step.RENEW
    passing = all(word in PASSING for word in (ended.error, ended.reason) if word is not None)
    if not began or not passing or not owes_words(rest):
        return Step.STOP
    return Step.REDIAL


def owes_words(rest: float | None) -> bool:
    """Return whether the remaining audio may have words in it."""
    return rest is None or rest >= SHORTEST_WORD_SECONDS


class Redial:
    """Decides when to reconnect. Times are monotonic seconds.

    Tries and clock start again once a session has made progress: by final words, or by its length, since the speaker
    may be silent."""

    def __init__(
        self,
        within: float = RETRY_SECONDS,
        pauses: tuple[float, ...] = PAUSE_SECONDS,
        last_try: float = LAST_TRY_SECONDS,
    ) -> None:
        self.within = within
        self._pauses = pauses
        self._last_try = last_try
        self._since: float | None = None
        self._ready_at: float | None = None
        self.tries = 0

    def note_ready(self, now: float) -> None:
        """Note that a session is ready."""
        self._ready_at = now

    def note_progress(self) -> None:
        """Note that new final words came."""
        self._since = None
        self.tries = 0

    def record_loss(self, now: float, luck: float) -> float | None:
        """Record a lost connection. Return the seconds to wait before the next try, or None to give up.

        `luck`: a random number from 0 to 1, so that the clients of one service do not all reconnect at one moment.
        """
        if self._ready_at is not None and now >= self._ready_at + self.within:
            self.note_progress()
        self._ready_at = None
        if self._since is None:
            self._since = now
        left = self._since + self.within - now
        if left <= 0:
            return None
        pause = self._pauses[min(self.tries, len(self._pauses) - 1)]
        self.tries += 1
        return min(pause * (1 + luck) / 2, left)

    def attempt_seconds(self, now: float) -> float:
        """Return how many seconds the next try may take until its session is ready."""
        since = now if self._since is None else self._since
        return max(since + self.within - now, self._last_try)

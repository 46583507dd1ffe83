"""How often and how long a lost upstream is dialled again before the session gives up."""

from typing import Final

MOST_TRIES: Final = 5
WITHIN: Final = 20.0
"""Seconds from the loss."""
TELL_AFTER: Final = 2.0
"""Seconds without an upstream after which the client is told. One that opens ends the loss by proving itself, or by
staying for as long."""
PAUSES: Final = (0.1, 0.5, 1.5, 4.0, 8.0)
"""Seconds before each try, at most."""


class Redial:
    """Tries and clock start anew only when the upstream has proven itself: with Results beyond what was replayed,
    or, where a muted client gave it nothing beyond that, by staying for long.

    `seed` spreads the tries of sessions that lost the same upstream. Times are monotonic seconds.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._tries = 0
        self._lost_at: float | None = None
        self._down_since: float | None = None
        """The loss that is not over yet, though another one may be open."""
        self._told = False
        self._open_since: float | None = None
        self._proof_ms = 0
        self.is_proven = False
        """Whether the open upstream answered audio that no earlier one was sent."""
        self._found_ms = -1
        self.dial_at: float | None = None
        """When to dial next."""

    def lost(self, now: float, came_ms: int) -> bool:
        """The upstream is gone, or was not reached. Plans the next try; False: enough was tried.

        `came_ms`: where the client's audio ends so far."""
        if self._open_since is not None:
            if now >= self._open_since + WITHIN and came_ms <= self._proof_ms:
                self._start_anew()
            if now >= self._open_since + TELL_AFTER:
                self._down_since = None
        self._open_since = None
        if self._lost_at is None:
            self._lost_at = now
        if self._down_since is None:
            self._down_since = now
        if self._tries >= MOST_TRIES or now >= self._lost_at + WITHIN:
            return False
        self.dial_at = now + PAUSES[self._tries] * self._jitter()
        return True

    def dialled(self) -> None:
        self._tries += 1
        self.dial_at = None

    def opened(self, replayed_ms: int, now: float) -> None:
        """Another one is open, and has to hear again what lies before `replayed_ms`."""
        self._open_since = now
        self._proof_ms = replayed_ms
        self.is_proven = False

    def over(self) -> bool:
        """End the loss: the upstream proved itself, or stayed. Return whether the client knows of the loss."""
        told, self._told = self._told, False
        self._down_since = None
        return told

    def again(self, final_ms: int) -> bool:
        """It was lost after CloseStream, when all was final up to `final_ms`. Whether to seek another one for the
        last words: once, and as long as some of them were found each time."""
        found, self._found_ms = final_ms > self._found_ms, final_ms
        return found

    def results(self, end_ms: int) -> None:
        """Results up to `end_ms` came."""
        if end_ms > self._proof_ms:
            self.is_proven = True
            self._down_since = None
            self._start_anew()

    def told(self) -> None:
        """The client knows."""
        self._told = True

    @property
    def tell_at(self) -> float | None:
        """When to tell the client that there is no upstream."""
        if self._told or self._down_since is None or self._open_since is not None:
            return None
        return self._down_since + TELL_AFTER

    @property
    def over_at(self) -> float | None:
        """When to tell the client that there is one again, should it not prove itself before."""
        return self._open_since + TELL_AFTER if self._told and self._open_since is not None else None

    @property
    def give_up_at(self) -> float | None:
        return None if self._open_since is not None or self._lost_at is None else self._lost_at + WITHIN

    def _start_anew(self) -> None:
        self._lost_at = None
        self._tries = 0

    def _jitter(self) -> float:
        """From 0.5 to 1, another one for each try."""
        return 1 - (self._seed >> 8 * self._tries & 0xFF) / 510

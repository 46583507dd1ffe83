"""The retry budget of a lost upstream: how often and how long it is dialled again, and what the client is told."""

from typing import Final

MAX_TRIES: Final = 5
RETRY_BUDGET_SECONDS: Final = 20.0
"""Seconds from the loss after which the session gives up."""
NOTIFY_AFTER_SECONDS: Final = 2.0
"""Seconds without an upstream after which the client gets a status message. A new upstream ends the loss by answering
new audio, or by staying open for as long."""
BACKOFF_SECONDS: Final = (0.1, 0.5, 1.5, 4.0, 8.0)
"""Seconds before each try, at most; jitter takes off up to half."""


class Redial:
    """Plans the tries. The budget starts again only when a new upstream has proven itself: by Results beyond the
    replay, or, while the client is muted and there is nothing to answer, by staying open for RETRY_BUDGET_SECONDS.

    Times are monotonic seconds.
    """

    def __init__(self, seed: int) -> None:
        """`seed` gives sessions that lost the same upstream different jitter."""
        self._seed = seed
        self._tries = 0
        self._lost_at: float | None = None
        self._down_since: float | None = None
        """When the loss began that has not ended, although another upstream may be open."""
        self._is_client_notified = False
        self._open_since: float | None = None
        self._proof_ms = 0
        self.is_proven = False
        """Whether the open upstream answered audio that no earlier one was sent."""
        self._last_words_ms = -1
        self.dial_at: float | None = None
        """When to dial next."""

    def plan_try(self, now: float, came_ms: int) -> bool:
        """Record that the upstream was lost or not reached, and plan the next try. Return False if the budget is used
        up.

        `came_ms`: the end of the client's audio so far."""
        if self._open_since is not None:
            if now >= self._open_since + RETRY_BUDGET_SECONDS and came_ms <= self._proof_ms:
                self._reset_budget()
            if now >= self._open_since + NOTIFY_AFTER_SECONDS:
                self._down_since = None
        self._open_since = None
        if self._lost_at is None:
            self._lost_at = now
        if self._down_since is None:
            self._down_since = now
        if self._tries >= MAX_TRIES or now >= self._lost_at + RETRY_BUDGET_SECONDS:
            return False
        self.dial_at = now + BACKOFF_SECONDS[self._tries] * self._jitter()
        return True

    def record_dial(self) -> None:
        """Record that a try has begun."""
        self._tries += 1
        self.dial_at = None

    def record_open(self, replayed_ms: int, now: float) -> None:
        """Record that an upstream opened, which first gets the replay of the audio before `replayed_ms`."""
        self._open_since = now
        self._proof_ms = replayed_ms
        self.is_proven = False

    def end_loss(self) -> bool:
        """End the loss: the upstream proved itself, or stayed. Return whether the client was notified of the loss."""
        was_notified, self._is_client_notified = self._is_client_notified, False
        self._down_since = None
        return was_notified

    def may_retry_last_words(self, final_ms: int) -> bool:
        """Record a loss after CloseStream, with everything final up to `final_ms`. Return whether to redial for the
        last words: once, and again while each upstream found some of them."""
        found, self._last_words_ms = final_ms > self._last_words_ms, final_ms
        return found

    def record_results(self, end_ms: int) -> None:
        """Record Results that end at `end_ms`."""
        if end_ms > self._proof_ms:
            self.is_proven = True
            self._down_since = None
            self._reset_budget()

    def record_notice(self) -> None:
        """Record that the client was notified of the loss."""
        self._is_client_notified = True

    @property
    def notify_loss_at(self) -> float | None:
        """When to notify the client that there is no upstream."""
        if self._is_client_notified or self._down_since is None or self._open_since is not None:
            return None
        return self._down_since + NOTIFY_AFTER_SECONDS

    @property
    def notify_recovery_at(self) -> float | None:
        """When to notify the client that the upstream is back, if it has not proven itself before."""
        if not self._is_client_notified or self._open_since is None:
            return None
        return self._open_since + NOTIFY_AFTER_SECONDS

    @property
    def give_up_at(self) -> float | None:
        """When the budget is used up; None while an upstream is open or none was lost."""
        return None if self._open_since is not None or self._lost_at is None else self._lost_at + RETRY_BUDGET_SECONDS

    def _reset_budget(self) -> None:
        self._lost_at = None
        self._tries = 0

    def _jitter(self) -> float:
        """Return a factor from 0.5 to 1, a different one for each try."""
        return 1 - (self._seed >> 8 * self._tries & 0xFF) / 510

"""When a live session settles, what its settle states, and how long it waits for credit (money 12, 13, 16, 20)."""

from typing import Final
from uuid import UUID

from transcription_proxy.metering.meter import Meter
from transcription_proxy.values import Settled, Settlement

GRANT_SECONDS: Final = 45.0
"""Seconds that a grant is valid, from when the last successful settle was sent."""
SETTLE_INTERVAL_SECONDS: Final = 10.0
"""Seconds between settles, at most."""
RETRY_SECONDS: Final = 1.0
"""Seconds before a failed settle is repeated."""
CREDIT_RETRY_SECONDS: Final = 0.5
"""Seconds between settles while all credit is in the holds of the user's other sessions."""
CREDIT_WAIT_SECONDS: Final = 10.0
"""Seconds that audio waits for credit, or for the database, before the session ends."""
MUTED_HOLD_SECONDS: Final = 5.0
"""Seconds without audio after which a session releases its hold."""


class Funding:
    """One session's numbered settles. One is under way at a time."""

    def __init__(self, session_id: UUID, meter: Meter, now: float) -> None:
        self._id = session_id
        self._meter = meter
        self.number = 0
        """The number of the last settle."""
        self._settle_sent_at = now
        self._was_sent_in_need = False
        self._in_need_since: float | None = None
        """Since when audio waits for nothing but credit."""
        self._is_credit_refused = False
        self._is_failing = False
        self._released_at_bytes: int | None = None
        """Bytes forwarded when the hold was released. Until more are forwarded, the session needs no hold."""
        self._must_state_ready = False
        """The session became ready, and no settle that says so is booked yet."""
        self.has_row_changed = False
        """The session's row was changed from outside: settle soon, because the answer says how."""

    def record_need(self, is_waiting: bool, now: float) -> None:
        """Record whether the session lacks credit. `is_waiting`: audio waits that could be sent if it were paid."""
        if not is_waiting or not (self._meter.is_exhausted or now >= self._meter.expires):
            self._in_need_since = None
            self._is_credit_refused = False
        elif self._in_need_since is None:
            self._in_need_since = now

    def needs_settle(self, now: float) -> bool:
        """Return whether to send a settle now."""
        if self._meter.is_settling:
            return False
        return now >= self.settle_at or self._meter.is_settle_due or (self.has_row_changed and not self._is_failing)

    @property
    def settle_at(self) -> float:
        """When to send the next settle, if nothing else requires one before."""
        if self._is_failing:
            return self._settle_sent_at + RETRY_SECONDS
        if self._in_need_since is not None:
            return self._settle_sent_at + (CREDIT_RETRY_SECONDS if self._is_credit_refused else 0)
        return self._settle_sent_at + SETTLE_INTERVAL_SECONDS

    @property
    def release_hold_at(self) -> float | None:
        """When a session without audio releases its hold; None if it has done so, or cannot now."""
        if self._is_hold_released or self._is_failing or self._meter.is_settling or self._in_need_since is not None:
            return None
        return self._meter.last_audio + MUTED_HOLD_SECONDS

    @property
    def _is_hold_released(self) -> bool:
        return self._released_at_bytes == self._meter.forwarded

    @property
    def give_up_at(self) -> float | None:
        """When the session ends because audio has waited for credit, or for the database, for too long."""
        return None if self._in_need_since is None else self._in_need_since + CREDIT_WAIT_SECONDS

    @property
    def is_database_away(self) -> bool:
        """Whether it is the database that is missing, and not credit."""
        return self._is_failing or self._meter.is_settling

    def next_settlement(self, now: float, *, ready: bool = False, release_hold: bool = False) -> Settlement:
        """Begin the next settle and return it, to be sent at once.

        `ready`: the session became ready. `release_hold`: give the unused hold back.
        """
        self._was_sent_in_need = self._in_need_since is not None
        if release_hold:
            self._released_at_bytes = self._meter.forwarded
        elif self._was_sent_in_need:
            self._released_at_bytes = None
        self.number += 1
        self._settle_sent_at = now
        self.has_row_changed = False
        self._must_state_ready = self._must_state_ready or ready
        total = self._meter.begin_settle()
        if release_hold:
            self._meter.regrant(total, self._meter.expires)
        is_released = self._is_hold_released
        return Settlement(
            self._id,
            self.number,
            total,
            extend=not is_released,
            keep=self._meter.grant if is_released else None,
            ready=self._must_state_ready,
        )

    def record_answer(self, answer: Settled) -> bool:
        """Record that the settle was booked. Return False if no credit is left, not even in other sessions."""
        has_grown = answer.grant > self._meter.grant
        self._is_failing = self._must_state_ready = False
        self._meter.complete_settle(answer.grant, self._settle_sent_at + GRANT_SECONDS)
        self._is_credit_refused = self._was_sent_in_need and not has_grown
        if has_grown:
            self._in_need_since = None
        return not (self._is_credit_refused and self._meter.is_exhausted and not answer.elsewhere)

    def record_failure(self) -> None:
        """Record that the database did not take the settle."""
        self._is_failing = True
        self._meter.fail_settle()

"""When a live session settles, what it states, and how long it waits for credit (money 12, 13, 16, 20)."""

from typing import Final
from uuid import UUID

from transcription_proxy.metering.meter import Meter
from transcription_proxy.values import Settled, Settlement

GRANT_SECONDS: Final = 45.0
"""A grant ends this long after the last successful settle was sent."""
SETTLE_EVERY: Final = 10.0
RETRY_AFTER: Final = 1.0
"""After a settle that failed."""
ASK_EVERY: Final = 0.5
"""While all credit is in the holds of neighbours."""
PATIENCE: Final = 10.0
"""With audio waiting, and no credit or no database."""
GIVE_BACK_AFTER: Final = 5.0
"""Without audio."""


class Funding:
    """The statements of one session to the ledger, numbered, one under way at a time."""

    def __init__(self, session_id: UUID, meter: Meter, now: float) -> None:
        self._id = session_id
        self._meter = meter
        self.number = 0
        self._asked_at = now
        self._asked_in_need = False
        self._in_need_since: float | None = None
        self._refused = False
        self._failing = False
        self._gave_back_at: int | None = None
        """Bytes forwarded when the hold was given back: while there are no more, there is no need of one."""
        self._ready = False
        """`ready` is to be stated, until a settle that said so is booked."""
        self.nudged = False
        """The session's row was changed from outside: settle soon, to hear what it says."""

    def need(self, waiting: bool, now: float) -> None:
        """`waiting`: audio waits, and only credit is missing."""
        if not waiting or not (self._meter.exhausted or now >= self._meter.expires):
            self._in_need_since = None
            self._refused = False
        elif self._in_need_since is None:
            self._in_need_since = now

    def wanted(self, now: float) -> bool:
        """Whether a settle should be stated now."""
        if self._meter.asking:
            return False
        return now >= self.settle_at or self._meter.due or (self.nudged and not self._failing)

    @property
    def settle_at(self) -> float:
        """When to settle next, should nothing else call for it."""
        if self._failing:
            return self._asked_at + RETRY_AFTER
        if self._in_need_since is not None:
            return self._asked_at + (ASK_EVERY if self._refused else 0)
        return self._asked_at + SETTLE_EVERY

    @property
    def give_back_at(self) -> float | None:
        """When a session without audio returns its hold; None: it has, or cannot now."""
        if self._gave_back or self._failing or self._meter.asking or self._in_need_since is not None:
            return None
        return self._meter.last_audio + GIVE_BACK_AFTER

    @property
    def _gave_back(self) -> bool:
        return self._gave_back_at == self._meter.forwarded

    @property
    def despair_at(self) -> float | None:
        """When waiting for credit has lasted long enough."""
        return None if self._in_need_since is None else self._in_need_since + PATIENCE

    @property
    def away(self) -> bool:
        """Whether it is the database that is missing, not credit."""
        return self._failing or self._meter.asking

    def state(self, now: float, *, ready: bool = False, give_back: bool = False) -> Settlement:
        """The next settle, to be sent at once."""
        self._asked_in_need = self._in_need_since is not None
        if give_back:
            self._gave_back_at = self._meter.forwarded
        elif self._asked_in_need:
            self._gave_back_at = None
        self.number += 1
        self._asked_at = now
        self.nudged = False
        self._ready = self._ready or ready
        total = self._meter.ask()
        if give_back:
            self._meter.regrant(total, self._meter.expires)
        keep = self._meter.grant if self._gave_back else None
        return Settlement(self._id, self.number, total, extend=not self._gave_back, keep=keep, ready=self._ready)

    def answered(self, answer: Settled) -> bool:
        """Takes a booked settle in. False: credit is refused for good, nothing is left anywhere."""
        grew = answer.grant > self._meter.grant
        self._failing = self._ready = False
        self._meter.answered(answer.grant, self._asked_at + GRANT_SECONDS)
        self._refused = self._asked_in_need and not grew
        if grew:
            self._in_need_since = None
        return not (self._refused and self._meter.exhausted and not answer.elsewhere)

    def failed(self) -> None:
        """The settle under way was not taken."""
        self._failing = True
        self._meter.failed()

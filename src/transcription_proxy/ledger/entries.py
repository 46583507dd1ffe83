"""What the ledger's numbers mean: kinds of entries, bounds, holds, rounding, and the values it answers with.

The SQL of a settle does the same arithmetic for a whole batch; tests hold it against these functions."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Final
from uuid import UUID

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal
from transcription_wire.codes import Reason, Status

MAX_CREDITS: Final = 1_000_000_000
"""No entry and no balance is larger, either way (money 25)."""
LOW_PERCENT: Final = 20
MOST_LOW_SECONDS: Final = 600
LEASE_SECONDS: Final = 60
"""How long a session lives without a settle (money 20)."""


class Description(StrEnum):
    """Kind of a ledger row."""

    SESSION_USAGE = "session_usage"
    CREDIT_PURCHASE = "credit_purchase"
    MANUAL_ADJUSTMENT = "manual_adjustment"
    TRIAL = "trial"
    REFUND = "refund"
    DISPUTE = "dispute"


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Balance:
    """A user's balance row. `seconds_remaining` may be negative after a claw-back."""

    seconds_remaining: int = 0
    seconds_held: int = 0
    seconds_frozen: int = 0

    @property
    def available(self) -> int:
        return self.seconds_remaining - self.seconds_held - self.seconds_frozen


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a user's ledger, in the time zone asked for."""

    date: date
    seconds_used: int
    seconds_purchased: int
    seconds_adjusted: int


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session as it is listed. `model`: what its client asked for; `engine`: what listened, as people read it.

    While it is live, `reason` is the one that it was marked to end with, if any."""

    id: UUID
    user_id: UUID
    email: str
    started_at: datetime
    ended_at: datetime | None
    seconds_used: int
    audio_seconds: float | None
    model: str | None
    engine: str
    status: Status
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class Ended:
    """A session that was ended without its relay: `released` credits of its hold went back."""

    session_id: UUID
    user_id: UUID
    seconds_used: int
    released: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What an audit found wrong with `subject`, a user or a session."""

    severity: Severity
    check: str
    subject: UUID
    detail: str


@dataclass(frozen=True, slots=True)
class Audit:
    """The findings of an audit, and the number of ledger entries that it checked."""

    entries: int
    findings: list[Finding]


def low_mark(granted: int) -> int:
    """Return the seconds below which a balance is low: 20% of the last grant or purchase, 10 minutes at most."""
    return min(granted * LOW_PERCENT // 100, MOST_LOW_SECONDS)


def new_hold(available: int, remaining_hold: int, cap: int, max_sessions: int, taken: int = 0) -> int:
    """Credits that a session holds from now on (money 10, 11, 30).

    `available` leaves out `remaining_hold`, what is left of its own; `taken` is what the user's other sessions of
    the same batch were just granted of it.
    """
    share = -(-(available + remaining_hold) // (2 * max_sessions))
    wish = max(min(cap, max(share, 1)) - remaining_hold, 0)
    return remaining_hold + min(wish, max(available - taken, 0))


def billable(total: int, settled: int, hold: int) -> int:
    """A total as it can be billed: never beyond the grant (money 5)."""
    return max(0, min(total, settled + hold))


def balance_after(balance: Balance, seconds: int) -> int:
    """The balance once `seconds` are added. Raises Refusal where they are more than there are, or than fit."""
    after = balance.seconds_remaining + seconds
    if abs(seconds) > MAX_CREDITS or after > MAX_CREDITS:
        raise Refusal("amount_too_large", sentences.too_many_credits(MAX_CREDITS))
    if seconds < -max(balance.available, 0):
        available = max(balance.available, 0)
        raise Refusal("insufficient_credits", sentences.too_few_credits(available))
    return after


def audio_seconds(milliseconds: int) -> Decimal:
    """Seconds with one decimal, halves up."""
    return (Decimal(milliseconds) / 1000).quantize(Decimal("0.1"), ROUND_HALF_UP)


def upstream_seconds(milliseconds: int | None) -> Decimal | None:
    """Seconds with three decimals, which is exact. The upstream may say anything: it is bounded."""
    return None if milliseconds is None else Decimal(min(milliseconds, MAX_CREDITS * 1000 - 1)) / 1000

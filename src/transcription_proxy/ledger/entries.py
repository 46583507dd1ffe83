"""The ledger's values and its arithmetic: kinds of entries, bounds, holds, rounding.

The SQL of a settle does the same arithmetic for a whole batch; tests compare it with these functions."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal
from transcription_proxy.values import Opening, UpstreamConnection
from transcription_wire.codes import ErrorCode, Reason, Status

MAX_CREDITS: Final = 1_000_000_000
"""The largest entry and the largest balance in credits, positive or negative (money 25)."""
LOW_PERCENT: Final = 20
"""A balance is low below this share of the last grant or purchase."""
LOW_MAX_SECONDS: Final = 600
"""A balance of more than this is never low."""
LEASE_SECONDS: Final = 60
"""How long a session stays active without a settle (money 20)."""


class Description(StrEnum):
    """Kind of a ledger entry."""

    SESSION_USAGE = "session_usage"
    CREDIT_PURCHASE = "credit_purchase"
    MANUAL_ADJUSTMENT = "manual_adjustment"
    TRIAL = "trial"
    REFUND = "refund"
    DISPUTE = "dispute"


class Severity(StrEnum):
    """Severity of an audit's finding. Only an error makes the command exit with 1."""

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
    """The sums of one day of a user's ledger, in the time zone of the request."""

    date: date
    seconds_used: int
    seconds_purchased: int
    seconds_adjusted: int


@dataclass(frozen=True, slots=True)
class OpeningState:
    """What decides whether a session may open, read while its user's balance is locked.

    `live`: the user's live sessions. `last_clawback`: the place in the ledger of
    what a refund or a dispute last took back from the user, or 0."""

    live: int
    last_clawback: int


@dataclass(frozen=True, slots=True)
class Streams:
    """The number of live sessions of all users, and of those with speaker labels."""

    taken: int
    diarized: int


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session in a list. `model`: the one that its client requested. `engine`: the speech engine's display name.

    `reason` of a live session: the reason that it was marked to end with, if any."""

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
    """A session that the reaper ended. `released`: credits of its hold that were given back."""

    session_id: UUID
    user_id: UUID
    seconds_used: int
    released: int


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that an audit found wrong with `subject`: a user, a session or a purchase."""

    severity: Severity
    check: str
    subject: UUID
    detail: str


@dataclass(frozen=True, slots=True)
class UpstreamSession:
    """A session of an upstream engine. `ended_at`: None while it is live. `audio_seconds`: billed, of one channel.

    `connections`: none if the process died before the session's end."""

    id: UUID
    user_id: UUID
    started_at: datetime
    ended_at: datetime | None
    audio_seconds: Decimal
    channels: int
    addons: Sequence[str]
    connections: Sequence[UpstreamConnection]


@dataclass(frozen=True, slots=True)
class Audit:
    """The findings of an audit, and the number of ledger entries that it checked."""

    entries: int
    findings: list[Finding]


def low_mark(granted: int) -> int:
    """Return the seconds below which a balance is low: 20% of the last grant or purchase, 10 minutes at most."""
    return min(granted * LOW_PERCENT // 100, LOW_MAX_SECONDS)


def new_hold(available: int, remaining_hold: int, cap: int, max_sessions: int, taken: int = 0) -> int:
    """Return the credits that a session holds from now on (money 10, 11, 30).

    `remaining_hold`: what is left of the session's hold, which `available` does not contain. `taken`: what the user's
    other sessions in the same batch have just been granted of `available`. `cap`: the largest hold of the session.
    """
    share = -(-(available + remaining_hold) // (2 * max_sessions))
    wish = max(min(cap, max(share, 1)) - remaining_hold, 0)
    return remaining_hold + min(wish, max(available - taken, 0))


def first_hold(available: int, key_available: int | None, opening: Opening, max_sessions: int) -> int | Refusal:
    """Return the credits that a new session holds: a share, or what a recording is expected to cost, if available.

    `key_available`: what the limit of its API key leaves, None without a limit."""
    if key_available is not None and key_available <= 0:
        return Refusal(ErrorCode.INSUFFICIENT_CREDITS, sentences.KEY_SPENT)
    free = available if key_available is None else min(available, key_available)
    if opening.upfront is None:
        return min(new_hold(available, 0, opening.hold_cap, max_sessions), free)
    if opening.needs_all and opening.upfront > free:
        return Refusal(ErrorCode.INSUFFICIENT_CREDITS, sentences.recording_too_long(opening.upfront, free))
    return min(max(opening.upfront, 1), free)


def billable(total: int, settled: int, hold: int) -> int:
    """Return the part of a total that can be billed: never more than the grant (money 5)."""
    return max(0, min(total, settled + hold))


def balance_after(balance: Balance, seconds: int) -> int:
    """Return the balance once `seconds` are added; negative ones are taken, at most what is available.

    Raise Refusal: amount_too_large, insufficient_credits.
    """
    after = balance.seconds_remaining + seconds
    if abs(seconds) > MAX_CREDITS or after > MAX_CREDITS:
        raise Refusal("amount_too_large", sentences.too_many_credits(MAX_CREDITS))
    if seconds < -max(balance.available, 0):
        available = max(balance.available, 0)
        raise Refusal("insufficient_credits", sentences.too_few_credits(available))
    return after


def balance_clawed_back(balance: Balance, seconds: int) -> int:
    """Return the balance once a refund or dispute has taken `seconds` of it. Raise Refusal amount_too_large."""
    after = balance.seconds_remaining - seconds
    if abs(after) > MAX_CREDITS:
        raise Refusal("amount_too_large", sentences.too_many_credits(MAX_CREDITS))
    return after


def audio_seconds(milliseconds: int) -> Decimal:
    """Return seconds with one decimal, halves rounded up."""
    return (Decimal(milliseconds) / 1000).quantize(Decimal("0.1"), ROUND_HALF_UP)


def upstream_seconds(milliseconds: int | None) -> Decimal | None:
    """Return seconds with three decimals, which is exact. An upstream may report any number, so it is bounded."""
    return None if milliseconds is None else Decimal(min(milliseconds, MAX_CREDITS * 1000 - 1)) / 1000


def stored_connection(connection: UpstreamConnection) -> dict[str, Any]:
    """Return a connection as JSON values."""
    return asdict(replace(connection, request_id=storable_id(connection.request_id)))


def storable_id(request_id: str | None) -> str | None:
    """Return an upstream's id without the characters that PostgreSQL does not store."""
    return None if request_id is None else request_id.encode("utf-8", "replace").decode().replace("\0", "")

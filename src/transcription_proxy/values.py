"""Values that pass between the session machine, the relay and the ledger. Credits are whole numbers."""

from dataclasses import dataclass
from uuid import UUID

from transcription_wire.codes import Reason


@dataclass(frozen=True, slots=True)
class Opening:
    """A wish to open a session. `hold_cap` is 45 s of audio in credits, at least 1 (money 10)."""

    user_id: UUID
    token_version: int
    life: UUID
    """Id of the process life that owns the session (money 21)."""
    model: str
    """As the client asked for it."""
    engine: str
    """The speech engine, one of metering/engines.py."""
    language: str
    rate_micro: int
    """Micro-credits a second of audio of one channel."""
    cost_micro: int
    """The engine's price in millionths of a dollar per minute of one channel, kept for the report."""
    channels: int
    """Channels billed."""
    hold_cap: int
    replaces: UUID | None = None
    login: UUID | None = None
    """The login that the client's token came from, where it names one."""
    key_id: UUID | None = None
    """The API key that the client presented in place of a token."""
    addons: tuple[str, ...] = ()
    """Options with a price of their own, names of metering/rates.py."""
    upfront: int | None = None
    """Credits to hold at once in place of a share: what a recording is expected to cost."""
    needs_all: bool = False
    """Refuse to open unless all of `upfront` can be held, because the recording surely costs as much."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that holds credit: it may use `grant` credits in all, until its lease ends.

    `seconds_remaining`: the user's balance, or what the limit of the API key leaves where that is less."""

    session_id: UUID
    user_id: UUID
    grant: int
    seconds_remaining: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """One live session's state for the ledger. `total` is absolute: credits used since the start."""

    session_id: UUID
    user_id: UUID
    """The session's user, by whom the ledger's rows are found."""
    number: int
    """Grows with each statement of this session; a repeat changes nothing (money 16)."""
    total: int
    extend: bool = True
    """Asks for a new hold. Without it only the lease is renewed and the total booked."""
    keep: int | None = None
    """A grant, lower than the one stored, that the relay already obeys: the rest is given back (money 11)."""
    ready: bool = False
    """The session began now: it is listed from here on."""


@dataclass(frozen=True, slots=True)
class Settled:
    """Answer to a Settlement.

    `gone`: the session is not active and the number was new: nothing was booked. `ending`: marked to end
    from outside, or overdrawn by a claw-back. `elsewhere`: credits in holds of the user's other sessions.
    """

    session_id: UUID
    number: int
    grant: int
    seconds_used: int
    seconds_remaining: int
    elsewhere: int
    gone: bool = False
    ending: Reason | None = None
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class UpstreamConnection:
    """One connection of a session to the upstream, or the recording that was sent to it, kept for reconciliation."""

    request_id: str | None
    """The upstream's id of the request."""
    socket_ms: int | None
    """How long the connection was open, milliseconds. None: the session is older than this figure."""
    sent_ms: int | None
    """Audio sent on this connection, milliseconds: a replay and the service's own silence included. None: not known."""
    reported_ms: int | None = None
    """What the upstream reported of it in its closing message, where there was one."""
    heard_ms: int = 0
    """The end of the last Results: the upstream has heard at least as much."""


@dataclass(frozen=True, slots=True)
class Closing:
    """The end of a session, with its true total (it may be lower than what was settled: money 17)."""

    session_id: UUID
    user_id: UUID
    number: int
    total: int
    reason: Reason
    audio_ms: int
    """Audio billed, milliseconds."""
    sent_ms: int | None = None
    """Audio sent upstream, each byte once, milliseconds."""
    upstream_ms: int | None = None
    """What the upstream reported, where it did."""
    request_id: str | None = None
    """The upstream's id of the last request."""
    ready: bool = True
    """False: it never became ready; it bills nothing and is not listed (money 6)."""
    connections: tuple[UpstreamConnection, ...] = ()
    """The session's upstream connections, in order."""


@dataclass(frozen=True, slots=True)
class Closed:
    """What the ledger holds of an ended session, which is what `session_end` says."""

    session_id: UUID
    seconds_used: int
    reason: Reason
    seconds_remaining: int

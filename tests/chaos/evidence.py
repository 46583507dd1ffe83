"""The evidence of a run: what clients saw, what the upstream received, what the ledger holds. Values only.

Times are seconds of one monotonic clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.causes import Cause
from tests.chaos.recorder import ReceivedAudio


@dataclass(frozen=True, slots=True)
class Words:
    """A final text: words `first` to `last` of the audio, received when the client had sent `sent_ms` of it."""

    channel: int
    first: int
    last: int
    sent_ms: int


@dataclass(slots=True)
class Attempt:
    """One attempt of a client to have a session, as the client saw it."""

    user: str
    stream: int
    began: float
    ended: float = 0.0
    silent_since: float = 0.0
    """When the last message of the service came."""
    session: str | None = None
    replaces: str | None = None
    bytes_per_second: int = 32_000
    sent: int = 0
    stopped: bool = False
    actions: set[str] = field(default_factory=set)
    """What the client did, or a fault did to it, that may have ended it: vanished, gave_up, flooded, deaf, hit."""
    finals: list[Words] = field(default_factory=list)
    results_ms: int = 0
    """Where the furthest transcript ended."""
    errors: list[str] = field(default_factory=list)
    end: Mapping[str, Any] | None = None
    """`session_end`."""
    code: int | None = None
    """Close code; None where the service sent no close."""
    protocol: list[str] = field(default_factory=list)
    """Messages of the service that docs/protocol.md does not allow."""


@dataclass(frozen=True, slots=True)
class Row:
    """A session as the operator sees it."""

    session: str
    user: str
    status: str
    reason: str | None
    seconds_used: int
    audio_seconds: float | None


@dataclass(frozen=True, slots=True)
class Evidence:
    told: Sequence[Attempt]
    heard: Mapping[str, ReceivedAudio]
    rows: Sequence[Row]
    causes: Sequence[Cause]
    poor: frozenset[str]
    """Users who may run out of credit."""
    audit: Sequence[str]
    left: Sequence[str]
    """Leases and holds that are left, and whose."""
    quiet_after: float
    """Seconds from the last fault until none was left."""
    log: Sequence[str]
    """Log lines that show a bug."""


@dataclass(frozen=True, slots=True)
class Violation:
    subject: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.subject}: expected {self.expected}; found {self.found}"

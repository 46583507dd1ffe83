"""What happens to a session (past tense) and what it wants done (imperative). Values only."""

from dataclasses import dataclass

from transcription_proxy.values import Closed, Closing, Settled, Settlement

# Events


@dataclass(frozen=True, slots=True)
class ClientSpoke:
    """A text frame of the client."""

    text: bytes


@dataclass(frozen=True, slots=True)
class AudioArrived:
    """A binary frame that the meter did not admit as it came."""

    data: bytes


@dataclass(frozen=True, slots=True)
class ClientPonged:
    """The client gave a sign of life that is no message."""


@dataclass(frozen=True, slots=True)
class ClientOversent:
    """A message over 1 MiB, in one frame or many."""


@dataclass(frozen=True, slots=True)
class ClientStalled:
    """The client does not read: what we write to it piles up."""


@dataclass(frozen=True, slots=True)
class ClientRecovered:
    """The client reads again."""


@dataclass(frozen=True, slots=True)
class ClientLost:
    """The client's socket is closed, by it or by the network."""


@dataclass(frozen=True, slots=True)
class UpstreamOpened:
    """The upstream answered 101. `request_id` is its own name for the request."""

    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class UpstreamRefused:
    """The upstream could not be reached (no status), or answered the handshake with a status and a sentence."""

    status: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class UpstreamSpoke:
    """A text frame of the upstream."""

    text: bytes


@dataclass(frozen=True, slots=True)
class UpstreamPonged:
    """The upstream gave a sign of life that is no message."""


@dataclass(frozen=True, slots=True)
class UpstreamStalled:
    """The upstream does not read: what we write to it piles up."""


@dataclass(frozen=True, slots=True)
class UpstreamRecovered:
    """The upstream reads again."""


@dataclass(frozen=True, slots=True)
class UpstreamLost:
    """The upstream's socket is closed."""

    code: int | None = None


@dataclass(frozen=True, slots=True)
class SettleAnswered:
    answer: Settled


@dataclass(frozen=True, slots=True)
class SettleFailed:
    """The database did not take the settle: it is away, slow, or the row stayed locked."""


@dataclass(frozen=True, slots=True)
class CloseCommitted:
    answer: Closed


@dataclass(frozen=True, slots=True)
class Nudged:
    """The session's row was changed from outside: ask what it says (money 22)."""


@dataclass(frozen=True, slots=True)
class Drained:
    """The service goes down."""


@dataclass(frozen=True, slots=True)
class Broke:
    """Our own code failed over this session."""


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The session's deadline has come."""


Event = (
    ClientSpoke | AudioArrived | ClientPonged | ClientOversent | ClientStalled | ClientRecovered | ClientLost
    | UpstreamOpened | UpstreamRefused | UpstreamSpoke | UpstreamPonged | UpstreamStalled | UpstreamRecovered
    | UpstreamLost | SettleAnswered | SettleFailed | CloseCommitted | Nudged | Drained | Broke | TimePassed
)  # fmt: skip

# Actions


@dataclass(frozen=True, slots=True)
class SendClient:
    """A text frame. One that is `optional` may be left out while the client does not read."""

    text: bytes
    optional: bool = False


@dataclass(frozen=True, slots=True)
class CloseClient:
    code: int


@dataclass(frozen=True, slots=True)
class PingClient:
    pass


@dataclass(frozen=True, slots=True)
class PauseClient:
    """Stop reading from the client."""


@dataclass(frozen=True, slots=True)
class ResumeClient:
    pass


@dataclass(frozen=True, slots=True)
class Dial:
    """Open the upstream; answered by UpstreamOpened or UpstreamRefused."""


@dataclass(frozen=True, slots=True)
class SendAudio:
    data: bytes


@dataclass(frozen=True, slots=True)
class SendUpstream:
    """A text frame."""

    text: bytes


@dataclass(frozen=True, slots=True)
class PingUpstream:
    pass


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the upstream, or give up dialling it. No event of it comes after this."""


@dataclass(frozen=True, slots=True)
class Settle:
    """Answered by SettleAnswered or SettleFailed."""

    settlement: Settlement


@dataclass(frozen=True, slots=True)
class Close:
    """Close the session in the ledger, again and again until it commits; answered by CloseCommitted."""

    closing: Closing


@dataclass(frozen=True, slots=True)
class Finish:
    """The session is over and booked: forget it."""


Action = (
    SendClient | CloseClient | PingClient | PauseClient | ResumeClient | Dial | SendAudio | SendUpstream
    | PingUpstream | HangUp | Settle | Close | Finish
)  # fmt: skip

"""What happens to a session (past tense) and what it wants done (imperative). Values only."""

from msgspec import Struct

from transcription_proxy.stream.endings import ErrorSaid
from transcription_proxy.values import Closed, Closing, Settled, Settlement

# Events


class ClientSpoke(Struct, frozen=True):
    """A text frame of the client."""

    text: bytes


class AudioArrived(Struct, frozen=True):
    """A binary frame that the meter did not admit as it came."""

    data: bytes


class ClientPonged(Struct, frozen=True):
    """The client gave a sign of life that is no message."""


class ClientViolated(Struct, frozen=True):
    """The client broke a rule of the socket, and nothing more of it is read. It is told `error`."""

    error: ErrorSaid


class ClientStalled(Struct, frozen=True):
    """The client does not read: what we write to it piles up."""


class ClientRecovered(Struct, frozen=True):
    """The client reads again."""


class ClientLost(Struct, frozen=True):
    """The client's socket is closed, by it or by the network."""


class UpstreamOpened(Struct, frozen=True):
    """The upstream answered 101. `request_id` is its own name for the request."""

    request_id: str | None = None


class UpstreamRefused(Struct, frozen=True):
    """The upstream could not be reached (no status), or answered the handshake with a status and a sentence."""

    status: int | None = None
    detail: str = ""


class UpstreamSpoke(Struct, frozen=True):
    """A text frame of the upstream."""

    text: bytes


class UpstreamPonged(Struct, frozen=True):
    """The upstream gave a sign of life that is no message."""


class UpstreamStalled(Struct, frozen=True):
    """The upstream does not read: what we write to it piles up."""


class UpstreamRecovered(Struct, frozen=True):
    """The upstream reads again."""


class UpstreamLost(Struct, frozen=True):
    """The upstream's socket is closed."""

    code: int | None = None


class SettleAnswered(Struct, frozen=True):
    answer: Settled


class SettleFailed(Struct, frozen=True):
    """The database did not take the settle: it is away, slow, or the row stayed locked."""


class CloseCommitted(Struct, frozen=True):
    answer: Closed


class Nudged(Struct, frozen=True):
    """The session's row was changed from outside: ask what it says (money 22)."""


class DrainBegan(Struct, frozen=True):
    """The service takes no more sessions."""


class Drained(Struct, frozen=True):
    """The service goes down."""


class Broke(Struct, frozen=True):
    """Our own code failed over this session."""


class TimePassed(Struct, frozen=True):
    """The session's deadline has come."""


Event = (
    ClientSpoke | AudioArrived | ClientPonged | ClientViolated | ClientStalled | ClientRecovered | ClientLost
    | UpstreamOpened | UpstreamRefused | UpstreamSpoke | UpstreamPonged | UpstreamStalled | UpstreamRecovered
    | UpstreamLost | SettleAnswered | SettleFailed | CloseCommitted | Nudged | DrainBegan | Drained | Broke
    | TimePassed
)  # fmt: skip

# Actions


class SendClient(Struct, frozen=True):
    """A text frame. One that is `optional` may be left out while the client does not read."""

    text: bytes
    optional: bool = False


class CloseClient(Struct, frozen=True):
    code: int


class PingClient(Struct, frozen=True):
    pass


class PauseClient(Struct, frozen=True):
    """Stop reading from the client."""


class ResumeClient(Struct, frozen=True):
    pass


class Dial(Struct, frozen=True):
    """Open the upstream; answered by UpstreamOpened or UpstreamRefused."""


class SendAudio(Struct, frozen=True):
    data: bytes


class SendUpstream(Struct, frozen=True):
    """A text frame."""

    text: bytes


class PingUpstream(Struct, frozen=True):
    pass


class HangUp(Struct, frozen=True):
    """Close the upstream, or give up dialling it. No event of it comes after this."""


class Settle(Struct, frozen=True):
    """Answered by SettleAnswered or SettleFailed."""

    settlement: Settlement


class Close(Struct, frozen=True):
    """Close the session in the ledger, again and again until it commits; answered by CloseCommitted."""

    closing: Closing


class Finish(Struct, frozen=True):
    """The session is over and booked: forget it."""


Action = (
    SendClient | CloseClient | PingClient | PauseClient | ResumeClient | Dial | SendAudio | SendUpstream
    | PingUpstream | HangUp | Settle | Close | Finish
)  # fmt: skip

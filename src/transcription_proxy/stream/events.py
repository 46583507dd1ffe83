"""The events that happen to a session (past tense), and the actions it asks for (imperative). Values only."""

from msgspec import Struct

from transcription_proxy.stream.listen_errors import ListenError
from transcription_proxy.values import Closed, Closing, Settled, Settlement
from transcription_wire import messages as wire

# Events


class ClientSentText(Struct, frozen=True):
    """The client sent a text frame."""

    text: bytes


class AudioArrived(Struct, frozen=True):
    """The client sent a binary frame that was not admitted at once."""

    data: bytes


class ClientPonged(Struct, frozen=True):
    """The client answered a ping."""


class ClientBrokeProtocol(Struct, frozen=True):
    """The client broke a rule of WebSocket, and the relay reads no more of it. `error`: the error to send."""

    error: wire.Error


class ClientStalled(Struct, frozen=True):
    """The client stopped reading: what we write piles up."""


class ClientRecovered(Struct, frozen=True):
    """The client reads again."""


class ClientLost(Struct, frozen=True):
    """The client's socket is closed, by it or by the network. `code`: of its close frame, 0 for an empty one, None
    without one."""

    code: int | None = None
    reason: bytes = b""


class UpstreamOpened(Struct, frozen=True):
    """The upstream answered the handshake with 101. `request_id`: its id for the request."""

    request_id: str | None = None


class UpstreamRefused(Struct, frozen=True):
    """The upstream answered the handshake with another status and a sentence, or was not reached (`status` None)."""

    status: int | None = None
    detail: str = ""
    body: bytes = b""
    request_id: str | None = None


class UpstreamSentText(Struct, frozen=True):
    """The upstream sent a text frame."""

    text: bytes


class UpstreamPonged(Struct, frozen=True):
    """The upstream answered a ping."""


class UpstreamStalled(Struct, frozen=True):
    """The upstream stopped reading: what we write piles up."""


class UpstreamRecovered(Struct, frozen=True):
    """The upstream reads again."""


class UpstreamLost(Struct, frozen=True):
    """The upstream's socket is closed. `code`: of its close frame, 0 for an empty one, None without one."""

    code: int | None = None
    reason: bytes = b""


class SettleAnswered(Struct, frozen=True):
    """The ledger answered the settle under way."""

    answer: Settled


class SettleFailed(Struct, frozen=True):
    """The database did not take the settle: the database is away or slow, or a row stayed locked."""


class CloseCommitted(Struct, frozen=True):
    """The ledger committed the close."""

    answer: Closed


class RowChanged(Struct, frozen=True):
    """The session's row was changed from outside, and the next settle's answer says how (money 22)."""


class DrainBegan(Struct, frozen=True):
    """The service takes no new sessions from now on."""


class DrainEnded(Struct, frozen=True):
    """The service shuts down now."""


class SessionFailed(Struct, frozen=True):
    """An exception was raised while this session was handled."""


class TimePassed(Struct, frozen=True):
    """The session's deadline has passed."""


Event = (
    ClientSentText | AudioArrived | ClientPonged | ClientBrokeProtocol | ClientStalled | ClientRecovered | ClientLost
    | UpstreamOpened | UpstreamRefused | UpstreamSentText | UpstreamPonged | UpstreamStalled | UpstreamRecovered
    | UpstreamLost | SettleAnswered | SettleFailed | CloseCommitted | RowChanged | DrainBegan | DrainEnded
    | SessionFailed | TimePassed
)  # fmt: skip

# Actions


class SendClient(Struct, frozen=True):
    """Send the client a message. Its socket encodes it."""

    message: wire.ServerMessage


class AcceptClient(Struct, frozen=True):
    """Answer the client's handshake with 101. `request_id`: the upstream's id for the request."""

    request_id: str | None


class RefuseClient(Struct, frozen=True):
    """Answer the client's handshake with an HTTP error."""

    error: ListenError


class SendClientText(Struct, frozen=True):
    """Send the client a text frame."""

    text: bytes


class ShowCaption(Struct, frozen=True):
    """Show words on the pages that watch the account's captions. The client has got them already."""

    transcript: wire.Transcript


class CloseClient(Struct, frozen=True):
    """Close the client's socket. `code`: 0 for a close frame without a code."""

    code: int
    reason: bytes = b""


class PingClient(Struct, frozen=True):
    """Send the client a ping; answered by ClientPonged."""


class PauseClient(Struct, frozen=True):
    """Stop reading from the client."""


class ResumeClient(Struct, frozen=True):
    """Read from the client again."""


class Dial(Struct, frozen=True):
    """Open an upstream; answered by UpstreamOpened or UpstreamRefused."""


class SendAudio(Struct, frozen=True):
    """Send a binary frame upstream."""

    data: bytes


class SendUpstream(Struct, frozen=True):
    """Send a text frame upstream."""

    text: bytes


class PingUpstream(Struct, frozen=True):
    """Send the upstream a ping; answered by UpstreamPonged."""


class CloseUpstream(Struct, frozen=True):
    """Close the upstream, or give up dialling it. No event of that upstream follows. `code`: 0 for a close frame
    without a code."""

    code: int = 1000
    reason: bytes = b""


class Settle(Struct, frozen=True):
    """Book the session's total in the ledger; answered by SettleAnswered or SettleFailed."""

    settlement: Settlement


class Close(Struct, frozen=True):
    """Close the session in the ledger, repeated until it commits; answered by CloseCommitted."""

    closing: Closing


class Finish(Struct, frozen=True):
    """Drop the session: it is over, and its bill is booked."""


Action = (
    SendClient | AcceptClient | RefuseClient | SendClientText | ShowCaption | CloseClient | PingClient | PauseClient
    | ResumeClient | Dial | SendAudio | SendUpstream | PingUpstream | CloseUpstream | Settle | Close | Finish
)  # fmt: skip

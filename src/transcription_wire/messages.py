"""The JSON messages of `/ws/transcribe`, both directions. Times and durations are seconds."""

from typing import Any, Final, Literal, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType


class Auth(Struct, tag="auth"):
    """The client's first message. `token`: an access token or API key. `config`: see the options. `replaces`: the ID of
    a lost session of the same account, which this one takes the place of.

    The server checks the fields one by one, so their types here are `Any`."""

    token: Any = None
    config: Any = None
    replaces: Any = None


class Keepalive(Struct, tag="keepalive", omit_defaults=True):
    """Keeps a session open while the client sends no audio. With `answer`, the server replies with `alive` at once.

    A page cannot send a WebSocket ping: the reply tells it that all audio before this message has arrived."""

    answer: bool = False


class Finalize(Struct, tag="finalize"):
    """Asks the upstream to make all words so far final now."""


class Stop(Struct, tag="stop"):
    """Ends the session: the server sends the last words, `session_end`, and close code 1000."""


ClientMessage = Auth | Keepalive | Finalize | Stop


class Ready(Struct, tag="ready"):
    """The session is open. Its ID is what `replaces` names after a lost connection."""

    session_id: str
    seconds_remaining: int


class Transcript(Struct, tag="transcript", omit_defaults=True):
    """Words, interim or final. `channel` and `words` are present if the upstream sends them; `confidence` may be null.

    A final without text withdraws the interim words of its channel."""

    text: str
    is_final: bool
    confidence: float | None
    start: float
    duration: float
    speech_final: bool
    words: list[dict[str, Any]] | UnsetType = UNSET
    channel: list[int] | UnsetType = UNSET


class SpeechStarted(Struct, tag="speech_started"):
    """Somebody began to speak. Sent if `vad_events` is set."""

    start: float


class UtteranceEnd(Struct, tag="utterance_end"):
    """Nobody spoke for `utterance_end_ms`."""

    last_word_end: float


class Usage(Struct, tag="usage"):
    """What the session has used so far, and the balance. Sent after each settle."""

    seconds_used: int
    seconds_remaining: int


class CreditsLow(Struct, tag="credits_low"):
    """The balance fell through 600, 300 or 60 seconds."""

    seconds_remaining: int


class UpstreamStatus(Struct, tag="status"):
    """The service lost its speech engine and dials it again, or has reached it again."""

    upstream: Literal["reconnecting", "connected"]


class Alive(Struct, tag="alive"):
    """The reply to a `keepalive` that asks for one."""


class Warning(Struct, tag="warning", omit_defaults=True):
    """A problem with the captions that does not end the session. `code`: a WarningCode, or a newer server's code.

    `seconds`, with code `behind`: how late the words are; 0 when they are on time again."""

    code: str
    message: str
    seconds: float | UnsetType = UNSET


class Error(Struct, tag="error"):
    """An error. `code`: an ErrorCode. Clients must accept codes that they do not know."""

    code: str
    message: str


class SessionEnd(Struct, tag="session_end", omit_defaults=True):
    """The last message of every session that became ready. `pending`: the ledger has not booked the figures yet."""

    seconds_used: int
    audio_seconds: float
    reason: str
    pending: bool = False


ServerMessage = (
    Ready | Transcript | SpeechStarted | UtteranceEnd | Usage | CreditsLow | UpstreamStatus | Warning | Error
    | SessionEnd | Alive
)  # fmt: skip

_Message = TypeVar("_Message")

_client_decoder: Final[msgspec.json.Decoder[ClientMessage]] = msgspec.json.Decoder(ClientMessage)
_server_decoder: Final[msgspec.json.Decoder[ServerMessage]] = msgspec.json.Decoder(ServerMessage)
_encoder = msgspec.json.Encoder()


def decode_client(text: str | bytes | memoryview) -> ClientMessage:
    """Return a client's message. Raise msgspec.DecodeError (ValidationError is one) for anything else."""
    return _decode(_client_decoder, text)


def decode_server(text: str | bytes) -> ServerMessage:
    """Return a server's message. Raise msgspec.DecodeError (ValidationError is one) for anything else."""
    return _decode(_server_decoder, text)


def _decode(decoder: msgspec.json.Decoder[_Message], text: str | bytes | memoryview) -> _Message:
    try:
        return decoder.decode(text)
    except (UnicodeError, RecursionError) as error:  # invalid UTF-8 and endless nesting
        raise msgspec.DecodeError("JSON is not UTF-8, or nested too deep") from error


def encode(message: ClientMessage | ServerMessage) -> bytes:
    """Return a message as UTF-8 JSON, for a text frame."""
    return _encoder.encode(message)

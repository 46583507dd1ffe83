"""The JSON messages of `/ws/transcribe`, both directions. Times and durations are seconds."""

from typing import Any, Final, Literal, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType


class Auth(Struct, tag="auth"):
    """First message of the client. What is in it is checked by the server, field by field, hence `Any`."""

    token: Any = None
    config: Any = None
    replaces: Any = None


class Keepalive(Struct, tag="keepalive", omit_defaults=True):
    """The client is there, though it sends no audio. With `answer`, the server replies with `alive` at once.

    A page cannot send a WebSocket ping: the reply tells it that all audio before this message has arrived."""

    answer: bool = False


class Finalize(Struct, tag="finalize"):
    """Make what was heard so far final now."""


class Stop(Struct, tag="stop"):
    """Finish: the last words, `session_end`, close 1000."""


ClientMessage = Auth | Keepalive | Finalize | Stop


class Ready(Struct, tag="ready"):
    session_id: str
    seconds_remaining: int


class Transcript(Struct, tag="transcript", omit_defaults=True):
    """Words. `channel` and `words` are there when the upstream gives them; `confidence` may be null.

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
    start: float


class UtteranceEnd(Struct, tag="utterance_end"):
    last_word_end: float


class Usage(Struct, tag="usage"):
    seconds_used: int
    seconds_remaining: int


class CreditsLow(Struct, tag="credits_low"):
    seconds_remaining: int


class UpstreamStatus(Struct, tag="status"):
    upstream: Literal["reconnecting", "connected"]


class Alive(Struct, tag="alive"):
    """The reply to a `keepalive` that asks for one."""


class Warning(Struct, tag="warning", omit_defaults=True):
    """Something is wrong with the captions, and the session goes on. `code` is a WarningCode, or one of a newer server.

    `seconds` comes with `behind`: how late the words are, 0 once they are on time again."""

    code: str
    message: str
    seconds: float | UnsetType = UNSET


class Error(Struct, tag="error"):
    """`code` is an ErrorCode; a client must bear one that it does not know."""

    code: str
    message: str


class SessionEnd(Struct, tag="session_end", omit_defaults=True):
    """Last message of every session that became ready. With `pending`, what the ledger will hold."""

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
    """A client's message. Raises msgspec.DecodeError (ValidationError is one) for anything else."""
    return _decode(_client_decoder, text)


def decode_server(text: str | bytes) -> ServerMessage:
    """A server's message. Raises msgspec.DecodeError (ValidationError is one) for anything else."""
    return _decode(_server_decoder, text)


def _decode(decoder: msgspec.json.Decoder[_Message], text: str | bytes | memoryview) -> _Message:
    try:
        return decoder.decode(text)
    except (UnicodeError, RecursionError) as error:  # msgspec lets these through: no UTF-8, and nesting without end
        raise msgspec.DecodeError("JSON is not UTF-8, or nested too deep") from error


def encode(message: ClientMessage | ServerMessage) -> bytes:
    """UTF-8 JSON of one message, for a text frame."""
    return _encoder.encode(message)

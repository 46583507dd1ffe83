"""What an overlay's page is sent and sends, as WebSocket messages and as server-sent events. Values only."""

from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from transcription_wire.messages import Transcript

MAX_TEXT_CHARACTERS: Final = 1000
"""Characters of a line: NOTIFY takes 8,000 bytes, and JSON needs up to 6 for one."""
TEST_SESSION: Final = "test"
"""The `session` of lines that the account's owner asked for, to see the overlay work. Real sessions have a UUID."""


class Line(Struct, tag="line", tag_field="event", frozen=True):
    """Words of a session. An interim line is replaced by the next line of its session and channel."""

    session: str
    start: float
    text: str
    is_final: bool
    channel: int | UnsetType = UNSET


class Clear(Struct, tag="clear", tag_field="event", frozen=True):
    """The session has ended."""

    session: str


Shown = Line | Clear


class Heartbeat(Struct, tag="heartbeat", tag_field="event", frozen=True):
    """Sent at the begin, and during silence: the connection works."""


class Failed(Struct, tag="error", tag_field="event", frozen=True):
    """Why the connection is closed. `error` has the shape that errors have in HTTP."""

    error: dict[str, str]


class Auth(Struct, tag="auth", frozen=True):
    """A page's first message."""

    key: str


_auth: Final = msgspec.json.Decoder(Auth)
_encoder: Final = msgspec.json.Encoder()


def line(session: str, transcript: Transcript) -> Line:
    """Return the line for words of the caption protocol. It has a channel if there are several."""
    channel = transcript.channel[0] if transcript.channel and transcript.channel[-1] > 1 else UNSET
    return Line(session, transcript.start, shorten(transcript.text), transcript.is_final, channel)


def shorten(text: str) -> str:
    """Return the text with MAX_TEXT_CHARACTERS at most. A text that was cut ends with an ellipsis."""
    return text if len(text) <= MAX_TEXT_CHARACTERS else text[: MAX_TEXT_CHARACTERS - 1] + "…"


def parse_key(message: bytes) -> str:
    """Return the key in a page's first message. Raises msgspec.DecodeError."""
    return _auth.decode(message).key


def encode(message: Shown | Heartbeat | Failed) -> bytes:
    """Return the text of a WebSocket message."""
    return _encoder.encode(message)


def server_sent(shown: Shown) -> bytes:
    """Return a line or an end as a server-sent event. JSON has no line breaks that could end it early."""
    fields = msgspec.to_builtins(shown)
    return event(fields.pop("event"), _encoder.encode(fields))


def event(name: str, data: bytes = b"{}") -> bytes:
    """Return a server-sent event. `data`: JSON."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), data)

"""What an overlay shows: lines and their ends, as a page gets them and as workers pass them on. Values only."""

from collections.abc import Hashable
from itertools import islice
from typing import Final, Generic, TypeVar
from uuid import UUID

import msgspec
from msgspec import UNSET, Struct, UnsetType

LONGEST: Final = 1000
"""Characters of a line: NOTIFY takes 8,000 bytes, and JSON needs up to 6 for one."""
TEST_SESSION: Final = "test"
"""The `session` of lines that the account's owner asked for, to see the overlay work. Real sessions have a UUID."""
T = TypeVar("T")


class Line(Struct, tag="line", tag_field="event", frozen=True):
    """Words of a session. An interim line is replaced by the next one of its session and channel."""

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
    """The connection lives, though nobody speaks."""


class Failed(Struct, tag="error", tag_field="event", frozen=True):
    """Nothing is shown, or no more. `error` has the shape that it has in HTTP."""

    error: dict[str, str]


class Auth(Struct, tag="auth", frozen=True):
    """A page's first message."""

    key: str


class Passed(Struct, frozen=True):
    """From the worker that has the session to one that has a page."""

    user: UUID
    shown: Shown


class Watch(Struct, tag="watch", frozen=True):
    """So many pages watch the account at that worker."""

    life: UUID
    user: UUID
    watchers: int


class Ask(Struct, tag="ask", frozen=True):
    """Somebody who has just begun to listen wants to hear all Watches."""


class Renewed(Struct, tag="renewed", frozen=True):
    """Keys of the account's overlay before this version are void."""

    user: UUID
    version: int


News = Watch | Ask | Renewed


class _Transcript(Struct, tag="transcript"):
    """Of the caption protocol, as much as is shown."""

    text: str
    is_final: bool
    start: float
    channel: list[int] | UnsetType = UNSET
    """Which, of how many."""


_transcripts: Final = msgspec.json.Decoder(_Transcript)
_auth: Final = msgspec.json.Decoder(Auth)
_passed: Final = msgspec.json.Decoder(Passed)
_news: Final[msgspec.json.Decoder[News]] = msgspec.json.Decoder(News)
_encoder: Final = msgspec.json.Encoder()


def line(session: str, message: bytes) -> Line | None:
    """What is shown of a message to the client; None for one that is no transcript."""
    try:
        said = _transcripts.decode(message)
    except msgspec.DecodeError:
        return None
    channel = said.channel[0] if said.channel and said.channel[-1] > 1 else UNSET
    return Line(session, said.start, cut(said.text), said.is_final, channel)


def cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def server_sent(shown: Shown) -> bytes:
    """As a server-sent event. JSON has no line break of its own."""
    fields = msgspec.to_builtins(shown)
    return event(fields.pop("event"), _encoder.encode(fields))


def event(name: str, data: bytes = b"{}") -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), data)


def key(message: bytes) -> str:
    """Return the key in a page's first message. Raises msgspec.DecodeError."""
    return _auth.decode(message).key


def message(shown: Shown | Heartbeat | Failed) -> bytes:
    """Return the text of a WebSocket's message."""
    return _encoder.encode(shown)


def encode(message: Passed | News) -> str:
    """For NOTIFY."""
    return _encoder.encode(message).decode()


def decode_passed(payload: str) -> Passed:
    """Raises msgspec.DecodeError."""
    return _passed.decode(payload)


def decode_news(payload: str) -> News:
    """Raises msgspec.DecodeError."""
    return _news.decode(payload)


class Backlog(Generic[T]):
    """What waits to be sent, oldest first, at most so many: beyond it the oldest is dropped."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: dict[int, T] = {}
        self._interim: dict[Hashable, int] = {}
        self._number = 0

    def __bool__(self) -> bool:
        return bool(self._items)

    def add(self, key: Hashable, item: T, interim: bool) -> None:
        """An item takes the place of an interim one of its key that still waits."""
        number = self._interim.pop(key, None)
        if number not in self._items:
            number = self._number = self._number + 1
        self._items[number] = item
        if interim:
            self._interim[key] = number
        if len(self._items) > self._most:
            del self._items[next(iter(self._items))]

    def take(self, most: int) -> list[T]:
        numbers = list(islice(self._items, most))
        taken = [self._items.pop(number) for number in numbers]
        self._interim = {key: number for key, number in self._interim.items() if number in self._items}
        return taken

"""The stand-in Deepgram's record of a connection."""

import hashlib
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.standin.script import values


@dataclass(frozen=True, slots=True)
class Text:
    """A text message received: when, and after how many bytes of audio."""

    text: str
    at: float
    audio_bytes: int

    @property
    def type(self) -> str:
        return str(json.loads(self.text)["type"])


@dataclass(slots=True)
class Record:
    """One connection as the stand-in saw it. Times are `time.monotonic()`."""

    number: int
    target: str
    headers: list[tuple[str, str]]
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    opened_at: float = field(default_factory=time.monotonic)
    port: int = 0
    """Of the peer."""
    query: list[tuple[str, str]] = field(init=False)
    audio: bytearray = field(default_factory=bytearray)
    audio_bytes: int = 0
    audio_messages: int = 0
    audio_at: list[float] = field(default_factory=list)
    """When each audio message came."""
    digest: Any = field(default_factory=hashlib.sha256)
    texts: list[Text] = field(default_factory=list)
    pings: int = 0
    refused: int | None = None
    closed_at: float | None = None
    close_code: int | None = None
    """What the peer sent; None while open, 1006 when it left without a close frame."""
    closed_first: bool = False
    """Whether the peer closed first."""

    def __post_init__(self) -> None:
        self.query = parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def closed(self) -> bool:
        return self.closed_at is not None

    def value(self, name: str) -> str | None:
        """The first value of a query parameter."""
        return next(iter(values(self.query, name)), None)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def types(self) -> list[str]:
        """Types of the text messages received, in order."""
        return [text.type for text in self.texts]

    def as_json(self) -> str:
        """All but the audio itself and the credentials."""
        return json.dumps(
            {
                "number": self.number,
                "target": self.target,
                "request_id": self.request_id,
                "audio_bytes": self.audio_bytes,
                "audio_messages": self.audio_messages,
                "sha256": self.digest.hexdigest(),
                "texts": [text.text for text in self.texts],
                "pings": self.pings,
                "refused": self.refused,
                "seconds_open": round((self.closed_at or time.monotonic()) - self.opened_at, 3),
                "close_code": self.close_code,
                "closed_first": self.closed_first,
            }
        )

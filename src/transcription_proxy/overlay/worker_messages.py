"""What workers tell each other about overlays, as payloads of NOTIFY. Values only.

Hosts of different versions share a database: names of types and fields stay."""

from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from transcription_proxy.overlay.messages import Shown


class Forwarded(Struct, frozen=True):
    """A line or an end, from the worker that has the session to a worker that has pages of the account."""

    user: UUID
    shown: Shown


class PageCount(Struct, tag="watch", frozen=True):
    """How many pages of the account are open at the worker with this life."""

    life: UUID
    user: UUID
    pages: int = msgspec.field(name="watchers")


class CountsWanted(Struct, tag="ask", frozen=True):
    """A worker has begun to listen: all others are to send their PageCounts."""


class KeyRenewed(Struct, tag="renewed", frozen=True):
    """Keys of the account's overlay before this version are void."""

    user: UUID
    version: int


Announcement = PageCount | CountsWanted | KeyRenewed
_forwarded: Final = msgspec.json.Decoder(Forwarded)
_announcements: Final[msgspec.json.Decoder[Announcement]] = msgspec.json.Decoder(Announcement)
_encoder: Final = msgspec.json.Encoder()


def encode(message: Forwarded | Announcement) -> str:
    """Return the payload for a message."""
    return _encoder.encode(message).decode()


def decode_forwarded(payload: str) -> Forwarded:
    """Return the message of a worker's own channel. Raises msgspec.DecodeError."""
    return _forwarded.decode(payload)


def decode_announcement(payload: str) -> Announcement:
    """Return the message of the shared channel. Raises msgspec.DecodeError."""
    return _announcements.decode(payload)

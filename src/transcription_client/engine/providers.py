"""A provider of captions, as the captioner uses it: the service, Deepgram, or the model on this computer."""

from collections.abc import Callable
from typing import Protocol

from transcription_client.connection import Connection
from transcription_client.redial import Ended
from transcription_wire import messages as wire

OnMessage = Callable[[wire.ServerMessage], None]


class Provider(Protocol):
    """Makes one connection after another. `connecting`, `live`: what the user is told."""

    connecting: str
    live: str

    async def connect(self, on_message: OnMessage, /) -> Connection | Ended:
        """Return a connection that takes audio, or why there is none. Raise ClientError.

        `on_message` is called with every message of the connection."""

    async def maintain(self) -> None:
        """Do what must be done from time to time, until cancelled."""

    async def close(self) -> None:
        """Finish what must not be cut short."""

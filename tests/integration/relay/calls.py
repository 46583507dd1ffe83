"""A session with its relay, a ledger that grants everything, and a client that keeps its messages."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

from picows import WSMsgType

from tests import waiting
from tests.integration.relay.doorway import Nothing
from transcription_proxy.metering import rates
from transcription_proxy.overlay.feeds import Feeds
from transcription_proxy.relay.relay import Relay, RelayContext
from transcription_proxy.relay.settler import Settler
from transcription_proxy.relay.upstream import Dialler
from transcription_proxy.stream import events as ev
from transcription_proxy.stream import options
from transcription_proxy.stream.phase import Phase
from transcription_proxy.stream.session import Session
from transcription_proxy.values import Closed, Closing, Opened, Settled, Settlement
from transcription_wire.messages import ServerMessage, encode

PATIENCE = 10.0
FRAME = bytes(3200)
"""A tenth of a second."""


class FakeLedger:
    """A ledger that grants every settle, and keeps the closes."""

    def __init__(self) -> None:
        self.closings: list[Closing] = []

    async def settle(self, batch: Sequence[Settlement]) -> list[Settled]:
        return [Settled(each.session_id, each.number, each.total + 45, each.total, 1000, 0) for each in batch]

    async def renew_leases(self, sessions: Mapping[UUID, UUID]) -> None: ...

    async def close(self, closing: Closing) -> Closed:
        self.closings.append(closing)
        return Closed(closing.session_id, closing.total, closing.reason, 1000)


class Client:
    """A client's socket. `broken`: names of the methods that raise."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.code: int | None = None
        self.broken: set[str] = set()
        self.forward: Callable[[WSMsgType, bytes], None] | None = None

    def send(self, message: ServerMessage) -> None:
        self._fail("send")
        self.heard.append(json.loads(encode(message)))

    def close(self, code: int, reason: bytes = b"") -> None:
        self.code = code

    def set_forward(self, send: Callable[[WSMsgType, bytes], None] | None) -> None:
        if send is not None:
            self._fail("connect")
        self.forward = send

    def ping(self) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def _fail(self, what: str) -> None:
        if what in self.broken:
            raise RuntimeError(f"{what} is broken")

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.heard if message["type"] == kind]


class Call:
    """One session with its client, ledger and upstream."""

    def __init__(self, url: str, patience: float = 0.0) -> None:
        self.ledger, self.client = FakeLedger(), Client()
        self.settler = Settler(self.ledger)
        session = Session(Opened(UUID(int=7), uuid4(), 45, 1000), options.read(None, rates.load()), 900, monotonic())
        self.lines = RelayContext(self.settler, Dialler(None, patience), url)
        self.relay = Relay(session, self.client, self.lines, Feeds(uuid4(), Nothing(), Nothing()).feed(uuid4()))

    @property
    def phase(self) -> Phase:
        return self.relay.session.phase

    @property
    def behind_ms(self) -> int:
        return self.relay.session._upstream.behind_ms

    @property
    def dials(self) -> int:
        """The number of upstreams that were opened."""
        return self.relay.session._upstream.progress.connections

    def send(self, audio: bytes = FRAME) -> None:
        self.relay.handle_event(ev.AudioArrived(audio))

    def say(self, kind: str) -> None:
        self.relay.handle_event(ev.ClientSentText(json.dumps({"type": kind}).encode()))

    async def until(self, condition: Callable[[], object]) -> None:
        await waiting.until(condition)

    async def end(self) -> tuple[list[str], int | None]:
        """Wait for the end; return the codes of the errors, and the close code."""
        await asyncio.wait_for(self.relay.finished, PATIENCE)
        return [error["code"] for error in self.client.told("error")], self.client.code


@asynccontextmanager
async def calling(url: str, patience: float = 0.0) -> AsyncIterator[Call]:
    """Yield a session that was just opened and dials this upstream. No task of it is left afterwards."""
    new = Call(url, patience)
    settling = asyncio.create_task(new.settler.run())
    new.relay.start()
    try:
        yield new
    finally:
        settling.cancel()
    assert new.relay._dialling is None or new.relay._dialling.done()

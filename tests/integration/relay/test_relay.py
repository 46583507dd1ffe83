"""A session with real sockets on its upstream's side: however the handshake goes wrong, its client is told in time."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

import pytest
from picows import WSMsgType

from tests.integration.relay.doorway import Nothing
from tests.standin.deepgram import DeepgramStandIn, Record
from tests.standin.script import BROKEN_HANDSHAKES, REFUSALS, Hangup, Script
from transcription_proxy.metering import rates
from transcription_proxy.relay import upstream
from transcription_proxy.relay.relay import Lines, Relay
from transcription_proxy.relay.settler import Settler
from transcription_proxy.relay.stages import Stages
from transcription_proxy.relay.upstream import Dialler
from transcription_proxy.stream import events as ev
from transcription_proxy.stream import options, redial
from transcription_proxy.stream.phase import Phase
from transcription_proxy.stream.session import Session
from transcription_proxy.values import Closed, Closing, Opened, Settled, Settlement

PATIENCE = 10.0
FRAME = bytes(3200)
"""A tenth of a second."""
BROKEN = pytest.mark.parametrize("how", sorted(BROKEN_HANDSHAKES))


class Books:
    """A ledger that grants whatever it is asked for, and keeps what it was told at the end."""

    def __init__(self) -> None:
        self.closings: list[Closing] = []

    async def settle(self, batch: Sequence[Settlement]) -> list[Settled]:
        return [Settled(each.session_id, each.number, each.total + 45, each.total, 1000, 0) for each in batch]

    async def close(self, closing: Closing) -> Closed:
        self.closings.append(closing)
        return Closed(closing.session_id, closing.total, closing.reason, 1000)


class Client:
    """The client's side of a relay. `broken`: what fails of it."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.code: int | None = None
        self.broken: set[str] = set()
        self.forward: Callable[[WSMsgType, memoryview], None] | None = None

    def send(self, text: bytes, optional: bool) -> None:
        self._fail("send")
        self.heard.append(json.loads(text))

    def close(self, code: int) -> None:
        self.code = code

    def connect(self, send: Callable[[WSMsgType, memoryview], None]) -> None:
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
    """One session and all that is around it."""

    def __init__(self, url: str, patience: float = 0.0) -> None:
        self.books, self.client = Books(), Client()
        self.settler = Settler(self.books)
        session = Session(Opened(UUID(int=7), 45, 1000), options.read(None, rates.load()), 900, monotonic())
        lines = Lines(self.settler, Dialler(None, patience), url)
        self.relay = Relay(session, self.client, lines, Stages(uuid4(), Nothing(), Nothing()).stage(uuid4()))

    @property
    def phase(self) -> Phase:
        return self.relay.session.phase

    def frame(self) -> None:
        self.relay.happen(ev.AudioArrived(FRAME))

    def say(self, kind: str) -> None:
        self.relay.happen(ev.ClientSpoke(json.dumps({"type": kind}).encode()))

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.005)

    async def end(self) -> tuple[list[str], int | None]:
        """Waits for its end: the codes of the errors, and the close code."""
        await asyncio.wait_for(self.relay.finished, PATIENCE)
        return [error["code"] for error in self.client.told("error")], self.client.code


@asynccontextmanager
async def call(script: Script | Callable[[Record], Script], patience: float = 0.0) -> AsyncIterator[Call]:
    """A session that has just been opened, before an upstream with this script; no task of it is left afterwards."""
    async with DeepgramStandIn(script) as standin:
        new = Call(standin.url, patience)
        settling = asyncio.create_task(new.settler.run())
        new.relay.start()
        yield new
        settling.cancel()
        assert new.relay._dialling is None or new.relay._dialling.done()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "HANDSHAKE_SECONDS", 0.3)
    monkeypatch.setattr(redial, "PAUSES", (0.01,) * 5)


def then(first: Script, later: Script) -> Callable[[Record], Script]:
    return lambda record: later if record.number else first


@BROKEN
async def test_a_client_whose_upstream_breaks_off_the_handshake_is_told(how: str) -> None:
    async with call(Script(handshake=BROKEN_HANDSHAKES[how])) as session:
        assert await session.end() == (["upstream_unavailable"], 1011)
        assert session.client.told("session_end") == []
        assert [closing.ready for closing in session.books.closings] == [False]


@BROKEN
async def test_a_redial_whose_handshake_is_broken_off_is_tried_five_times(how: str) -> None:
    dialled = list[int]()

    def script(record: Record) -> Script:
        dialled.append(record.number)
        return Script(handshake=BROKEN_HANDSHAKES[how]) if record.number else Script(hangup=Hangup(0.1))

    async with call(script) as session:
        session.frame()
        assert await session.end() == (["upstream_closed"], 1011)
        assert len(session.client.told("session_end")) == 1
        assert max(dialled) == 5


@BROKEN
async def test_a_handshake_that_is_broken_off_once_costs_nothing_but_time(how: str) -> None:
    scripts = [Script(hangup=Hangup(0.1)), Script(handshake=BROKEN_HANDSHAKES[how])]
    async with call(lambda record: [*scripts, Script()][min(record.number, 2)]) as session:
        session.frame()
        await session.until(lambda: session.phase is Phase.REDIALLING)
        session.say("stop")
        assert await session.end() == ([], 1000)


async def test_a_redial_that_is_answered_429_is_tried_again() -> None:
    scripts = [Script(hangup=Hangup(0.1)), Script(refuse=REFUSALS[429]), Script(refuse=REFUSALS[429])]
    async with call(lambda record: [*scripts, Script()][min(record.number, 3)]) as session:
        session.frame()
        await session.until(lambda: session.phase is Phase.REDIALLING)
        await session.until(lambda: session.phase is Phase.LIVE)
        session.say("stop")
        assert await session.end() == ([], 1000)


async def test_the_built_in_engine_is_waited_for_while_it_drops_connections() -> None:
    async with call(then(Script(handshake=BROKEN_HANDSHAKES["closes-in-the-handshake"]), Script()), 5.0) as session:
        await session.until(lambda: session.client.told("ready"))
        session.say("stop")
        assert await session.end() == ([], 1000)


async def test_a_drain_ends_a_session_that_is_not_ready_at_once() -> None:
    async with call(Script(answers_handshake=False)) as session:
        session.relay.happen(ev.DrainBegan())
        assert await session.end() == (["service_unavailable"], 1013)


async def test_a_dialler_that_breaks_is_heard_of(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("no dialler")

    monkeypatch.setattr(Dialler, "dial", broken)
    async with call(Script()) as session:
        assert await session.end() == (["upstream_unavailable"], 1011)


async def test_a_client_that_cannot_be_connected_ends_the_session() -> None:
    async with call(Script()) as session:
        session.client.broken.add("connect")
        assert await session.end() == (["upstream_unavailable"], 1011)


async def test_what_fails_on_our_side_ends_the_session_with_its_bill() -> None:
    async with call(Script()) as session:
        await session.until(lambda: session.client.told("ready"))
        session.frame()
        session.client.broken.add("send")
        session.say("nonsense")  # whose answer cannot be sent
        assert await session.end() == ([], 1011)
        assert [(closing.total, closing.reason) for closing in session.books.closings] == [(1, "internal")]


async def test_a_machine_that_fails_over_its_own_end_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    async with call(Script()) as session:
        await session.until(lambda: session.client.told("ready"))

        def broken(*_: object) -> None:
            raise RuntimeError("no machine")

        monkeypatch.setattr(session.relay.session, "_dispatch", broken)
        session.say("finalize")
        assert await session.end() == ([], 1011)

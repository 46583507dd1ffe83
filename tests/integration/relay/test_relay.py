"""A session with real sockets on its upstream's side: however the handshake goes wrong, its client is told in time."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from tests.integration.relay.calls import Call, calling
from tests.integration.relay.doorway import Keys, Nothing, stranger
from tests.standin.deepgram import DeepgramStandIn
from tests.standin.record import Record
from tests.standin.script import BROKEN_HANDSHAKES, REFUSALS, Hangup, Script
from transcription_proxy.metering import rates
from transcription_proxy.relay import upstream
from transcription_proxy.relay.stages import Stages
from transcription_proxy.relay.switchboard import Switchboard
from transcription_proxy.relay.upstream import Dialler
from transcription_proxy.stream import redial
from transcription_proxy.stream.phase import Phase

BROKEN = pytest.mark.parametrize("how", sorted(BROKEN_HANDSHAKES))


@asynccontextmanager
async def call(script: Script | Callable[[Record], Script], patience: float = 0.0) -> AsyncIterator[Call]:
    """A session before an upstream with this script."""
    async with DeepgramStandIn(script) as standin, calling(standin.url, patience) as session:
        yield session


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "HANDSHAKE_SECONDS", 0.3)
    monkeypatch.setattr(redial, "BACKOFF_SECONDS", (0.01,) * 5)


def then(first: Script, later: Script) -> Callable[[Record], Script]:
    return lambda record: later if record.number else first


@BROKEN
async def test_a_client_whose_upstream_breaks_off_the_handshake_gets_an_error(how: str) -> None:
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
        session.send()
        assert await session.end() == (["upstream_closed"], 1011)
        assert len(session.client.told("session_end")) == 1
        assert max(dialled) == 5


@BROKEN
async def test_a_handshake_that_is_broken_off_once_costs_nothing_but_time(how: str) -> None:
    scripts = [Script(hangup=Hangup(0.1)), Script(handshake=BROKEN_HANDSHAKES[how])]
    async with call(lambda record: [*scripts, Script()][min(record.number, 2)]) as session:
        session.send()
        await session.until(lambda: session.phase is Phase.REDIALLING)
        session.say("stop")
        assert await session.end() == ([], 1000)


async def test_frames_cannot_be_forwarded_while_there_is_no_upstream() -> None:
    async with call(then(Script(hangup=Hangup(0.1)), Script())) as session:
        await session.until(lambda: session.client.told("ready"))
        assert session.client.forward is not None
        session.send()
        await session.until(lambda: session.phase is Phase.REDIALLING)
        assert session.client.forward is None
        await session.until(lambda: session.phase is Phase.LIVE)
        assert session.client.forward is not None
        session.say("stop")
        assert await session.end() == ([], 1000)
    assert session.client.forward is None


async def test_a_redial_that_is_answered_429_is_tried_again() -> None:
    scripts = [Script(hangup=Hangup(0.1)), Script(refuse=REFUSALS[429]), Script(refuse=REFUSALS[429])]
    async with call(lambda record: [*scripts, Script()][min(record.number, 3)]) as session:
        session.send()
        await session.until(lambda: session.phase is Phase.REDIALLING)
        await session.until(lambda: session.phase is Phase.LIVE)
        session.say("stop")
        assert await session.end() == ([], 1000)


async def test_the_built_in_engine_is_waited_for_while_it_drops_connections() -> None:
    async with call(then(Script(handshake=BROKEN_HANDSHAKES["closes-in-the-handshake"]), Script()), 5.0) as session:
        await session.until(lambda: session.client.told("ready"))
        session.say("stop")
        assert await session.end() == ([], 1000)


async def test_a_drain_ends_a_session_that_is_not_ready_at_once_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "HANDSHAKE_SECONDS", 10.0)
    async with call(Script(answers_handshake=False)) as dialling, call(Script()) as live:
        await live.until(lambda: live.client.told("ready"))
        switchboard = Switchboard(
            verify=stranger,
            ledger=Nothing(),
            rates=rates.load(),
            context=live.lines,
            stages=Stages(uuid4(), Nothing(), Nothing()),
            overlays=Keys(),
            life=uuid4(),
            idle_seconds=900,
            relays={uuid4(): dialling.relay, uuid4(): live.relay},
        )
        switchboard.drain()
        assert await dialling.end() == (["service_unavailable"], 1013)
        assert live.phase is Phase.LIVE


async def test_an_exception_while_dialling_ends_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("no dialler")

    monkeypatch.setattr(Dialler, "dial", broken)
    async with call(Script()) as session:
        assert await session.end() == (["upstream_unavailable"], 1011)


async def test_a_client_that_cannot_be_connected_ends_the_session() -> None:
    async with call(Script()) as session:
        session.client.broken.add("connect")
        assert await session.end() == (["upstream_unavailable"], 1011)


async def test_an_exception_of_ours_ends_the_session_with_its_bill() -> None:
    async with call(Script()) as session:
        await session.until(lambda: session.client.told("ready"))
        session.send()
        session.client.broken.add("send")
        session.say("nonsense")  # whose answer cannot be sent
        assert await session.end() == ([], 1011)
        assert [(closing.total, closing.reason) for closing in session.books.closings] == [(1, "internal")]


@pytest.mark.parametrize("part", ["_dispatch", "_timers"])
async def test_a_session_that_cannot_handle_its_failure_ends_all_the_same(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with call(Script()) as session:
        await session.until(lambda: session.client.told("ready"))

        def broken(*_: object) -> None:
            raise RuntimeError("no machine")

        monkeypatch.setattr(session.relay.session, part, broken)
        session.say("finalize")
        assert await session.end() == ([], 1011)

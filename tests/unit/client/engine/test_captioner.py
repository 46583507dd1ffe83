"""The fallback: when captions move to this computer, what is sent there, and when they return."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from tests.unit.client.engine.app import App
from transcription_client.engine import captioner, sentences
from transcription_client.engine.callbacks import Callbacks
from transcription_client.engine.captioner import Captioner, Timing
from transcription_client.engine.feed import Feed
from transcription_client.engine.providers import OnMessage
from transcription_client.engine.report import Report
from transcription_client.errors import ClientError, Unreachable
from transcription_client.redial import Ended
from transcription_wire import messages as wire
from transcription_wire.codes import Reason

SECOND = 32_000
QUICK = Timing(fall_back_after=0.05, redial_pauses=(0.01,), return_pauses=(0.01, 0.02))
LOST = Ended(ready=True)
AWAY = Unreachable("Can't reach it.")


@dataclass
class Connection:
    """A provider's end of one connection. It answers each second of audio with a final."""

    name: str
    on_message: OnMessage
    audio: bytearray = field(default_factory=bytearray)
    messages: list[wire.ClientMessage] = field(default_factory=list)
    ended: Ended = LOST
    aborted: bool = False
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    _finals: int = 0

    def __post_init__(self) -> None:
        self.listening: asyncio.Task[None] = asyncio.create_task(self._wait())

    async def _wait(self) -> None:
        await self._over.wait()

    def lose(self, ended: Ended = LOST) -> None:
        self.ended = ended
        self._over.set()

    async def send_audio(self, sound: bytes) -> bool:
        if self._over.is_set():
            return False
        self.audio += sound
        while len(self.audio) >= (self._finals + 1) * SECOND:
            self.on_message(wire.Transcript(f"{self.name}{self._finals}", True, None, self._finals, 1.0, False))
            self._finals += 1
        return True

    async def send_message(self, message: wire.ClientMessage) -> bool:
        self.messages.append(message)
        if isinstance(message, wire.Stop):
            self.lose(Ended(ready=True, reason=Reason.CLIENT_STOP))
        return True

    async def report_delay(self, on_delay: Callable[[float], None]) -> None:
        """It has none."""

    async def close(self) -> Ended:
        self._over.set()
        return self.ended

    def abort(self) -> None:
        self.aborted = True
        self._over.set()


@dataclass
class Provider:
    """Answers as `answers` say, one after another; the last one is repeated. None is a connection."""

    name: str
    answers: list[Ended | Exception | None] = field(default_factory=lambda: [None])
    connections: list[Connection] = field(default_factory=list)
    asked: int = 0
    connecting: str = "Connecting..."
    live: str = "Live."
    closed: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    hangs: bool = False

    async def connect(self, on_message: OnMessage) -> Connection | Ended:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        self.changed.set()
        if self.hangs:
            await asyncio.Event().wait()
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return answer
        self.connections.append(Connection(self.name, on_message))
        return self.connections[-1]

    async def maintain(self) -> None:
        """Nothing."""

    async def close(self) -> None:
        self.closed = True

    async def until_asked(self, times: int) -> None:
        async with asyncio.timeout(10):
            while self.asked < times:
                self.changed.clear()
                await self.changed.wait()

    def answer(self, *answers: Ended | Exception | None) -> None:
        """Answer so from now on."""
        self.answers, self.asked = list(answers), 0


@dataclass
class Stage:
    captioner: Captioner
    feed: Feed
    app: App
    running: "asyncio.Task[Ended]"

    async def end(self) -> Ended:
        """Stop, and return how it ended."""
        self.captioner.stop()
        async with asyncio.timeout(10):
            return await self.running


@asynccontextmanager
async def captioning(primary: Provider, fallback: Provider | None, timing: Timing = QUICK) -> AsyncIterator[Stage]:
    app, callbacks = App(), Callbacks()
    report = Report(callbacks, app.on_transcript, app.on_status)
    loop = asyncio.get_running_loop()
    feed = Feed(loop, loop.time())
    captions = Captioner(primary, fallback, feed, report, timing)
    running = asyncio.create_task(captions.run())
    try:
        yield Stage(captions, feed, app, running)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        callbacks.close(10)
    assert primary.closed


async def test_at_zero_credit_captions_continue_on_this_computer_with_all_that_has_no_words_yet() -> None:
    primary, local = Provider("p"), Provider("l")
    async with captioning(primary, local, Timing(return_pauses=(60.0,))) as stage:
        await stage.app.enters("live")
        stage.feed.put(b"\1\0" * (SECOND // 2) + b"\2\0" * (SECOND // 4))
        await stage.app.sees(lambda: stage.app.finals == "p0")
        out = Ended(ready=True, error="insufficient_credits", reason="insufficient_credits")
        primary.connections[0].lose(out)
        status = await stage.app.enters("fallback")
        assert status.message == f"You're out of minutes. {sentences.ON_THIS_COMPUTER}"
        stage.feed.put(b"\2\0" * (SECOND // 4))
        await stage.app.sees(lambda: stage.app.finals == "p0 l0")
        assert bytes(local.connections[0].audio) == b"\2\0" * (SECOND // 2)
        assert [round(result.start) for result in stage.app.results] == [0, 1]
        assert (await stage.end()).reason == Reason.CLIENT_STOP
    assert isinstance(local.connections[0].messages[-1], wire.Stop)


async def test_captions_return_when_the_service_is_back_and_nothing_is_lost_or_told_twice() -> None:
    primary, local = Provider("p"), Provider("l")
    async with captioning(primary, local) as stage:
        await stage.app.enters("live")
        stage.feed.put(bytes(SECOND))
        await stage.app.sees(lambda: stage.app.finals == "p0")
        primary.answer(AWAY)
        primary.connections[0].lose()
        await stage.app.enters("fallback")
        stage.feed.put(bytes(SECOND + SECOND // 2))
        await stage.app.sees(lambda: stage.app.finals == "p0 l0")
        primary.answer(None)
        await stage.app.sees(lambda: stage.app.messages[-1] == sentences.BACK)
        stage.feed.put(bytes(SECOND // 2))
        await stage.app.sees(lambda: stage.app.finals == "p0 l0 p0")
        assert [round(result.start) for result in stage.app.results] == [0, 1, 2]
        assert stage.app.states == ["connecting", "live", "reconnecting", "fallback", "live"]
        assert isinstance(local.connections[0].messages[-1], wire.Stop)
        assert not local.connections[0].aborted


async def test_a_service_that_never_answers_is_waited_for_a_while_only() -> None:
    primary, local = Provider("p", [AWAY]), Provider("l")
    async with captioning(primary, local) as stage:
        status = await stage.app.enters("fallback")
        assert status.message == f"Can't reach it. {sentences.ON_THIS_COMPUTER}"
        await primary.until_asked(primary.asked + 3)
        assert stage.app.states == ["connecting", "reconnecting", "fallback"]


async def test_without_a_fallback_a_service_that_stays_away_is_tried_on_and_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(captioner, "RETRY_SECONDS", 0.02)
    primary = Provider("p", [AWAY])
    async with captioning(primary, None) as stage:
        await primary.until_asked(8)
        primary.answer(None)
        await stage.app.enters("live")


async def test_a_refusal_without_a_fallback_ends() -> None:
    refusal = Ended(error="unauthorized")
    async with captioning(Provider("p", [refusal]), None) as stage:
        async with asyncio.timeout(10):
            assert await stage.running == refusal


@pytest.mark.parametrize("reason", [Reason.ENDED_BY_USER, Reason.REPLACED, Reason.ENDED_BY_OPERATOR])
async def test_captions_that_somebody_ended_do_not_continue_on_this_computer(reason: Reason) -> None:
    primary, local = Provider("p"), Provider("l")
    async with captioning(primary, local) as stage:
        await stage.app.enters("live")
        primary.connections[0].lose(Ended(ready=True, reason=reason))
        async with asyncio.timeout(10):
            assert (await stage.running).reason == reason
    assert local.asked == 0


async def test_a_model_that_is_not_installed_is_told_and_the_service_tried_on() -> None:
    primary, local = Provider("p", [AWAY]), Provider("l", [ClientError(sentences.NO_LOCAL_MODEL.full)])
    async with captioning(primary, local) as stage:
        await stage.app.sees(lambda: sentences.NO_LOCAL_MODEL.full in stage.app.messages)
        primary.answer(None)
        await stage.app.enters("live")
    assert local.asked == 1


async def test_a_model_that_is_not_installed_leaves_a_refusal_as_the_end() -> None:
    refusal = Ended(error="insufficient_credits")
    local = Provider("l", [ClientError(sentences.NO_LOCAL_MODEL.full)])
    async with captioning(Provider("p", [refusal]), local) as stage:
        async with asyncio.timeout(10):
            assert await stage.running == refusal
        await stage.app.sees(lambda: sentences.NO_LOCAL_MODEL.full in stage.app.messages)


async def test_a_model_that_crashes_is_started_again_with_the_same_audio() -> None:
    primary, local = Provider("p", [Ended(error="insufficient_credits")]), Provider("l")
    async with captioning(primary, local) as stage:
        await stage.app.enters("fallback")
        stage.feed.put(b"\1\0" * (SECOND // 4))
        async with asyncio.timeout(10):
            while not local.connections[0].audio:
                await asyncio.sleep(0.01)
        local.connections[0].lose()
        await local.until_asked(2)
        stage.feed.put(b"\1\0" * (SECOND // 4))
        await stage.app.sees(lambda: stage.app.finals == "l0")
        assert bytes(local.connections[1].audio) == b"\1\0" * (SECOND // 2)


async def test_early_messages_of_a_connection_that_waits_are_told_when_it_is_used() -> None:
    """The service says that credit is low at once. Until captions have returned, that is nobody's concern."""
    primary, local = Provider("p", [AWAY]), Provider("l")
    async with captioning(primary, local) as stage:
        await stage.app.enters("fallback")
        primary.answer(None)
        await stage.app.sees(lambda: stage.app.messages[-1] == sentences.BACK)
        primary.connections[0].on_message(wire.CreditsLow(60))
        await stage.app.sees(lambda: stage.app.statuses[-1].seconds_remaining == 60)


@pytest.mark.parametrize("hanging", ["primary", "fallback"])
async def test_stop_does_not_wait_for_a_connection_under_way(hanging: str) -> None:
    primary = Provider("p", [AWAY] if hanging == "fallback" else [None], hangs=hanging == "primary")
    local = Provider("l", hangs=hanging == "fallback")
    async with captioning(primary, local) as stage:
        await (primary if hanging == "primary" else local).until_asked(1)
        assert (await stage.end()).reason == Reason.CLIENT_STOP


async def test_stop_finishes_the_words_of_the_model() -> None:
    primary, local = Provider("p", [AWAY]), Provider("l")
    async with captioning(primary, local, Timing(0.05, (0.01,), (60.0,))) as stage:
        await stage.app.enters("fallback")
        assert (await stage.end()).reason == Reason.CLIENT_STOP
        assert isinstance(local.connections[0].messages[-1], wire.Stop)


async def test_a_connection_that_takes_too_little_is_told() -> None:
    primary = Provider("p")
    original = Connection.send_audio

    async def send_audio(self: Connection, sound: bytes) -> bool:
        return await asyncio.sleep(60, result=True)

    Connection.send_audio = send_audio  # type: ignore[method-assign]
    try:
        async with captioning(primary, None) as stage:
            await stage.app.enters("live")
            for _ in range(65):
                stage.feed.put(bytes(SECOND))
                await asyncio.sleep(0)
            await stage.app.sees(lambda: sentences.TOO_SLOW in stage.app.messages)
    finally:
        Connection.send_audio = original  # type: ignore[method-assign]


async def test_a_slow_connection_is_told_and_a_dead_one_replaced() -> None:
    primary = Provider("p")
    original = Connection.report_delay

    async def report_delay(self: Connection, on_delay: Callable[[float], None]) -> None:
        on_delay(5.4)
        on_delay(captioner.DEAD_SECONDS + 1)

    Connection.report_delay = report_delay  # type: ignore[method-assign]
    try:
        async with captioning(primary, None) as stage:
            await primary.until_asked(2)
            await stage.app.sees(lambda: "Captions are 5 s behind." in stage.app.messages)
    finally:
        Connection.report_delay = original  # type: ignore[method-assign]
    assert primary.connections[0].aborted


async def test_a_slow_service_that_still_sends_words_is_not_replaced() -> None:
    """Another session would have to hear, and bill, the audio on its way again."""
    primary = Provider("p")
    original = Connection.report_delay

    async def report_delay(self: Connection, on_delay: Callable[[float], None]) -> None:
        self.on_message(wire.Transcript("late", False, None, 0.0, 1.0, False))
        on_delay(captioner.DEAD_SECONDS + 1)

    Connection.report_delay = report_delay  # type: ignore[method-assign]
    try:
        async with captioning(primary, None) as stage:
            await stage.app.sees(lambda: "Captions are 13 s behind." in stage.app.messages)
            assert not primary.connections[0].aborted
    finally:
        Connection.report_delay = original  # type: ignore[method-assign]


async def test_audio_that_cannot_be_kept_is_told_and_counted_when_it_is_over() -> None:
    primary = Provider("p")
    async with captioning(primary, None) as stage:
        await stage.app.enters("live")
        primary.answer(AWAY)
        primary.connections[0].lose()
        await stage.app.enters("reconnecting")
        for _ in range(65):
            stage.feed.put(bytes(SECOND))
            await asyncio.sleep(0)
        await stage.app.sees(lambda: sentences.DROPPING in stage.app.messages)
        primary.answer(None)
        await stage.app.sees(lambda: sentences.dropped(5.0) in stage.app.messages)

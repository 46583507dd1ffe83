"""One run of captions: connections to a provider, one after another, and the fallback while the provider is away.

All connections are fed from one tape, so that audio without final words is sent again to the next one."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any, Final, TypeVar

from transcription_client.connection import Connection
from transcription_client.engine import sentences
from transcription_client.engine.feed import Feed
from transcription_client.engine.policy import Next, after
from transcription_client.engine.providers import OnMessage, Provider
from transcription_client.engine.report import Report
from transcription_client.errors import ClientError
from transcription_client.flow import Flow
from transcription_client.redial import PAUSE_SECONDS, RETRY_SECONDS, Ended, Redial
from transcription_wire import messages as wire
from transcription_wire.codes import ErrorCode, Reason
from transcription_wire.sentences import ERRORS, behind

T = TypeVar("T")
CONNECT_SECONDS: Final = 45.0
"""How long a connection may take until it takes audio: the service may wait for its engine."""
END_SECONDS: Final = 10.0
"""How long the last words may take after `stop` was sent."""
DEAD_SECONDS: Final = 12.0
"""A delay of the connection after which it is dropped for another one, unless messages still come: then the other end
is slow, and would have to hear the audio on its way again."""
QUIET_SECONDS: Final = 1.0
"""Seconds without any audio, as when muted, after which the words so far are made final."""
LOOK_SECONDS: Final = 0.25
"""Pause between two looks for such a pause."""
STOPPED: Final = Ended(reason=Reason.CLIENT_STOP)


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. `fall_back_after`: how long a provider may be away before captions continue on this computer.

    `redial_pauses`, `return_pauses`: before each try to reconnect, and to return to the provider from the fallback; the
    last one is repeated."""

    fall_back_after: float = 15.0
    redial_pauses: tuple[float, ...] = PAUSE_SECONDS
    return_pauses: tuple[float, ...] = (5.0, 10.0, 20.0, 40.0, 60.0)


class _Opened:
    """A connection that takes audio. Messages wait until it is used."""

    def __init__(self) -> None:
        self.connection: Connection
        self._early: list[wire.ServerMessage] = []
        self._on_message: OnMessage = self._early.append

    def take(self, message: wire.ServerMessage) -> None:
        self._on_message(message)

    def use(self, on_message: OnMessage) -> None:
        """Pass on all messages, those that wait first."""
        self._on_message = on_message
        for message in self._early:
            on_message(message)


class Captioner:
    """Captions what `feed` gives. `fallback`: what captions while `primary` cannot, if anything may."""

    def __init__(
        self, primary: Provider, fallback: Provider | None, feed: Feed, report: Report, timing: Timing | None = None
    ) -> None:
        self._primary = primary
        self._fallback = fallback
        self._feed = feed
        self._report = report
        self._timing = timing or Timing()
        self._flow = Flow(feed.source(), self._note_gap)
        self._dropped = 0.0
        """Seconds of audio that were dropped and not told yet."""
        self._heard_at = 0.0
        """When the last message came, monotonic seconds."""
        self._stopping = asyncio.Event()
        self._worked = False
        """The primary provider has been live."""
        within = RETRY_SECONDS if fallback is None else self._timing.fall_back_after
        self._redial = Redial(within, self._timing.redial_pauses)

    def stop(self) -> None:
        """Read no more audio, and end once the last words have come."""
        self._stopping.set()
        self._flow.stop()

    async def run(self) -> Ended:
        """Caption until `stop`, or until nothing can. Return how it ended."""
        self._report.enter("connecting", self._primary.connecting)
        upkeep = asyncio.create_task(self._primary.maintain())
        opened: _Opened | None = None
        try:
            while True:
                ended = await self._caption(opened)
                if self._stopping.is_set():
                    return STOPPED
                if self._fallback is None or self._next(ended) is Next.END:
                    return ended
                opened = await self._caption_with(self._fallback, ended)
        finally:
            await _cancel(upkeep)
            self._flow.stop()
            await self._flow.close()
            await self._primary.close()

    def _next(self, ended: Ended) -> Next:
        return after(ended, worked=self._worked)

    async def _caption(self, opened: _Opened | None) -> Ended:
        """Caption by the primary provider until it has ended for good, or stays away."""
        while True:
            ended = await self._attempt(opened)
            opened = None
            self._flow.rewind()
            if self._stopping.is_set() or not await self._may_redial(ended):
                return ended

    async def _attempt(self, opened: _Opened | None) -> Ended:
        """Run one connection from its beginning to its end."""
        found: _Opened | Ended | None = opened or await self._unless_stopped(self._open(self._primary))
        if found is None:
            return STOPPED
        if isinstance(found, Ended):
            return found
        self._worked = True
        self._redial.note_ready(time.monotonic())
        self._report.enter("live", self._primary.live if opened is None else sentences.BACK)
        if self._dropped:
            self._report.note(sentences.dropped(self._dropped))
            self._dropped = 0.0
        return await self._stream(found)

    async def _may_redial(self, ended: Ended) -> bool:
        """Wait for the next try. Return False where there is none."""
        follows = self._next(ended)
        if follows is Next.WAIT_FOR_SOUND or (follows is Next.REDIAL and ended.ready and self._is_quiet):
            self._report.enter("reconnecting", sentences.PAUSED)
            return bool(await self._unless_stopped(self._flow.wait_for_sound()))
        if follows is not Next.REDIAL:
            return False
        seconds = self._redial.record_loss(time.monotonic(), random.random())  # noqa: S311 - not a secret
        if seconds is None and self._fallback is not None:
            return False
        consequence = sentences.DROPPING if self._dropped else sentences.RECONNECTING
        self._report.enter("reconnecting", f"{self._why(ended)} {consequence}")
        await self._unless_stopped(asyncio.sleep(self._timing.redial_pauses[-1] if seconds is None else seconds))
        return True

    async def _caption_with(self, fallback: Provider, ended: Ended) -> _Opened | None:
        """Caption by the fallback until the primary provider is back, and return the connection to that.

        Return None after `stop`, or where the fallback cannot be started: it is not tried again."""
        returning = asyncio.create_task(self._return())
        back: _Opened | None = None
        try:
            while not (returning.done() or self._stopping.is_set()):
                found = await self._unless_stopped(self._open(fallback))
                if isinstance(found, _Opened):
                    self._report.enter("fallback", f"{self._why(ended)} {sentences.ON_THIS_COMPUTER}")
                    await self._stream(found, until=returning)
                    self._flow.rewind()
                elif found is not None:
                    self._fallback = None
                    self._report.note(self._why(found))
                    return None
            if not self._stopping.is_set():
                back = returning.result()
            return back
        finally:
            if not returning.cancel() and back is None:
                returning.result().connection.abort()  # nobody will use it

    async def _return(self) -> _Opened:
        """Try to connect to the primary provider until that succeeds."""
        pauses = self._timing.return_pauses
        for pause in chain(pauses, repeat(pauses[-1])):
            await asyncio.sleep(pause)
            found = await self._open(self._primary)
            if isinstance(found, _Opened):
                return found
        raise AssertionError("pauses are repeated")

    async def _open(self, provider: Provider) -> _Opened | Ended:
        opened = _Opened()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                found = await provider.connect(opened.take)
        except ClientError as error:
            return Ended(fault=error)
        except TimeoutError:
            return Ended()
        if isinstance(found, Ended):
            return found
        opened.connection = found
        return opened

    async def _stream(self, opened: _Opened, until: "asyncio.Task[Any] | None" = None) -> Ended:
        """Feed a connection until it ends, or until `until` is done. Return how it ended."""
        connection = opened.connection
        self._flow.begin(time.monotonic())
        opened.use(self._take)
        sending = asyncio.create_task(self._flow.send_all(connection))
        watching = [
            asyncio.create_task(connection.report_delay(self._delay_of(connection))),
            asyncio.create_task(self._finalize_pauses(connection)),
        ]
        try:
            ends = {sending, connection.listening} | ({until} if until else set())
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
            elif not connection.listening.done() and await _cancel(sending):
                await connection.send_message(wire.Stop())
            await asyncio.wait((connection.listening,), timeout=END_SECONDS)
            return await connection.close()
        except asyncio.CancelledError:
            connection.abort()
            raise
        finally:
            for task in (sending, *watching):
                await _cancel(task)

    def _note_gap(self, seconds: float) -> None:
        if not self._dropped:
            away = self._report.state == "reconnecting"
            self._report.note(sentences.DROPPING if away else sentences.TOO_SLOW)
        self._dropped += seconds

    def _delay_of(self, connection: Connection) -> Callable[[float], None]:
        def note(late: float) -> None:
            if self._report.state == "reconnecting":
                return  # the service looks for another engine, and reads nothing meanwhile
            if min(late, time.monotonic() - self._heard_at) > DEAD_SECONDS:
                connection.abort()
            else:
                self._report.note(behind(int(late)))

        return note

    @property
    def _is_quiet(self) -> bool:
        """Whether no audio comes, as when muted, and all of it was sent."""
        return self._flow.is_idle and time.monotonic() - self._feed.last_at >= QUIET_SECONDS

    async def _finalize_pauses(self, connection: Connection) -> None:
        final = True
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not self._is_quiet:
                final = False
            elif not final:
                final = True
                await connection.send_message(wire.Finalize())

    def _take(self, message: wire.ServerMessage) -> None:
        self._heard_at = time.monotonic()
        if isinstance(message, wire.Error) and message.code != ErrorCode.BAD_MESSAGE:
            return  # the end of the session follows, and what becomes of the captions is told then
        if not isinstance(message, wire.Transcript):
            self._report.take(message)
            return
        start = self._feed.timeline.at(self._flow.span_of(message)[0])
        repeated = not self._flow.record_words(message)
        if message.is_final and message.text and not repeated:
            self._redial.note_progress()
        self._report.take(message, start, repeated=repeated)

    def _why(self, ended: Ended) -> str:
        """Return a sentence that says what happened."""
        if ended.fault is not None and not self._worked:
            return str(ended.fault)
        if ended.error in ERRORS:
            return ERRORS[ErrorCode(ended.error)].what
        return ended.why

    async def _unless_stopped(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Return what `work` returns, or None where `stop` is called first."""
        working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
            return working.result() if working.done() else None
        finally:
            await _cancel(working)
            await _cancel(stopping)


async def _cancel(task: "asyncio.Future[Any]") -> bool:
    """Cancel a task and wait for its end. Return whether it was running."""
    running = task.cancel()
    await asyncio.wait((task,))  # unlike `await task`, this tells our own cancellation from the task's
    return running

"""The session of one recording: keeps its lease, bills it once, and ends it when its key or account is ended."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

import structlog

from transcription_proxy import metrics, sentences
from transcription_proxy.errors import Refusal, Unavailable
from transcription_proxy.relay.settler import Settler
from transcription_proxy.stream import events as ev
from transcription_proxy.values import Closing, Opened, Settled, Settlement, UpstreamConnection
from transcription_wire.codes import ErrorCode, Reason

RENEW_SECONDS: Final = 10.0
"""Seconds between two settles, which renew the lease (money 20)."""
SETTLE_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 10.0
"""Seconds that an answer waits for its booking. After that the booking goes on by itself (money 23)."""
Result = TypeVar("Result")
log = structlog.get_logger(__name__)


class Body(Protocol):
    """A recording on its way."""

    sent: int
    """Bytes that were passed on."""


class RecordingSession:
    """`finished` is done when the session's end is booked."""

    def __init__(self, opened: Opened, settler: Settler) -> None:
        self.id: UUID = opened.session_id
        self._user_id = opened.user_id
        self.finished = asyncio.get_running_loop().create_future()
        self._grant = opened.grant
        self._settler = settler
        self._number = 0
        self._settling = asyncio.Lock()
        self._changed = asyncio.Event()
        self._work: asyncio.Task[Any] | None = None
        self._end: Reason | None = None
        """Why the session was ended from outside."""
        self._is_closed = False
        self._request: UpstreamConnection | None = None
        self._body: Body | None = None
        self._reported_bytes = 0

    async def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return the result of `work`, which bills the session. If it fails, the session ends unbilled.

        Raise what `work` raises, and Refusal if the session is ended from outside."""
        self._work = task = asyncio.ensure_future(work)
        keeping = asyncio.create_task(self._keep())
        try:
            return await task
        except asyncio.CancelledError:
            if self._end is None:
                raise
            raise _refusal(self._end) from None
        finally:
            keeping.cancel()
            task.cancel()
            if not self._is_closed:
                reason = self._end or Reason.UPSTREAM_CLOSED
                await self._close(Closing(self.id, self._user_id, self._next_number(), 0, reason, 0, ready=False))

    def begin_upload(self, body: Body) -> None:
        """Count the bytes of a body for the metrics, from now on."""
        self._body = body

    def take_audio_bytes(self) -> int:
        """Return the bytes sent since the last call."""
        sent = 0 if self._body is None else self._body.sent
        taken, self._reported_bytes = sent - self._reported_bytes, sent
        return taken

    def record_request(self, request_id: str | None, socket_ms: int) -> None:
        """Record the request to the upstream, which is booked with the end."""
        self._request = UpstreamConnection(request_id, socket_ms, None)

    def record_report(self, sent_ms: int | None, reported_ms: int) -> None:
        """Record how long the recording was: by its bytes, where they tell, and as the upstream reported it."""
        if self._request is not None:
            self._request = replace(self._request, sent_ms=sent_ms, reported_ms=reported_ms)

    async def bill(self, total: int, audio_ms: int) -> None:
        """Book `total` credits, as far as the user has them, and end the session."""
        await self._cover(total)
        if total > self._grant:
            log.warning("recording_not_covered", session=str(self.id), unbilled=total - self._grant)
        await self._close(Closing(self.id, self._user_id, self._next_number(), total, Reason.CLIENT_STOP, audio_ms))

    def handle_event(self, event: ev.Event) -> None:
        """Take notice of a changed row. A drain lets the recording go on."""
        if isinstance(event, ev.RowChanged):
            self._changed.set()

    def shutdown(self) -> None:
        """End the session unbilled: the service shuts down."""
        self._stop(Reason.SERVICE_RESTART)

    def _stop(self, reason: Reason) -> None:
        if self._work is not None and not self._is_closed and self._end is None:
            self._end = reason
            self._work.cancel()

    async def _keep(self) -> None:
        """Renew the lease, and stop the work once the session is ended from outside."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), RENEW_SECONDS)
            self._changed.clear()
            answer = await self._settle(0, extend=False)
            if answer is not None and (answer.gone or answer.ending is not None):
                self._stop(answer.ending or Reason.LEASE_EXPIRED)

    async def _cover(self, total: int) -> None:
        """Ask for more credit, a share at a time, until it covers `total` or no more is available."""
        while total > self._grant:
            before = self._grant
            answer = await self._settle(before, extend=True)
            if answer is None or answer.gone or answer.grant <= before:
                return

    async def _settle(self, total: int, *, extend: bool) -> Settled | None:
        """Return the ledger's answer, None if there is none in time."""
        async with self._settling:
            answer: asyncio.Future[ev.Event] = asyncio.get_running_loop().create_future()
            self._settler.settle(
                Settlement(self.id, self._user_id, self._next_number(), total, extend),
                lambda event: _resolve(answer, event),
            )
            done, _ = await asyncio.wait([answer], timeout=SETTLE_SECONDS)
            event = answer.result() if done else None
            if not isinstance(event, ev.SettleAnswered):
                return None
            self._grant = event.answer.grant
            return event.answer

    async def _close(self, closing: Closing) -> None:
        """Book the end. Return once it is booked, or after CLOSE_SECONDS."""
        self._is_closed = True
        metrics.BYTES.inc(self.take_audio_bytes())
        if (sent := self._request) is not None:
            closing = replace(
                closing,
                sent_ms=sent.sent_ms,
                upstream_ms=sent.reported_ms,
                request_id=sent.request_id,
                connections=(sent,),
            )
        self._settler.close(closing, lambda event: _resolve(self.finished, event))
        await asyncio.wait([self.finished], timeout=CLOSE_SECONDS)

    def _next_number(self) -> int:
        self._number += 1
        return self._number


def _resolve(future: "asyncio.Future[Any]", event: ev.Event) -> None:
    if not future.done():
        future.set_result(event)


def _refusal(reason: Reason) -> Exception:
    if reason is Reason.SERVICE_RESTART:
        return Unavailable("the service shuts down")
    if reason is Reason.INSUFFICIENT_CREDITS:
        return Refusal(ErrorCode.INSUFFICIENT_CREDITS, sentences.OUT_OF_MINUTES)
    return Refusal(ErrorCode.UNAUTHORIZED, sentences.ACCOUNT_GONE)

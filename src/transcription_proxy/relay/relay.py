"""One session's two sockets and its machine: frames become events, actions become sends. Nothing is decided here.

The clock is read each time, and not once a turn of the loop: after a suspension the loop's own time is of before."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

import structlog
from picows import WSMsgType

from transcription_proxy.relay.settler import Settler
from transcription_proxy.relay.stages import Stage
from transcription_proxy.relay.upstream import Dialler, Refused, Upstream
from transcription_proxy.stream import deepgram, overlay
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.session import Session
from transcription_proxy.values import Closing
from transcription_wire.codes import CLOSE_CODES, ErrorCode

log = structlog.get_logger()


class Client(Protocol):
    """The client's socket, as a relay uses it."""

    def send(self, text: bytes, optional: bool) -> None: ...

    def close(self, code: int) -> None: ...

    def connect(self, send: Callable[[WSMsgType, memoryview], None]) -> None:
        """What the meter admits is to be sent by this from now on."""

    def ping(self) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Lines:
    """What all relays of a process share."""

    settler: Settler
    dialler: Dialler
    upstream_url: str


class Relay:
    """Owns a session from its opening to its booked end."""

    def __init__(self, session: Session, client: Client, lines: Lines, stage: Stage) -> None:
        self.session = session
        self.upstream: Upstream | None = None
        self._client = client
        self._lines = lines
        self._stage = stage
        self._cleared = False
        self._loop = asyncio.get_running_loop()
        self._events: deque[ev.Event] = deque()
        self._busy = False
        self._timer: asyncio.TimerHandle | None = None
        self._dialling: asyncio.Task[None] | None = None
        self.finished = self._loop.create_future()

    def start(self) -> None:
        """Dial the upstream."""
        self._perform_all(self.session.start())
        self._arm()

    def happen(self, event: ev.Event) -> None:
        """Tell the machine and do what it wants. Events that this brings about wait for their turn. Never raises: a
        failure of ours ends this session only, and nobody who reports an event has to fear it."""
        self._events.append(event)
        if self._busy:
            return
        self._busy = True
        while self._events:
            self._perform_all(self._handle(self._events.popleft()))
        self._busy = False
        if self._timer is None or not isinstance(event, ev.UpstreamSentText):  # words never bring a deadline nearer
            self._arm()

    def _handle(self, event: ev.Event) -> list[ev.Action]:
        try:
            return self.session.handle(event, monotonic())
        except Exception:
            log.exception("session_broke", session=str(self.session.id), during=type(event).__name__)
            if not isinstance(event, ev.SessionFailed):
                return self._handle(ev.SessionFailed())
        return self._abandoned()

    def _abandoned(self) -> list[ev.Action]:
        """Actions that end a session whose machine fails over its own end. The reaper books what was settled."""
        return [ev.CloseUpstream(), ev.CloseClient(CLOSE_CODES[ErrorCode.INTERNAL]), ev.Finish()]

    def _arm(self) -> None:
        """Set the timer to the session's deadline, unless it rings early enough anyway."""
        deadline = self._deadline()
        if self._timer is not None:
            if deadline is not None and self._timer.when() <= deadline:
                return
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            self._timer = self._loop.call_at(max(deadline, monotonic() + 0.01), self._ring)

    def _deadline(self) -> float | None:
        if self.finished.done():
            return None
        try:
            return self.session.deadline
        except Exception:
            log.exception("session_broke", session=str(self.session.id), during="deadline")
            self._perform_all(self._abandoned())
            return None

    def _ring(self) -> None:
        self._timer = None
        deadline = self._deadline()
        if deadline is not None and deadline <= monotonic():
            self.happen(ev.TimePassed())
        else:
            self._arm()

    def _perform_all(self, actions: list[ev.Action]) -> None:
        for action in actions:
            try:
                self._perform(action)
            except Exception:  # the actions after it are due all the same: one of them may be the bill
                log.exception("session_broke", session=str(self.session.id), during=type(action).__name__)
                self._events.append(ev.SessionFailed())

    def _perform(self, action: ev.Action) -> None:  # noqa: C901, PLR0912 - the one ladder of actions
        match action:
            case ev.SendClient(text, optional):
                self._client.send(text, optional)
                if self._stage.watched:
                    self._show(text)
            case ev.SendAudio(data):
                if self.upstream is not None:
                    self.upstream.send_audio(data)
            case ev.SendUpstream(text):
                if self.upstream is not None:
                    self.upstream.send_text(text)
            case ev.PauseClient():
                self._client.pause()
            case ev.ResumeClient():
                self._client.resume()
            case ev.PingClient():
                self._client.ping()
            case ev.PingUpstream():
                if self.upstream is not None:
                    self.upstream.ping()
            case ev.Settle(settlement):
                self._lines.settler.settle(settlement, self.happen)
            case ev.Dial():
                if self._dialling is not None:
                    log.info("upstream_redialled", session=str(self.session.id))
                self._dialling = self._loop.create_task(self._dial())
            case ev.CloseUpstream():
                self._hang_up()
            case ev.CloseClient(code):
                self._client.close(code)
            case ev.Close(closing):
                self._book(closing)
            case ev.Finish():
                self._finish()

    async def _dial(self) -> None:
        """Dial once. Whatever happens to this task, an event tells the session."""
        session = self.session
        url = deepgram.request_target(self._lines.upstream_url, session.options.query, str(session.id))
        try:
            upstream = self.upstream = await self._lines.dialler.dial(url, self.happen)
            self._client.connect(upstream.send)
        except Refused as refused:
            log.warning("upstream_refused", session=str(session.id), status=refused.status, detail=refused.detail)
            self.happen(ev.UpstreamRefused(refused.status, refused.detail))
        except Exception:
            log.exception("dial_broke", session=str(session.id))
            self.happen(ev.UpstreamRefused())
        else:
            self.happen(ev.UpstreamOpened(upstream.request_id))
            upstream.begin()

    def _hang_up(self) -> None:
        if self._dialling is not None and not self._dialling.done():
            self._dialling.cancel()
        if self.upstream is not None:
            self.upstream.hang_up()
            self.upstream = None

    def _show(self, text: bytes) -> None:
        """On the account's overlay, what the client is told."""
        line = overlay.line(str(self.session.id), text)
        if line is not None:
            self._stage.show(line)

    def _clear(self) -> None:
        """Nothing more comes: the overlay need not wait for the bill."""
        if not self._cleared:
            self._cleared = True
            self._stage.show(overlay.Clear(str(self.session.id)))

    def _book(self, closing: Closing) -> None:
        self._clear()
        log.info(
            "session_ended",
            session=str(closing.session_id),
            reason=closing.reason,
            credits=closing.total,
            audio_ms=closing.audio_ms,
            upstream_ms=closing.upstream_ms,
            upstream_request=closing.request_id,
        )
        self._lines.settler.close(closing, self.happen)

    def _finish(self) -> None:
        self._clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.finished.done():
            self.finished.set_result(None)

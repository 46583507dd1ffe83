"""Connects one session to its two sockets: frames become events, actions become sends. Nothing is decided here.

The clock is read for each event: uvloop caches `loop.time()` per iteration, so it lags after a suspend."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Generic, Protocol, TypeVar
from uuid import UUID

import structlog
from picows import WSMsgType

from transcription_proxy import metrics
from transcription_proxy.relay.settler import Settler
from transcription_proxy.relay.upstream import DialFailed, Dialler, Upstream
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.credit import SessionCredit
from transcription_proxy.stream.listen_errors import ListenError
from transcription_proxy.stream.pass_through import PassThrough
from transcription_proxy.stream.session import Session
from transcription_proxy.values import Closing
from transcription_wire import messages as wire
from transcription_wire.codes import CLOSE_CODES, ErrorCode

log = structlog.get_logger()


class Peer(Protocol):
    """A client's socket, as every relay uses it."""

    def close(self, code: int, reason: bytes = b"") -> None: ...

    def set_forward(self, send: Callable[[WSMsgType, bytes], None] | None) -> None:
        """Send frames that the session admits with this function from now on; None while there is no upstream."""

    def ping(self) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...


class Client(Peer, Protocol):
    """The socket of a client that speaks our protocol."""

    def send(self, message: wire.ServerMessage) -> None:
        """Encode and send a message."""


class HeldClient(Peer, Protocol):
    """A client whose handshake is answered only when the upstream has answered ours."""

    def accept(self, request_id: str | None) -> None:
        """Answer with 101. `request_id`: the upstream's id for the request."""

    def refuse_handshake(self, error: ListenError) -> None:
        """Answer with an HTTP error."""

    def send_text(self, text: bytes) -> None:
        """Send a text frame as it is."""


class Machine(Protocol):
    """A session machine, as the relay and the sampler use it."""

    id: UUID
    credit: SessionCredit

    @property
    def is_live(self) -> bool: ...

    @property
    def is_ending(self) -> bool: ...

    @property
    def forwarded_bytes(self) -> int: ...

    @property
    def behind_seconds(self) -> float: ...

    def start(self) -> list[ev.Action]: ...

    def url(self, base: str) -> str: ...

    def handle(self, event: ev.Event, now: float) -> list[ev.Action]: ...

    @property
    def deadline(self) -> float | None: ...


M = TypeVar("M", bound=Machine)


class Feed(Protocol):
    """Shows an account's captions on pages other than its client's, as the relay uses it."""

    is_watched: bool
    """Whether anybody watches. Nothing needs to be published otherwise."""

    def publish(self, session_id: UUID, transcript: wire.Transcript) -> None:
        """Show words that the session's client is sent."""

    def clear(self, session_id: UUID) -> None:
        """Remove the session's words: it has ended."""


@dataclass(frozen=True, slots=True)
class RelayContext:
    """What all relays of a process share. `upstream_url`: the base URL to dial."""

    settler: Settler
    dialler: Dialler
    upstream_url: str


class SessionRelay(Generic[M]):
    """Owns a session from its opening to its booked end. `finished` is done after that."""

    def __init__(self, session: M, client: Peer, context: RelayContext, feed: Feed) -> None:
        self.session = session
        self.upstream: Upstream | None = None
        self._client = client
        self._context = context
        self._feed = feed
        self._is_feed_cleared = False
        self._loop = asyncio.get_running_loop()
        self._events: list[ev.Event] = []
        self._is_handling = False
        self._timer: asyncio.TimerHandle | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._reported_bytes = 0
        self.finished = self._loop.create_future()

    def start(self) -> None:
        """Perform the session's first actions: dial the upstream."""
        self._perform_all(self.session.start())
        self._set_timer()

    def handle_event(self, event: ev.Event) -> None:
        """Handle an event and perform the session's actions. Events that the actions cause are queued.

        Never raises: an exception ends this session only, and not the code that reported the event."""
        self._events.append(event)
        if self._is_handling:
            return
        self._is_handling = True
        while self._events:
            self._perform_all(self._handle(self._events.pop(0)))
        self._is_handling = False
        if self._timer is None or not isinstance(event, ev.UpstreamSentText):  # words never make a deadline earlier
            self._set_timer()

    def _handle(self, event: ev.Event) -> list[ev.Action]:
        try:
            if isinstance(event, ev.UpstreamLost):
                if not self.session.is_ending:
                    metrics.UPSTREAM_ERRORS.labels("lost").inc()
                self._drop_upstream()
            return self.session.handle(event, monotonic())
        except Exception:
            log.exception("session_failed", session=str(self.session.id), during=type(event).__name__)
            if not isinstance(event, ev.SessionFailed):
                return self._handle(ev.SessionFailed())
        return self._abandoned()

    def _abandoned(self) -> list[ev.Action]:
        """Return the actions that end a session which could not handle SessionFailed either. The reaper books the
        settled total."""
        return [ev.CloseUpstream(), ev.CloseClient(CLOSE_CODES[ErrorCode.INTERNAL]), ev.Finish()]

    def _set_timer(self) -> None:
        """Set the timer to the session's deadline, unless it fires early enough anyway."""
        deadline = self._deadline()
        if self._timer is not None:
            if deadline is not None and self._timer.when() <= deadline:
                return
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            self._timer = self._loop.call_at(max(deadline, monotonic() + 0.01), self._handle_timer)

    def _deadline(self) -> float | None:
        if self.finished.done():
            return None
        try:
            return self.session.deadline
        except Exception:
            log.exception("session_failed", session=str(self.session.id), during="deadline")
            self._perform_all(self._abandoned())
            return None

    def _handle_timer(self) -> None:
        self._timer = None
        deadline = self._deadline()
        if deadline is not None and deadline <= monotonic():
            self.handle_event(ev.TimePassed())
        else:
            self._set_timer()

    def _perform_all(self, actions: list[ev.Action]) -> None:
        for action in actions:
            try:
                self._perform(action)
            except Exception:  # perform the others all the same: one of them may be the bill
                log.exception("session_failed", session=str(self.session.id), during=type(action).__name__)
                self._events.append(ev.SessionFailed())

    def _perform(self, action: ev.Action) -> None:  # noqa: C901, PLR0912 - one ladder
        match action:
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
                self._context.settler.settle(settlement, self.handle_event)
            case ev.Dial():
                if self._dialling is not None:
                    log.info("upstream_redialled", session=str(self.session.id))
                self._dialling = self._loop.create_task(self._dial())
            case ev.CloseUpstream(code, reason):
                self._close_upstream(code, reason)
            case ev.CloseClient(code, reason):
                self._client.close(code, reason)
            case ev.Close(closing):
                self._book(closing)
            case ev.Finish():
                self._finish()

    async def _dial(self) -> None:
        """Dial once, and report UpstreamOpened or UpstreamRefused, whatever goes wrong."""
        session, url = self.session, self.session.url(self._context.upstream_url)
        begun_at = monotonic()
        try:
            upstream = self.upstream = await self._context.dialler.dial(url, self.handle_event)
            metrics.DIAL.observe(monotonic() - begun_at)
            self._client.set_forward(upstream.send)
        except DialFailed as failure:
            metrics.UPSTREAM_ERRORS.labels("unreachable" if failure.status is None else "refused").inc()
            log.warning("upstream_refused", session=str(session.id), status=failure.status, detail=failure.detail)
            self.handle_event(ev.UpstreamRefused(failure.status, failure.detail, failure.body, failure.request_id))
        except Exception:
            log.exception("dial_failed", session=str(session.id))
            self.handle_event(ev.UpstreamRefused())
        else:
            self.handle_event(ev.UpstreamOpened(upstream.request_id))
            upstream.start_reporting()

    def _close_upstream(self, code: int, reason: bytes) -> None:
        if self._dialling is not None and not self._dialling.done():
            self._dialling.cancel()
        if self.upstream is not None:
            self.upstream.close(code, reason)
            self._drop_upstream()

    def _drop_upstream(self) -> None:
        """Forget an upstream that is closed, so that nothing can be sent to it."""
        self.upstream = None
        self._client.set_forward(None)

    def _clear_feed(self) -> None:
        """Clear the feed, once: no more words come, and the bill may take a while."""
        if not self._is_feed_cleared:
            self._is_feed_cleared = True
            self._feed.clear(self.session.id)

    def _book(self, closing: Closing) -> None:
        self._clear_feed()
        metrics.ENDINGS.labels(closing.reason).inc()
        log.info(
            "session_ended",
            session=str(closing.session_id),
            reason=closing.reason,
            credits=closing.total,
            audio_ms=closing.audio_ms,
            upstream_ms=closing.upstream_ms,
            upstream_request=closing.request_id,
        )
        self._context.settler.close(closing, self.handle_event)

    def take_audio_bytes(self) -> int:
        """Return the bytes forwarded since the last call."""
        forwarded = self.session.forwarded_bytes
        taken, self._reported_bytes = forwarded - self._reported_bytes, forwarded
        return taken

    def _finish(self) -> None:
        metrics.BYTES.inc(self.take_audio_bytes())
        self._clear_feed()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.finished.done():
            self.finished.set_result(None)


class Relay(SessionRelay[Session]):
    """The relay of a session whose client speaks our protocol."""

    _client: Client

    def __init__(self, session: Session, client: Client, context: RelayContext, feed: Feed) -> None:
        super().__init__(session, client, context, feed)

    def _perform(self, action: ev.Action) -> None:
        if isinstance(action, ev.SendClient):
            self._client.send(action.message)
            if self._feed.is_watched and isinstance(action.message, wire.Transcript):
                self._feed.publish(self.session.id, action.message)
        else:
            super()._perform(action)


class PassThroughRelay(SessionRelay[PassThrough]):
    """The relay of a session whose client gets the upstream's frames unchanged."""

    _client: HeldClient

    def __init__(self, session: PassThrough, client: HeldClient, context: RelayContext, feed: Feed) -> None:
        super().__init__(session, client, context, feed)

    def _perform(self, action: ev.Action) -> None:
        match action:
            case ev.SendClientText(text):
                self._client.send_text(text)
            case ev.AcceptClient(request_id):
                self._client.accept(request_id)
            case ev.RefuseClient(error):
                self._client.refuse_handshake(error)
            case ev.ShowCaption(transcript):
                if self._feed.is_watched:
                    self._feed.publish(self.session.id, transcript)
            case _:
                super()._perform(action)

"""Opens sessions, and keeps the relays of this process's live ones."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from uuid import UUID

import structlog

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal, Unavailable
from transcription_proxy.metering.rates import Rates
from transcription_proxy.relay.recording_session import RecordingSession
from transcription_proxy.relay.relay import (
    Client,
    Feed,
    HeldClient,
    PassThroughRelay,
    Relay,
    RelayContext,
    SessionRelay,
)
from transcription_proxy.relay.unauthenticated import Unauthenticated
from transcription_proxy.stream import events as ev
from transcription_proxy.stream import listen_request, options
from transcription_proxy.stream.listen_request import ListenRequest
from transcription_proxy.stream.pass_through import PassThrough
from transcription_proxy.stream.session import Session
from transcription_proxy.values import Opened, Opening
from transcription_wire.codes import ErrorCode
from transcription_wire.messages import Auth

MAX_RECORDING_HOLD: Final = 1_000_000_000
"""Credits: no balance is larger (money 25). A recording is heard whole, however long it is."""
log = structlog.get_logger()


class Opener(Protocol):
    """The part of the ledger that opens sessions. Raises Refusal and Unavailable."""

    async def open_session(self, opening: Opening) -> Opened: ...


class OpenLimits(Protocol):
    """How often something may be done in a minute. Raises Refusal (rate_limited) and Unavailable."""

    async def check(self, what: str, who: str, limit: int) -> None: ...


class Feeds(Protocol):
    """The feeds of all accounts."""

    def feed(self, user_id: UUID) -> Feed:
        """Return an account's feed. All of its sessions get the same one."""


class Socket(Protocol):
    """A client's socket, authenticated or not."""

    def take_frames(self) -> int:
        """Return the audio frames that came since the last call."""

    def shutdown(self) -> None:
        """End the session, or refuse to open one: the service shuts down."""


@dataclass(frozen=True, slots=True)
class TokenHolder:
    """The user and login that a token was issued to, or the user that an API key belongs to."""

    user_id: UUID
    token_version: int
    login: UUID | None = None
    key_id: UUID | None = None
    models: Sequence[str] | None = None
    """The models that the API key may use, None for every model."""


@dataclass
class Switchboard:
    """Opens sessions for sockets, and tells their relays about drains and changed rows.

    `verify`: returns the holder of a token or API key, or raises Refusal or Unavailable.
    `life`: the id of this process's life (money 21).
    """

    verify: Callable[[str], Awaitable[TokenHolder]]
    ledger: Opener
    rates: Rates
    context: RelayContext
    feeds: Feeds
    life: UUID
    idle_seconds: float
    limits: OpenLimits | None = None
    opens_per_minute: int = 0
    """Sessions that an account may try to open in a minute, if there are `limits`."""
    sockets: set[Socket] = field(default_factory=set)
    unauthenticated: Unauthenticated[Any] = field(default_factory=Unauthenticated)
    """Those of the sockets that have not authenticated yet."""
    relays: dict[UUID, SessionRelay[Any]] = field(default_factory=dict)
    recordings: dict[UUID, RecordingSession] = field(default_factory=dict)
    draining: bool = False

    async def open(self, auth: Auth) -> tuple[Opened, options.Options, UUID]:
        """Open a session in the ledger. Return it with its options and its user's id.

        Raises Refusal, InvalidConfig and Unavailable. While settles fail it raises Unavailable, because the end of a
        new session could not be booked either.
        """
        holder = await self.verify(auth.token if isinstance(auth.token, str) else "")
        wanted = options.read(auth.config, self.rates)
        if holder.models is not None and wanted.model not in holder.models:
            raise options.InvalidConfig(sentences.model_not_allowed(wanted.model, holder.models))
        return await self._open(holder, wanted, _session_id(auth.replaces)), wanted, holder.user_id

    async def open_listen(self, token: str, path: str, query: str) -> tuple[Opened, ListenRequest, UUID]:
        """Open a session of a Deepgram client, as `open` does. Raises Refusal and Unavailable."""
        holder = await self.verify(token)
        request = listen_request.read(path, query, self.rates, holder.models)
        return await self._open(holder, request, None), request, holder.user_id

    async def open_recording(
        self, holder: TokenHolder, request: ListenRequest, hold: int, *, needs_all: bool
    ) -> RecordingSession:
        """Open a session for a recording that is expected to cost `hold` credits. Raises Refusal and Unavailable.

        `needs_all`: refuse it if so much is not available. It is registered until its end is booked."""
        if self.draining:
            raise Unavailable("the service shuts down")
        session = RecordingSession(await self._open(holder, request, None, hold, needs_all), self.context.settler)
        self.recordings[session.id] = session
        session.finished.add_done_callback(lambda _: self.recordings.pop(session.id, None))
        return session

    async def _open(
        self,
        holder: TokenHolder,
        wanted: options.Options | ListenRequest,
        old: UUID | None,
        upfront: int | None = None,
        needs_all: bool = False,
    ) -> Opened:
        """Open a session in the ledger. `old`: the session that it replaces."""
        if self.context.settler.is_failing:
            raise Unavailable("settles of live sessions fail")
        await self._check_rate(holder.user_id)
        opening = Opening(
            user_id=holder.user_id,
            token_version=holder.token_version,
            login=holder.login,
            key_id=holder.key_id,
            life=self.life,
            model=wanted.model,
            engine=self.rates.engine,
            language=wanted.language,
            rate_micro=wanted.rate.micro,
            cost_micro=wanted.rate.cost_micro,
            channels=wanted.channels_billed,
            hold_cap=wanted.hold_cap if upfront is None else MAX_RECORDING_HOLD,
            replaces=old,
            addons=wanted.addons,
            upfront=upfront,
            needs_all=needs_all,
        )
        return await self.ledger.open_session(opening)

    async def _check_rate(self, user_id: UUID) -> None:
        try:
            if self.limits is not None:
                await self.limits.check("open session", str(user_id), self.opens_per_minute)
        except Refusal as refusal:
            raise Refusal(ErrorCode.TOO_MANY_CONNECTIONS, refusal.message, refusal.retry_after) from None

    def add_relay(self, opened: Opened, wanted: options.Options, user_id: UUID, client: Client, now: float) -> Relay:
        """Return a relay for an opened session. It is registered until the session's end is booked."""
        session = Session(opened, wanted, self.idle_seconds, now)
        relay = Relay(session, client, self.context, self.feeds.feed(user_id))
        self._register(relay)
        return relay

    def add_pass_through(
        self, opened: Opened, request: ListenRequest, user_id: UUID, client: HeldClient, now: float
    ) -> PassThroughRelay:
        """Return a relay for an opened session of a Deepgram client, registered as by `add_relay`."""
        session = PassThrough(opened, request, self.idle_seconds, now)
        relay = PassThroughRelay(session, client, self.context, self.feeds.feed(user_id))
        self._register(relay)
        return relay

    def _register(self, relay: SessionRelay[Any]) -> None:
        session_id = relay.session.id
        self.relays[session_id] = relay
        relay.finished.add_done_callback(lambda _: self.relays.pop(session_id, None))

    def report_row_change(self, session_id: str) -> None:
        """Tell a session's relay that its row was changed from outside. `session_id`: the notification's payload."""
        found = _session_id(session_id) or self.life
        for live in (self.relays.get(found), self.recordings.get(found)):
            if live is not None:
                live.handle_event(ev.RowChanged())

    @property
    def unbooked(self) -> list[asyncio.Future[Any]]:
        """Return futures that are done when the sessions that are not booked yet are booked."""
        relays = [relay.finished for relay in self.relays.values()]
        return relays + [recording.finished for recording in self.recordings.values()]

    def drain(self) -> None:
        """Begin the drain: refuse clients that authenticate from now on, and end sessions that are still dialling."""
        self.draining = True
        for relay in list(self.relays.values()):
            relay.handle_event(ev.DrainBegan())

    def end_sessions(self) -> None:
        """Drain, and end all live sessions."""
        self.drain()
        for socket in list(self.sockets):
            socket.shutdown()
        for recording in list(self.recordings.values()):
            recording.shutdown()


def _session_id(text: Any) -> UUID | None:
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None

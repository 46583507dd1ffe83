"""Opens sessions, and keeps the relays of this process's live ones."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

import structlog

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal, Unavailable
from transcription_proxy.metering.rates import Rates
from transcription_proxy.relay.relay import Client, Feed, Relay, RelayContext
from transcription_proxy.relay.unauthenticated import Unauthenticated
from transcription_proxy.stream import events as ev
from transcription_proxy.stream import options
from transcription_proxy.stream.session import Session
from transcription_proxy.values import Opened, Opening
from transcription_wire.codes import ErrorCode
from transcription_wire.messages import Auth

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

    def report_frames(self) -> None:
        """Add what was counted since the last report to the metrics."""

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
    relays: dict[UUID, Relay] = field(default_factory=dict)
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
            hold_cap=wanted.hold_cap,
            replaces=_session_id(auth.replaces),
        )
        return await self.ledger.open_session(opening), wanted, holder.user_id

    async def _check_rate(self, user_id: UUID) -> None:
        try:
            if self.limits is not None:
                await self.limits.check("open session", str(user_id), self.opens_per_minute)
        except Refusal as refusal:
            raise Refusal(ErrorCode.TOO_MANY_CONNECTIONS, refusal.message, refusal.retry_after) from None

    def add_relay(self, opened: Opened, wanted: options.Options, user_id: UUID, client: Client, now: float) -> Relay:
        """Return a relay for an opened session. It is registered until the session's end is booked."""
        relay = Relay(Session(opened, wanted, self.idle_seconds, now), client, self.context, self.feeds.feed(user_id))
        self.relays[opened.session_id] = relay
        relay.finished.add_done_callback(lambda _: self.relays.pop(opened.session_id, None))
        return relay

    def report_row_change(self, session_id: str) -> None:
        """Tell a session's relay that its row was changed from outside. `session_id`: the notification's payload."""
        relay = self.relays.get(_session_id(session_id) or self.life)
        if relay is not None:
            relay.handle_event(ev.RowChanged())

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


def _session_id(text: Any) -> UUID | None:
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None

"""Opens sessions and knows the live ones of this process."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from uuid import UUID

import structlog

from transcription_proxy.errors import Unavailable
from transcription_proxy.metering.rates import Rates
from transcription_proxy.relay.relay import Client, Lines, Relay
from transcription_proxy.relay.stages import Stages
from transcription_proxy.stream import events as ev
from transcription_proxy.stream import options
from transcription_proxy.stream.session import Session
from transcription_proxy.values import Opened, Opening
from transcription_wire.messages import Auth

MAX_GREETINGS: Final = 1000
"""Sockets that may be open and not yet authenticated, in one process."""
log = structlog.get_logger()


class Opener(Protocol):
    """The part of the ledger that opens sessions."""

    async def open_session(self, opening: Opening) -> Opened: ...


class Overlay(Protocol):
    """Whose captions a key shows, and the key's version."""

    @property
    def user_id(self) -> UUID: ...

    @property
    def version(self) -> int: ...


class Overlays(Protocol):
    """The part of the accounts that knows the keys of overlays."""

    async def by_key(self, key: str) -> Overlay:
        """Raises Refusal overlay_gone, and Unavailable."""


class Socket(Protocol):
    """A client's socket, authenticated or not."""

    def shutdown(self) -> None:
        """The service goes down now: there is no session, or it ends."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a token belongs to."""

    user_id: UUID
    token_version: int
    login: UUID | None = None


@dataclass
class Switchboard:
    """`verify` tells a token's holder or raises Refusal. `life`: id of this process's life (money 21)."""

    verify: Callable[[str], Holder]
    ledger: Opener
    rates: Rates
    lines: Lines
    stages: Stages
    overlays: Overlays
    life: UUID
    idle_seconds: float
    sockets: set[Socket] = field(default_factory=set)
    greetings: set[Socket] = field(default_factory=set)
    """Those of the sockets that have not authenticated yet."""
    relays: dict[UUID, Relay] = field(default_factory=dict)
    draining: bool = False

    async def open(self, auth: Auth) -> tuple[Opened, options.Options, UUID]:
        """A session in the ledger, its options, and whose it is. Raises Refusal, InvalidConfig, Unavailable; the last
        one also while settles fail, for its end could not be booked."""
        holder = self.verify(auth.token if isinstance(auth.token, str) else "")
        wanted = options.read(auth.config, self.rates)
        if self.lines.settler.is_failing:
            raise Unavailable("settles of live sessions fail")
        opening = Opening(
            user_id=holder.user_id,
            token_version=holder.token_version,
            login=holder.login,
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

    def connect(self, opened: Opened, wanted: options.Options, user_id: UUID, client: Client, now: float) -> Relay:
        """A relay for an opened session, registered until its end is booked."""
        relay = Relay(Session(opened, wanted, self.idle_seconds, now), client, self.lines, self.stages.stage(user_id))
        self.relays[opened.session_id] = relay
        relay.finished.add_done_callback(lambda _: self.relays.pop(opened.session_id, None))
        return relay

    def nudge(self, session_id: str) -> None:
        """A session's row was changed from outside; `session_id` as it was notified."""
        relay = self.relays.get(_session_id(session_id) or self.life)
        if relay is not None:
            relay.happen(ev.RowChanged())

    @property
    def full(self) -> bool:
        """Whether too many sockets are open that are nobody's yet."""
        return len(self.greetings) > MAX_GREETINGS

    def drain(self) -> None:
        """Take no more sessions: refuse whoever authenticates from now on, and those whose upstream is not open yet."""
        self.draining = True
        for relay in list(self.relays.values()):
            relay.happen(ev.DrainBegan())

    def end(self) -> None:
        """Takes no more sessions, and ends those there are."""
        self.drain()
        for socket in list(self.sockets):
            socket.shutdown()


def _session_id(text: Any) -> UUID | None:
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None

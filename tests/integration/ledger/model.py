"""The ledger in plain Python: what a user has and holds after each step, by the rules of money.md."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from transcription_proxy.ledger.entries import billable, new_hold
from transcription_proxy.values import Closing, Opening, Settled, Settlement
from transcription_wire.codes import Reason

MAX_SESSIONS = 2
BOUNDLESS = 1 << 40


@dataclass(eq=False)
class Key:
    """An API key of an account. `limit` None: without one."""

    id: UUID
    limit: int | None
    used: int = 0
    sessions: list["Session"] = field(default_factory=list)

    @property
    def held(self) -> int:
        return sum(session.hold for session in self.sessions)

    @property
    def left(self) -> int:
        """Credits that its sessions may hold beyond their holds."""
        return BOUNDLESS if self.limit is None else self.limit - self.used - self.held


@dataclass
class Session:
    id: UUID
    account: "Account"
    cap: int
    hold: int
    used: int = 0
    number: int = 0
    expired: bool = False
    ending: Reason | None = None
    reason: Reason | None = None
    released: int | None = None
    """Credits that the reaper released, until the session's relay closes it."""
    key: Key | None = None

    @property
    def active(self) -> bool:
        return self.reason is None

    @property
    def grant(self) -> int:
        return self.used + self.hold

    def end(self, reason: Reason) -> None:
        self.hold, self.reason = 0, reason

    def book(self, used: int) -> None:
        self.account.remaining -= used - self.used
        if self.key is not None:
            self.key.used += used - self.used
        self.used = used

    @property
    def seconds_remaining(self) -> int:
        """What the service says of the balance to the session's client."""
        limit = BOUNDLESS if self.key is None else self.key.left + self.key.held
        return min(self.account.remaining, limit)


@dataclass
class Account:
    id: UUID
    remaining: int = 0
    frozen: int = 0
    sessions: list[Session] = field(default_factory=list)

    @property
    def held(self) -> int:
        return sum(session.hold for session in self.sessions)

    @property
    def available(self) -> int:
        return self.remaining - self.held - self.frozen

    def refusal(self, opening: Opening, key: Key | None) -> str | None:
        """Return why an opening is refused, or None. The session that it replaces ends in both cases."""
        for session in self.sessions:
            if session.id == opening.replaces and session.active:
                session.ending = session.ending or Reason.REPLACED
        live = [one for one in self.sessions if one.active and not one.ending and not one.expired]
        if len(live) >= MAX_SESSIONS:
            return "too_many_connections"
        left = BOUNDLESS if key is None else key.left
        return "insufficient_credits" if self.available <= 0 or left <= 0 else None

    def open(self, opening: Opening, key: Key | None) -> int:
        """Return the hold of a new session."""
        hold = new_hold(self.available, 0, opening.hold_cap, MAX_SESSIONS)
        return hold if key is None else min(hold, key.left)


def settle(sessions: dict[UUID, Session], batch: Sequence[Settlement]) -> dict[UUID, Settled]:
    asked = sorted(batch, key=lambda one: one.session_id)
    due = [(sessions[one.session_id], one) for one in asked if _is_due(sessions[one.session_id], one)]
    gone = {one.session_id for one in asked if _is_gone(sessions[one.session_id], one)}
    for session, one in due:
        _book(session, one)
    for account in _accounts(session for session, _ in due):
        _extend(account, [(session, one) for session, one in due if session.account is account])
    return {one.session_id: _answer(sessions[one.session_id], one, one.session_id in gone) for one in asked}


def close(session: Session, closing: Closing) -> None:
    if (session.active or session.released is not None) and closing.number > session.number:
        covered = session.hold if session.active else min(session.released or 0, max(session.account.available, 0))
        session.book(billable(closing.total, session.used, covered) if closing.ready else 0)
        session.number = closing.number
        session.released = None
        session.end(closing.reason)


def _is_due(session: Session, one: Settlement) -> bool:
    return session.active and one.number > session.number


def _is_gone(session: Session, one: Settlement) -> bool:
    return not session.active and one.number > session.number


def _book(session: Session, one: Settlement) -> None:
    grant = session.grant
    session.book(min(max(one.total, session.used), grant))
    session.hold = min(grant - session.used, grant if one.keep is None else max(one.keep - session.used, 0))
    session.number = one.number
    session.expired = False


def _accounts(sessions: Iterator[Session]) -> list[Account]:
    return list({session.account.id: session.account for session in sessions}.values())


def _extend(account: Account, due: list[tuple[Session, Settlement]]) -> None:
    free, taken = account.available, 0
    keys = {session.key: session.key.left for session, _ in due if session.key is not None}
    for session, one in due:
        if one.extend and one.keep is None and session.ending is None:
            before = session.hold
            wish = new_hold(free, before, session.cap, MAX_SESSIONS) - before
            if session.key is not None:
                wish = min(wish, max(keys[session.key], 0))
                keys[session.key] -= wish
            session.hold = before + min(wish, max(free - taken, 0))
            taken += session.hold - before


def _answer(session: Session, one: Settlement, gone: bool) -> Settled:
    account = session.account
    ending = session.reason or session.ending
    if session.active and ending is None and account.available < 0:
        ending = Reason.INSUFFICIENT_CREDITS
    is_key_spent = session.key is not None and session.key.left <= 0
    held = session.key.held if session.key is not None and is_key_spent else account.held
    remaining, elsewhere = session.seconds_remaining, held - session.hold
    return Settled(session.id, one.number, session.grant, session.used, remaining, elsewhere, gone, ending)

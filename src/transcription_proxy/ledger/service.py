"""The ledger: opens, settles and closes sessions, credits balances, ends abandoned sessions.

Every call is one transaction (a long batch: several), and raises Unavailable when the database is away."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from math import inf
from typing import Final
from uuid import UUID

import structlog

from transcription_proxy import metrics, sentences
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Refusal, Unavailable
from transcription_proxy.ledger import spending, store
from transcription_proxy.ledger.audit import AUDIT_SECONDS, audit
from transcription_proxy.ledger.entries import (
    Balance,
    Day,
    Description,
    Ended,
    Finding,
    SessionRow,
    billable,
    first_hold,
    low_mark,
)
from transcription_proxy.values import Closed, Closing, Opened, Opening, Settled, Settlement
from transcription_wire.codes import ErrorCode, Reason
from transcription_wire.sentences import ERRORS

SETTLE_BATCH: Final = 500
"""Sessions booked in one statement (money 19)."""
REAP_BATCH: Final = 100
"""Sessions ended in one transaction."""
END_LIFE_TRIES: Final = 100
END_LIFE_PAUSE_SECONDS: Final = 0.05
"""Pause between two tries to end a dead process's sessions, some of which are locked."""
MUTED_SECONDS: Final = 25.0
"""Seconds since a muted session gave its hold back, 5 s after its last audio, before it may lose its stream."""
STREAM_WAIT_SECONDS: Final = 4.0
"""Seconds that an opening waits for the stream of a muted session."""
STREAM_PAUSE_SECONDS: Final = 0.2
RENEW_TIMEOUT_SECONDS: Final = 15.0
"""Longer than other calls wait, so that a renewal gets a connection while all are taken by calls that will fail."""
MayOpen = Callable[[store.Connection, Opening], Awaitable[bool]]
log = structlog.get_logger(__name__)


class Ledger:
    """`max_sessions`: live sessions of one user; `max_streams`: of all users together; `max_diarized`: those of
    them with speaker labels, None for as many.

    `may_open`: whether a user's token still allows a session, and the lock that keeps the user until the session is
    stored. It runs in the opening's transaction, because what a token allows is known to the accounts only."""

    def __init__(
        self,
        database: Database,
        may_open: MayOpen,
        *,
        max_sessions: int,
        max_streams: int,
        max_diarized: int | None = None,
    ) -> None:
        self._database = database
        self._may_open = may_open
        self._max_sessions = max_sessions
        self._max_streams = max_streams
        self._max_diarized = max_streams if max_diarized is None else max_diarized
        self._timezones: frozenset[str] = frozenset()

    async def open_session(self, opening: Opening) -> Opened:
        """Open a session that holds credit.

        Raise Refusal: unauthorized, too_many_connections, insufficient_credits, busy; and Unavailable where its end
        could not be booked now. The session that it `replaces` is marked to end even if the opening is refused, because
        that session's client is gone.
        """
        answer = await self._try_open(opening)
        if isinstance(answer, Refusal) and answer.code == ErrorCode.BUSY and await self._free_stream(opening):
            answer = await self._open_when_free(opening, answer)
        if isinstance(answer, Refusal):
            metrics.OPENINGS.labels(answer.code).inc()
            raise answer
        metrics.OPENINGS.labels("granted").inc()
        return answer

    async def _try_open(self, opening: Opening) -> Opened | Refusal:
        async with self._database.transaction() as connection:
            await store.lock_for_booking(connection)
            return await self._open(connection, opening)

    async def _free_stream(self, opening: Opening) -> bool:
        """Have a muted session end, because streams run short. Return False where none has been muted long enough."""
        diarized = "diarize" in opening.addons
        async with self._database.transaction() as connection:
            muted = await store.mark_muted_ending(connection, Reason.IDLE, MUTED_SECONDS, diarized, self._max_diarized)
        if muted is not None:
            log.info("muted_session_gives_way", session=str(muted))
        return muted is not None

    async def _open_when_free(self, opening: Opening, answer: Opened | Refusal) -> Opened | Refusal:
        """Try again until a stream is free, for STREAM_WAIT_SECONDS. A muted session ends within moments."""
        pause = STREAM_PAUSE_SECONDS
        for _ in range(round(STREAM_WAIT_SECONDS / pause)):
            await asyncio.sleep(pause)
            answer = await self._try_open(opening)
            if not isinstance(answer, Refusal) or answer.code != ErrorCode.BUSY:
                break
        return answer

    async def _open(self, connection: store.Connection, opening: Opening) -> Opened | Refusal:
        balance = await store.lock_balance(connection, opening.user_id)
        if not await self._may_open(connection, opening):
            return Refusal(ErrorCode.UNAUTHORIZED, sentences.ACCOUNT_GONE)
        if opening.replaces is not None:
            await store.mark_ending(connection, opening.replaces, opening.user_id, Reason.REPLACED)
        found = await store.opening_state(connection, opening)
        if found.live >= self._max_sessions:
            return Refusal(ErrorCode.TOO_MANY_CONNECTIONS, ERRORS[ErrorCode.TOO_MANY_CONNECTIONS].full)
        if balance is None or balance.available <= 0:
            return Refusal(ErrorCode.INSUFFICIENT_CREDITS, sentences.OUT_OF_MINUTES)
        left = None if opening.key_id is None else await spending.left(connection, opening.user_id, opening.key_id)
        hold = first_hold(balance.available, None if left is None else left.available, opening, self._max_sessions)
        if isinstance(hold, Refusal):
            return hold
        session_id = await store.open_session(
            connection, opening, hold, found.last_clawback, self._max_streams, self._max_diarized
        )
        if session_id is None:
            return Refusal(ErrorCode.BUSY, ERRORS[ErrorCode.BUSY].full)
        remaining = balance.seconds_remaining
        return Opened(session_id, opening.user_id, hold, remaining if left is None else min(remaining, left.remaining))

    async def settle(self, batch: Sequence[Settlement]) -> list[Settled]:
        """Book a batch of settlements. Return answers for those whose rows were not locked; retry the others later."""
        answers: list[Settled] = []
        for start in range(0, len(batch), SETTLE_BATCH):
            answers += await self._settle(batch[start : start + SETTLE_BATCH])
        return answers

    async def _settle(self, batch: Sequence[Settlement]) -> list[Settled]:
        """Book settlements in one statement. Where a row makes it fail, book each half, down to that row alone."""
        try:
            async with self._database.transaction() as connection:
                return await store.settle(connection, batch, self._max_sessions)
        except store.RowError as error:
            if len(batch) == 1:
                log.error("settle_failed", session_id=str(batch[0].session_id), error=str(error))
                return []
        half = len(batch) // 2
        return await self._settle(batch[:half]) + await self._settle(batch[half:])

    async def renew_leases(self, sessions: Mapping[UUID, UUID]) -> None:
        """Renew leases and book nothing: for sessions, each with its user, whose settle or close fails (money 21)."""
        async with self._database.transaction(RENEW_TIMEOUT_SECONDS) as connection:
            await store.renew_leases(connection, sessions)

    async def prove_writable(self, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Raise Unavailable unless a settle could be booked now, and a write reaches the database's log."""
        async with self._database.transaction(timeout) as connection:
            await store.prove_writable(connection)

    async def close(self, closing: Closing) -> Closed:
        """End a session with its final total. If it was closed before, return what the ledger stored.

        A session that the reaper ended is billed what its hold covered, as far as the user still has it (money 21).
        """
        async with self._database.transaction() as connection:
            locked = await store.lock_session(connection, closing.session_id, closing.user_id)
            if locked is None:
                metrics.UNBILLED.inc(closing.total)
                log.error("close_of_unknown_session", session_id=str(closing.session_id), unbilled=closing.total)
                return Closed(closing.session_id, 0, Reason.INTERNAL, 0)
            if not locked.closable or closing.number <= locked.number:
                return _as_stored(closing, locked)
            billed = billable(closing.total, locked.seconds_used, locked.covered) if closing.ready else 0
            remaining = await store.close(connection, closing, locked, billed)
        if not locked.active:
            late, unbilled = billed - locked.seconds_used, max(closing.total - billed, 0)
            metrics.UNBILLED.inc(unbilled)
            log.warning("late_close", session_id=str(closing.session_id), billed=late, unbilled=unbilled)
        return Closed(closing.session_id, billed, closing.reason, remaining)

    async def credit(
        self,
        user_id: UUID,
        seconds: int,
        description: Description,
        *,
        reason: str | None = None,
        actor: str | None = None,
    ) -> int:
        """Add to a balance, or take at most what is available, and return the new balance in seconds.

        Raise Refusal: unknown_user, amount_too_large, insufficient_credits.
        """
        async with self._database.transaction() as connection:
            balance = await store.lock_or_add_balance(connection, user_id)
            after = await store.credit(connection, user_id, balance, seconds, description, reason=reason, actor=actor)
            return after.seconds_remaining

    async def mark_ending(self, session_id: UUID, user_id: UUID, reason: Reason) -> bool:
        """Mark a user's session to end. Return False where it is not active, or another user's."""
        async with self._database.transaction() as connection:
            return await store.mark_ending(connection, session_id, user_id, reason)

    async def mark_user_ending(self, user_id: UUID, reason: Reason) -> int:
        """Mark all active sessions of a user to end, and return how many there were."""
        async with self._database.transaction() as connection:
            return await store.mark_user_ending(connection, user_id, reason)

    async def cut_leases(self) -> int:
        """Shorten leases that end further ahead than a lease is long, and return how many there were."""
        async with self._database.transaction() as connection:
            return await store.cut_leases(connection)

    async def clock(self) -> float:
        """Return the database's clock, by which leases expire, in seconds since 1970."""
        async with self._database.transaction() as connection:
            return await store.clock(connection)

    async def reap(self, by: float = inf) -> list[Ended]:
        """End the sessions whose lease had expired at `by`, a time of `clock`. The Reaper decides when to call it."""
        return await self._end_abandoned(Reason.LEASE_EXPIRED, by)

    async def end_life(self, life: UUID) -> list[Ended]:
        """End the sessions of a dead process and return them. Raise Unavailable where some of them stay locked."""
        ended: list[Ended] = []
        for _ in range(END_LIFE_TRIES):
            ended += await self._end_abandoned(Reason.SERVICE_RESTART, life=life)
            async with self._database.transaction() as connection:
                if await store.life_is_over(connection, life):
                    return ended
            await asyncio.sleep(END_LIFE_PAUSE_SECONDS)
        raise Unavailable(sentences.EARLIER_RUN_LOCKED)

    async def _end_abandoned(self, reason: Reason, by: float = inf, life: UUID | None = None) -> list[Ended]:
        ended: list[Ended] = []
        while True:
            async with self._database.transaction() as connection:
                batch = await store.end_abandoned(connection, reason, REAP_BATCH, by, life)
            ended += batch
            if len(batch) < REAP_BATCH:
                return ended

    async def balance(self, user_id: UUID) -> Balance:
        """Return a user's balance, without a lock; zeros where there is none."""
        async with self._database.transaction() as connection:
            return await store.balance(connection, user_id) or Balance()

    async def low_mark(self, user_id: UUID) -> int:
        """Return the seconds below which the user's balance is low."""
        async with self._database.transaction() as connection:
            return low_mark(await store.last_grant(connection, user_id))

    async def usage_days(self, user_id: UUID, tz: str = "UTC", days: int = 30) -> list[Day]:
        """Return a user's last `days` up to today in a time zone, oldest first. Raise Refusal invalid_timezone."""
        async with self._database.transaction() as connection:
            await self._check_timezone(connection, tz)
            return await store.usage_days(connection, user_id, tz, days)

    async def count_sessions(self, user_id: UUID, tz: str = "UTC", days: int = 30) -> int:
        """Return the number of sessions that became ready in these days. Raise Refusal invalid_timezone."""
        async with self._database.transaction() as connection:
            await self._check_timezone(connection, tz)
            return await store.count_sessions(connection, user_id, tz, days)

    async def _check_timezone(self, connection: store.Connection, tz: str) -> None:
        self._timezones = self._timezones or await store.timezones(connection)
        if tz not in self._timezones:
            raise Refusal("invalid_timezone", sentences.BAD_TIME_ZONE)

    async def sessions(
        self,
        user_id: UUID | None = None,
        live: bool = False,
        limit: int = 10,
        before: tuple[datetime, UUID] | None = None,
    ) -> list[SessionRow]:
        """Return sessions that became ready, newest first: of one user or of all, live ones only or all.

        `before`: start and id of a session; only those that follow it in this order are returned.
        """
        async with self._database.transaction() as connection:
            return await store.sessions(connection, user_id, live, limit, before)

    async def live_session(self, prefix: str) -> tuple[UUID, UUID]:
        """Return the live session whose id begins with `prefix`, and its user. Raise Refusal not_found, ambiguous."""
        async with self._database.transaction() as connection:
            found = await store.live_ids(connection, prefix)
        if len(found) > 1:
            raise Refusal("ambiguous", sentences.ambiguous_session(prefix))
        if not found:
            raise Refusal("not_found", sentences.NO_LIVE_SESSION)
        return found[0]

    async def live_count(self) -> int:
        """Return the number of live sessions of all users."""
        async with self._database.transaction() as connection:
            return await store.live_count(connection)

    async def audit(self) -> list[Finding]:
        """Return what is wrong with balances, entries and sessions, beside a running service (money 26)."""
        async with self._database.snapshot(AUDIT_SECONDS) as connection:
            return (await audit(connection)).findings


def _as_stored(closing: Closing, locked: store.Locked) -> Closed:
    if closing.number > locked.number and closing.total > locked.seconds_used:
        unbilled = closing.total - locked.seconds_used
        metrics.UNBILLED.inc(unbilled)
        log.warning("late_close", session_id=str(closing.session_id), billed=0, unbilled=unbilled)
    reason = closing.reason if locked.reason is None else Reason(locked.reason)
    return Closed(closing.session_id, locked.seconds_used, reason, locked.seconds_remaining)

"""The ledger's statements, and nothing else: one function each, on a connection that is in a transaction.

Whoever calls more than one of them in a transaction keeps the lock order: balance rows by user, then sessions;
and locks no `users` row for update before a balance."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import args_row, class_row, scalar_row

from transcription_proxy import sentences
from transcription_proxy.db import queries
from transcription_proxy.db.pool import AWAY
from transcription_proxy.errors import Refusal, Unavailable
from transcription_proxy.ledger.entries import (
    LEASE_SECONDS,
    MAX_CREDITS,
    Audit,
    Balance,
    Day,
    Description,
    Ended,
    Finding,
    SessionRow,
    Severity,
    audio_seconds,
    balance_after,
    upstream_seconds,
)
from transcription_proxy.metering.engines import engine_name
from transcription_proxy.values import Closing, Opening, Settled, Settlement
from transcription_wire.codes import Reason, Status, status_of

Connection = AsyncConnection[Any]
SQL: Final = queries.load("transcription_proxy.ledger")
LEASE: Final = timedelta(seconds=LEASE_SECONDS)
CHECKS: Final = {
    "audit_balances": Severity.ERROR,
    "audit_chain": Severity.ERROR,
    "audit_holds": Severity.ERROR,
    "audit_ended_holds": Severity.ERROR,
    "audit_leases": Severity.WARNING,
    "audit_sessions": Severity.ERROR,
    "audit_overdrafts": Severity.ERROR,
    "audit_frozen": Severity.WARNING,
    "audit_purchases": Severity.ERROR,
}


class RowError(Exception):
    """A statement failed because of a row in it: without that row it may succeed."""


@dataclass(frozen=True, slots=True)
class Admission:
    """What decides about a new session, read while the user's balance is locked."""

    authorized: bool
    live: int
    last_seq: int


@dataclass(frozen=True, slots=True)
class Locked:
    """A session as it is stored, locked together with its user's balance."""

    user_id: UUID
    active: bool
    number: int
    seconds_used: int
    hold: int
    hold_released: int | None
    """Credits that the reaper released; None where the session is active, or its own relay has closed it."""
    reason: str | None
    seconds_remaining: int
    available: int

    @property
    def closable(self) -> bool:
        return self.active or self.hold_released is not None

    @property
    def covered(self) -> int:
        """Credits beyond `seconds_used` that a close may bill: the hold, or what is left of a released one."""
        return self.hold if self.hold_released is None else min(self.hold_released, max(self.available, 0))


async def lock_balance(connection: Connection, user_id: UUID) -> Balance | None:
    async with connection.cursor(row_factory=args_row(Balance)) as cursor:
        await cursor.execute(SQL["lock_balance"], {"user_id": user_id})
        return await cursor.fetchone()


async def admission(connection: Connection, opening: Opening) -> Admission | None:
    async with connection.cursor(row_factory=args_row(Admission)) as cursor:
        values = {
            "user_id": opening.user_id,
            "token_version": opening.token_version,
            "login": opening.login,
            "replaces": opening.replaces,
        }
        await cursor.execute(SQL["admission"], values)
        return await cursor.fetchone()


async def open_session(
    connection: Connection, opening: Opening, hold: int, opened_seq: int, max_streams: int
) -> UUID | None:
    """The new session's id; None where all streams are taken."""
    await connection.execute(SQL["lock_streams"])
    values = {
        "user_id": opening.user_id,
        "life": opening.life,
        "model": opening.model,
        "engine": opening.engine,
        "language": opening.language,
        "rate_micro": opening.rate_micro,
        "cost_micro": opening.cost_micro,
        "channels": opening.channels,
        "hold_cap": opening.hold_cap,
        "replaces": opening.replaces,
        "hold": hold,
        "opened_seq": opened_seq,
        "max_streams": max_streams,
        "lease": LEASE,
    }
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(SQL["open"], values)
        found: UUID | None = await cursor.fetchone()
        return found


async def settle(connection: Connection, batch: Sequence[Settlement], max_sessions: int) -> list[Settled]:
    """Answers for the rows that were not locked. Raises RowError; the transaction is then lost."""
    values = {
        "ids": [one.session_id for one in batch],
        "numbers": [one.number for one in batch],
        "totals": [one.total for one in batch],
        "keeps": [MAX_CREDITS if one.keep is None else one.keep for one in batch],
        "extends": [one.extend and one.keep is None for one in batch],
        "readies": [one.ready for one in batch],
        "shares": 2 * max_sessions,
        "lease": LEASE,
    }
    async with connection.cursor(row_factory=args_row(_settled)) as cursor:
        try:
            await cursor.execute(SQL["settle"], values, binary=True)
        except AWAY:
            raise
        except psycopg.Error as error:
            raise RowError(type(error).__name__) from error
        return await cursor.fetchall()


def _settled(
    session_id: UUID,
    number: int,
    grant: int,
    used: int,
    remaining: int,
    elsewhere: int,
    gone: bool,
    ending: str | None,
    blocked: bool,
) -> Settled:
    reason = None if ending is None else Reason(ending)
    return Settled(session_id, number, grant, used, remaining, elsewhere, gone, reason, blocked)


async def renew_leases(connection: Connection, sessions: Sequence[UUID]) -> None:
    await connection.execute(SQL["renew_leases"], {"ids": list(sessions), "lease": LEASE})


async def lock_for_booking(connection: Connection) -> None:
    """Raises psycopg.OperationalError where a settle could not be booked now."""
    await connection.execute(SQL["lock_for_booking"])


async def prove_writable(connection: Connection) -> None:
    """Raises Unavailable where the tables are not there yet or are not ours to write, and the errors of AWAY."""
    try:
        await lock_for_booking(connection)
        await connection.execute(SQL["probe_write"])
    except AWAY:
        raise
    except psycopg.Error as error:
        raise Unavailable(f"Can't write to the database: {error}") from error


async def lock_session(connection: Connection, session_id: UUID) -> Locked | None:
    async with connection.cursor(row_factory=args_row(Locked)) as cursor:
        await cursor.execute(SQL["lock_session"], {"session_id": session_id})
        return await cursor.fetchone()


async def close(connection: Connection, closing: Closing, locked: Locked, billed: int) -> int:
    """Ends the locked session with `billed` credits; the balance that is left."""
    delta = billed - locked.seconds_used
    remaining = locked.seconds_remaining - delta
    values = {
        "session_id": closing.session_id,
        "user_id": locked.user_id,
        "number": closing.number,
        "status": status_of(closing.reason),
        "reason": closing.reason,
        "ready": closing.ready,
        "billed": billed,
        "delta": delta,
        "hold": locked.hold,
        "balance_after": remaining,
        "audio_seconds": audio_seconds(closing.audio_ms),
        "upstream_seconds": upstream_seconds(closing.upstream_ms),
        "request_id": None if closing.request_id is None else closing.request_id.replace("\0", ""),
    }
    await connection.execute(SQL["close"], values)
    return remaining


async def credit(
    connection: Connection,
    user_id: UUID,
    seconds: int,
    description: Description,
    *,
    reason: str | None = None,
    actor: str | None = None,
    purchase_id: UUID | None = None,
) -> int:
    """Adds to a balance, or takes at most what is available; the new balance. Makes the row of a new user.

    Raises Refusal: unknown_user, amount_too_large, insufficient_credits.
    """
    await connection.execute(SQL["ensure_balance"], {"user_id": user_id})
    balance = await lock_balance(connection, user_id)
    if balance is None:
        raise Refusal("unknown_user", sentences.NO_SUCH_USER)
    after = balance_after(balance, seconds)
    await _enter(connection, user_id, seconds, description, after, reason, actor, purchase_id)
    return after


async def claw_back(
    connection: Connection, user_id: UUID, purchase_id: UUID, take: int, freeze: int, description: Description
) -> None:
    """Takes what a refund or dispute claims, below 0 too, and freezes; negative numbers give back (money 28, 29)."""
    balance = await lock_balance(connection, user_id)
    if balance is None:
        raise Refusal("unknown_user", sentences.NO_SUCH_USER)
    after = balance.seconds_remaining - take
    if abs(after) > MAX_CREDITS:
        raise Refusal("amount_too_large", sentences.too_many_credits(MAX_CREDITS))
    await _enter(connection, user_id, -take, description, after, None, None, purchase_id)
    if freeze:
        await connection.execute(SQL["freeze"], {"user_id": user_id, "seconds": freeze})


async def _enter(
    connection: Connection,
    user_id: UUID,
    seconds: int,
    description: Description,
    after: int,
    reason: str | None,
    actor: str | None,
    purchase_id: UUID | None,
) -> None:
    """One row of the ledger, and the locked balance with it; 0 seconds leave no row."""
    values = {
        "user_id": user_id,
        "seconds": seconds,
        "description": description,
        "balance_after": after,
        "reason": reason,
        "actor": actor,
        "purchase_id": purchase_id,
    }
    if seconds:
        await connection.execute(SQL["credit"], values)


async def mark_ending(connection: Connection, session_id: UUID, reason: Reason, user_id: UUID | None = None) -> bool:
    values = {"session_id": session_id, "reason": reason, "user_id": user_id}
    return (await connection.execute(SQL["mark_ending"], values)).rowcount > 0


async def mark_user_ending(connection: Connection, user_id: UUID, reason: Reason) -> int:
    await lock_balance(connection, user_id)
    values = {"user_id": user_id, "reason": reason}
    return (await connection.execute(SQL["mark_user_ending"], values)).rowcount


async def cut_leases(connection: Connection) -> int:
    return (await connection.execute(SQL["cut_leases"], {"lease": LEASE})).rowcount


async def clock(connection: Connection) -> float:
    return float(await _scalar(connection, "clock", {}))


async def end_abandoned(
    connection: Connection, reason: Reason, batch: int, by: float, life: UUID | None = None
) -> list[Ended]:
    async with connection.cursor(row_factory=args_row(Ended)) as cursor:
        await cursor.execute(SQL["end_abandoned"], {"reason": reason, "batch": batch, "by": by, "life": life})
        return await cursor.fetchall()


async def life_is_over(connection: Connection, life: UUID) -> bool:
    return bool(await _scalar(connection, "life_is_over", {"life": life}))


async def balance(connection: Connection, user_id: UUID) -> Balance | None:
    async with connection.cursor(row_factory=class_row(Balance)) as cursor:
        await cursor.execute(SQL["balance"], {"user_id": user_id})
        return await cursor.fetchone()


async def last_grant(connection: Connection, user_id: UUID) -> int:
    return int(await _scalar(connection, "last_grant", {"user_id": user_id}) or 0)


async def timezones(connection: Connection) -> frozenset[str]:
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(SQL["timezones"])
        return frozenset(await cursor.fetchall())


async def usage_days(connection: Connection, user_id: UUID, tz: str, days: int) -> list[Day]:
    async with connection.cursor(row_factory=args_row(Day)) as cursor:
        await cursor.execute(SQL["usage_days"], {"user_id": user_id, "tz": tz, "days": days})
        return await cursor.fetchall()


async def count_sessions(connection: Connection, user_id: UUID, tz: str, days: int) -> int:
    return int(await _scalar(connection, "count_sessions", {"user_id": user_id, "tz": tz, "days": days}))


async def sessions(
    connection: Connection,
    user_id: UUID | None,
    live: bool,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
) -> list[SessionRow]:
    at, row_id = before or (None, None)
    values = {"user_id": user_id, "live": live, "limit": limit, "before_at": at, "before_id": row_id}
    async with connection.cursor(row_factory=args_row(_session_row)) as cursor:
        await cursor.execute(SQL["sessions"], values)
        return await cursor.fetchall()


def _session_row(
    session_id: UUID,
    user_id: UUID,
    email: str,
    started_at: datetime,
    ended_at: datetime | None,
    used: int,
    audio: float | None,
    model: str | None,
    engine: str | None,
    status: str,
    reason: str | None,
) -> SessionRow:
    why = None if reason is None else Reason(reason)
    listed = (session_id, user_id, email, started_at, ended_at, used, audio, model, engine_name(engine, model))
    return SessionRow(*listed, Status(status), why)


async def live_count(connection: Connection) -> int:
    return int(await _scalar(connection, "live_count", {}))


async def live_ids(connection: Connection, prefix: str) -> list[UUID]:
    """Up to two live sessions whose id begins with `prefix`."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(SQL["live_ids"], {"prefix": prefix})
        return await cursor.fetchall()


async def audit(connection: Connection) -> Audit:
    """All findings from one snapshot, which is taken by the first statement of the transaction."""
    await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    findings: list[Finding] = []
    for check, severity in CHECKS.items():
        name = check.removeprefix("audit_")
        async with connection.cursor() as cursor:
            await cursor.execute(SQL[check])
            findings += [Finding(severity, name, subject, detail) async for subject, detail in cursor]
    return Audit(int(await _scalar(connection, "audit_entries", {})), findings)


async def _scalar(connection: Connection, query: str, values: dict[str, Any]) -> Any:
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(SQL[query], values)
        return await cursor.fetchone()

"""The ledger's SQL statements: one function for each, on a connection that is in a transaction.

A caller of several of them in a transaction keeps the lock order: balance rows by user, then sessions. It locks no
`users` row for update before a balance."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import args_row, class_row, kwargs_row, scalar_row
from psycopg.types.json import Jsonb

from transcription_proxy import sentences
from transcription_proxy.db import queries
from transcription_proxy.db.pool import AWAY, UNPREPARED
from transcription_proxy.errors import Refusal, Unavailable
from transcription_proxy.ledger.entries import (
    LEASE_SECONDS,
    MAX_CREDITS,
    Balance,
    Day,
    Description,
    Ended,
    OpeningState,
    SessionRow,
    Streams,
    audio_seconds,
    balance_after,
    balance_clawed_back,
    storable_id,
    stored_connection,
    upstream_seconds,
)
from transcription_proxy.metering.engines import engine_name
from transcription_proxy.values import Closing, Opening, Settled, Settlement
from transcription_wire.codes import Reason, Status, status_of

Connection = AsyncConnection[Any]
SQL: Final = queries.load("transcription_proxy.ledger", Balance)
SETTLE_ONE_EACH: Final = re.sub(r"sum\((.*?)\) OVER \(.*?\)", r"(\1)::bigint", SQL["settle"])
"""The settle of at most one session of each user: the sum over a user's rows is the row's own value. Without window
functions it costs PostgreSQL a fifth less."""
LEASE: Final = timedelta(seconds=LEASE_SECONDS)


class RowError(Exception):
    """A statement failed because of one of its rows. Without that row it may succeed."""


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
    async with connection.cursor(row_factory=class_row(Balance)) as cursor:
        await cursor.execute(SQL["lock_balance"], {"user_id": user_id})
        return await cursor.fetchone()


async def opening_state(connection: Connection, opening: Opening) -> OpeningState:
    async with connection.cursor(row_factory=class_row(OpeningState)) as cursor:
        await cursor.execute(SQL["opening_state"], {"user_id": opening.user_id, "replaces": opening.replaces})
        found = await cursor.fetchone()
        assert found is not None
        return found


async def open_session(
    connection: Connection, opening: Opening, hold: int, opened_seq: int, max_streams: int, max_diarized: int
) -> UUID | None:
    """Add a session and its hold, and return its id; None where too many sessions are live."""
    await connection.execute(SQL["lock_streams"])
    streams = await _count_streams(connection, opening)
    if streams.taken >= max_streams or ("diarize" in opening.addons and streams.diarized >= max_diarized):
        return None
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
        "key_id": opening.key_id,
        "hold": hold,
        "opened_seq": opened_seq,
        "addons": list(opening.addons),
        "lease": LEASE,
    }
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(SQL["open"], values)
        found: UUID | None = await cursor.fetchone()
        return found


async def _count_streams(connection: Connection, opening: Opening) -> Streams:
    async with connection.cursor(row_factory=class_row(Streams)) as cursor:
        await cursor.execute(SQL["count_streams"], {"user_id": opening.user_id, "replaces": opening.replaces})
        found = await cursor.fetchone()
        assert found is not None
        return found


async def settle(connection: Connection, batch: Sequence[Settlement], max_sessions: int) -> list[Settled]:
    """Book settlements, and return answers for the rows that were not locked.

    Raise RowError, after which the transaction must be rolled back.
    """
    values = {
        "ids": [one.session_id for one in batch],
        "users": [one.user_id for one in batch],
        "numbers": [one.number for one in batch],
        "totals": [one.total for one in batch],
        "keeps": [MAX_CREDITS if one.keep is None else one.keep for one in batch],
        "extends": [one.extend and one.keep is None for one in batch],
        "readies": [one.ready for one in batch],
        "shares": 2 * max_sessions,
        "lease": LEASE,
    }
    async with connection.cursor(row_factory=args_row(_settled)) as cursor:
        statement = SETTLE_ONE_EACH if len({one.user_id for one in batch}) == len(batch) else SQL["settle"]
        try:
            await cursor.execute(statement, values, binary=True, prepare=True)  # planning it takes 1 ms
        except (*AWAY, *UNPREPARED):
            raise
        except psycopg.Error as error:
            raise RowError(type(error).__name__) from error
        return await cursor.fetchall()


def _settled(session_id: UUID, number: int, grant: int, used: int, *rest: Any) -> Settled:
    """Take the statement's columns in its order: by name, hundreds of answers would block the event loop longer."""
    remaining, elsewhere, gone, ending, blocked = rest
    reason = None if ending is None else Reason(ending)
    return Settled(session_id, number, grant, used, remaining, elsewhere, gone, reason, blocked)


async def renew_leases(connection: Connection, sessions: Mapping[UUID, UUID]) -> None:
    """`sessions`: the user of each session."""
    values = {"ids": list(sessions), "users": list(sessions.values()), "lease": LEASE}
    await connection.execute(SQL["renew_leases"], values)


async def lock_for_booking(connection: Connection) -> None:
    """Take the table locks of a settle. Raise psycopg.OperationalError where a settle could not be booked now."""
    await connection.execute(SQL["lock_for_booking"])


async def prove_writable(connection: Connection) -> None:
    """Update the probe's row. Raise Unavailable if writing is not allowed, or an error in AWAY."""
    try:
        await lock_for_booking(connection)
        await connection.execute(SQL["probe_write"])
    except AWAY:
        raise
    except psycopg.Error as error:
        raise Unavailable(f"Can't write to the database: {error}") from error


async def lock_session(connection: Connection, session_id: UUID, user_id: UUID) -> Locked | None:
    async with connection.cursor(row_factory=class_row(Locked)) as cursor:
        await cursor.execute(SQL["lock_session"], {"session_id": session_id, "user_id": user_id})
        return await cursor.fetchone()


async def close(connection: Connection, closing: Closing, locked: Locked, billed: int) -> int:
    """End a locked session with `billed` credits, and return the user's new balance in seconds."""
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
        "sent_seconds": upstream_seconds(closing.sent_ms),
        "audio_seconds": audio_seconds(closing.audio_ms),
        "upstream_seconds": upstream_seconds(closing.upstream_ms),
        "request_id": storable_id(closing.request_id),
        "connections": Jsonb([stored_connection(one) for one in closing.connections]),
    }
    await connection.execute(SQL["close"], values)
    return remaining


async def lock_or_add_balance(connection: Connection, user_id: UUID) -> Balance:
    """Lock a user's balance row, which is added where it is missing. Raise Refusal unknown_user."""
    balance = await lock_balance(connection, user_id)
    if balance is None:
        await connection.execute(SQL["ensure_balance"], {"user_id": user_id})
        balance = await lock_balance(connection, user_id)
    if balance is None:
        raise Refusal("unknown_user", sentences.NO_SUCH_USER)
    return balance


async def credit(
    connection: Connection,
    user_id: UUID,
    balance: Balance,
    seconds: int,
    description: Description,
    *,
    reason: str | None = None,
    actor: str | None = None,
    purchase_id: UUID | None = None,
) -> Balance:
    """Add to a locked balance, or take at most what is available. Return the new balance.

    Raise Refusal amount_too_large, insufficient_credits.
    """
    after = replace(balance, seconds_remaining=balance_after(balance, seconds))
    await _add_entry(connection, user_id, seconds, description, after, reason, actor, purchase_id)
    return after


async def claw_back(
    connection: Connection, user_id: UUID, balance: Balance, purchase_id: UUID, seconds: int, description: Description
) -> Balance:
    """Take from a locked balance what a refund or dispute claims, below 0 too (money 28, 29). Return the new balance.

    Negative `seconds` are given back. Raise Refusal amount_too_large.
    """
    after = replace(balance, seconds_remaining=balance_clawed_back(balance, seconds))
    await _add_entry(connection, user_id, -seconds, description, after, None, None, purchase_id)
    return after


async def freeze(connection: Connection, user_id: UUID, seconds: int) -> None:
    """Freeze seconds of a locked balance for a dispute. Negative seconds are unfrozen."""
    if seconds:
        await connection.execute(SQL["freeze"], {"user_id": user_id, "seconds": seconds})


async def _add_entry(
    connection: Connection,
    user_id: UUID,
    seconds: int,
    description: Description,
    after: Balance,
    reason: str | None,
    actor: str | None,
    purchase_id: UUID | None,
) -> None:
    """Write a ledger entry, and the locked balance with it. Write no entry for 0 seconds."""
    values = {
        "user_id": user_id,
        "seconds": seconds,
        "description": description,
        "balance_after": after.seconds_remaining,
        "reason": reason,
        "actor": actor,
        "purchase_id": purchase_id,
    }
    if seconds:
        await connection.execute(SQL["credit"], values)


async def mark_ending(connection: Connection, session_id: UUID, user_id: UUID, reason: Reason) -> bool:
    values = {"session_id": session_id, "user_id": user_id, "reason": reason}
    return (await connection.execute(SQL["mark_ending"], values)).rowcount > 0


async def mark_muted_ending(
    connection: Connection, reason: Reason, seconds: float, diarized: bool, max_diarized: int
) -> UUID | None:
    """Mark the session that is muted for the longest time, and for `seconds` at least, to end. Return its id.

    `diarized`: whether the opening that lacks a stream wants diarization."""
    values = {"reason": reason, "seconds": seconds, "diarized": diarized, "max_diarized": max_diarized}
    session: UUID | None = await _scalar(connection, "mark_muted_ending", values)
    return session


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
    async with connection.cursor(row_factory=class_row(Ended)) as cursor:
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
    async with connection.cursor(row_factory=class_row(Day)) as cursor:
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
    async with connection.cursor(row_factory=kwargs_row(_session_row)) as cursor:
        await cursor.execute(SQL["sessions_of_all" if user_id is None else "sessions"], values)
        return await cursor.fetchall()


def _session_row(model: str | None, engine: str | None, status: str, reason: str | None, **rest: Any) -> SessionRow:
    return SessionRow(
        model=model,
        engine=engine_name(engine, model),
        status=Status(status),
        reason=None if reason is None else Reason(reason),
        **rest,
    )


async def live_count(connection: Connection) -> int:
    return int(await _scalar(connection, "live_count", {}))


async def live_ids(connection: Connection, prefix: str) -> list[tuple[UUID, UUID]]:
    """Return up to two ids of live sessions that begin with `prefix`, each with its user's."""
    async with connection.cursor() as cursor:
        await cursor.execute(SQL["live_ids"], {"prefix": prefix})
        return await cursor.fetchall()


async def _scalar(connection: Connection, query: str, values: dict[str, Any]) -> Any:
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(SQL[query], values)
        return await cursor.fetchone()

"""What the sessions of each API key use, and the key's limit: in all, or for each day in UTC.

A key's counts are only changed while its user's balance row is locked, so they need no lock of their own."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row

from transcription_proxy.ledger import store
from transcription_proxy.ledger.store import SQL
from transcription_wire.codes import Reason

Connection = AsyncConnection[Any]


@dataclass(frozen=True, slots=True)
class Spending:
    """Credits that an API key used, today if its limit is `daily`. `limit_seconds` None: without a limit."""

    key_id: UUID
    limit_seconds: int | None
    daily: bool
    seconds_used: int


@dataclass(frozen=True, slots=True)
class Left:
    """Credits that a key's limit leaves: `available` ones can be held, `remaining` ones contain those on hold."""

    available: int
    remaining: int


async def add(connection: Connection, user_id: UUID, key_id: UUID, limit_seconds: int | None, daily: bool) -> None:
    """Begin to count what an API key uses."""
    values = {"user_id": user_id, "key_id": key_id, "limit_seconds": limit_seconds, "daily": daily}
    await connection.execute(SQL["add_spending"], values)


async def drop(connection: Connection, user_id: UUID, key_id: UUID) -> None:
    """End an API key's live sessions, and forget what it used. This locks the user's balance."""
    await store.lock_balance(connection, user_id)
    values = {"user_id": user_id, "key_id": key_id}
    await connection.execute(SQL["mark_key_ending"], {**values, "reason": Reason.SIGNED_OUT})
    await connection.execute(SQL["drop_spending"], values)


async def of_user(connection: Connection, user_id: UUID) -> dict[UUID, Spending]:
    """Return what a user's API keys used, by the key's id."""
    async with connection.cursor(row_factory=class_row(Spending)) as cursor:
        await cursor.execute(SQL["spending"], {"user_id": user_id})
        return {row.key_id: row for row in await cursor.fetchall()}


async def left(connection: Connection, user_id: UUID, key_id: UUID) -> Left | None:
    """Return what a key's limit leaves, None without a limit. The user's balance is locked."""
    async with connection.cursor(row_factory=class_row(Left)) as cursor:
        await cursor.execute(SQL["key_left"], {"user_id": user_id, "key_id": key_id})
        return await cursor.fetchone()

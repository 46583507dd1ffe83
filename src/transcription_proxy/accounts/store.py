"""The accounts' statements, and nothing else: one function each, on a connection that is in a transaction."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row, scalar_row

from transcription_proxy.accounts.tokens import Identity
from transcription_proxy.db import queries

Connection = AsyncConnection[Any]
SQL: Final = queries.load("transcription_proxy.accounts")


@dataclass(frozen=True, slots=True)
class User:
    """An account; what must stay secret is left out."""

    id: UUID
    email: str
    token_version: int
    blocked_at: datetime | None
    created_at: datetime

    @property
    def identity(self) -> Identity:
        return Identity(self.id, self.email, self.token_version)


@dataclass(frozen=True, slots=True)
class Refresh:
    """A refresh token as it is stored. `family`: the login that it came from."""

    family: UUID
    expires_at: datetime
    used_at: datetime | None


async def register(connection: Connection, email: str, password_hash: str) -> User | None:
    """None where the address is taken."""
    return await _user(connection, "register", email=email, password_hash=password_hash)


async def by_id(connection: Connection, user_id: UUID) -> User | None:
    return await _user(connection, "by_id", user_id=user_id)


async def by_email(connection: Connection, email: str) -> User | None:
    return await _user(connection, "by_email", email=email)


async def recent(connection: Connection, limit: int) -> list[User]:
    async with connection.cursor(row_factory=class_row(User)) as cursor:
        await cursor.execute(SQL["recent"], {"limit": limit})
        return await cursor.fetchall()


async def password_hash(connection: Connection, user_id: UUID) -> str | None:
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(SQL["password_hash"], {"user_id": user_id})
        found: str | None = await cursor.fetchone()
        return found


async def lock(connection: Connection, user_id: UUID) -> User | None:
    return await _user(connection, "lock", user_id=user_id)


async def lock_owner(connection: Connection, token_hash: bytes) -> User | None:
    return await _user(connection, "lock_owner", token_hash=token_hash)


async def change_password(connection: Connection, user_id: UUID, password_hash: str) -> User | None:
    """Ends all tokens of the account, which must be locked."""
    user = await _user(connection, "change_password", user_id=user_id, password_hash=password_hash)
    await connection.execute(SQL["drop_all_of"], {"user_id": user_id})
    return user


async def block(connection: Connection, user_id: UUID) -> None:
    await connection.execute(SQL["block"], {"user_id": user_id})


async def unblock(connection: Connection, user_id: UUID) -> None:
    await connection.execute(SQL["unblock"], {"user_id": user_id})


async def add_refresh(
    connection: Connection, token_hash: bytes, user_id: UUID, family: UUID, expires_at: datetime
) -> None:
    values = {"token_hash": token_hash, "user_id": user_id, "family": family, "expires_at": expires_at}
    await connection.execute(SQL["add_refresh"], values)


async def find_refresh(connection: Connection, token_hash: bytes) -> Refresh | None:
    async with connection.cursor(row_factory=class_row(Refresh)) as cursor:
        await cursor.execute(SQL["find_refresh"], {"token_hash": token_hash})
        return await cursor.fetchone()


async def use_refresh(connection: Connection, token_hash: bytes, now: datetime) -> None:
    await connection.execute(SQL["use_refresh"], {"token_hash": token_hash, "now": now})


async def revoke_family(connection: Connection, family: UUID, now: datetime) -> None:
    await connection.execute(SQL["revoke_family"], {"family": family, "now": now})


async def drop_family(connection: Connection, token_hash: bytes) -> None:
    await connection.execute(SQL["drop_family"], {"token_hash": token_hash})


async def drop_expired(connection: Connection, now: datetime) -> None:
    await connection.execute(SQL["drop_expired"], {"now": now})


async def _user(connection: Connection, query: str, **values: Any) -> User | None:
    async with connection.cursor(row_factory=class_row(User)) as cursor:
        await cursor.execute(SQL[query], values)
        return await cursor.fetchone()

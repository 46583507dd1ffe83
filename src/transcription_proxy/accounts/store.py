"""The accounts' SQL statements: one function for each, on a connection that is in a transaction."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row, scalar_row

from transcription_proxy.accounts import tokens
from transcription_proxy.accounts.tokens import Identity, Refresh
from transcription_proxy.db import queries
from transcription_proxy.values import Opening

Connection = AsyncConnection[Any]


@dataclass(frozen=True, slots=True)
class User:
    """An account without its secrets. `token_version`: a higher one in the database voids its earlier tokens."""

    id: UUID
    email: str
    token_version: int
    blocked_at: datetime | None
    created_at: datetime

    @property
    def identity(self) -> Identity:
        return Identity(self.id, self.email, self.token_version)


@dataclass(frozen=True, slots=True)
class Credentials(User):
    """An account with the hash of its password."""

    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Listed:
    """An account in the operator's list."""

    id: UUID
    email: str
    created_at: datetime
    blocked: bool
    seconds_remaining: int
    live_sessions: int


SQL: Final = queries.load("transcription_proxy.accounts", User, Credentials)


async def register(connection: Connection, email: str, password_hash: str) -> User | None:
    """Add an account; None where the address is taken."""
    return await _user(connection, "register", email=email, password_hash=password_hash)


async def by_id(connection: Connection, user_id: UUID) -> User | None:
    return await _user(connection, "by_id", user_id=user_id)


async def by_email(connection: Connection, email: str) -> User | None:
    return await _user(connection, "by_email", email=email)


async def credentials(connection: Connection, email: str) -> Credentials | None:
    async with connection.cursor(row_factory=class_row(Credentials)) as cursor:
        await cursor.execute(SQL["credentials"], {"email": email})
        return await cursor.fetchone()


async def recent(connection: Connection, limit: int) -> list[Listed]:
    async with connection.cursor(row_factory=class_row(Listed)) as cursor:
        await cursor.execute(SQL["recent"], {"limit": limit})
        return await cursor.fetchall()


async def password_hash(connection: Connection, user_id: UUID) -> str | None:
    found: str | None = await _scalar(connection, "password_hash", user_id=user_id)
    return found


async def lock(connection: Connection, user_id: UUID) -> User | None:
    return await _user(connection, "lock", user_id=user_id)


async def lock_owner(connection: Connection, token_hash: bytes) -> User | None:
    return await _user(connection, "lock_owner", token_hash=token_hash)


async def token_holder(connection: Connection, identity: Identity) -> User | None:
    values = {"user_id": identity.user_id, "token_version": identity.token_version, "login": identity.login}
    return await _user(connection, "token_holder", **values)


async def may_open(connection: Connection, opening: Opening) -> bool:
    """Return whether the token of an opening may open a session. Run it in the opening's transaction."""
    values = {"user_id": opening.user_id, "token_version": opening.token_version}
    return bool(await _scalar(connection, "may_open", **values, login=opening.login, key_id=opening.key_id))


async def change_password(connection: Connection, user_id: UUID, password_hash: str) -> User:
    """Change a locked account's password and end all of its tokens. Return the account."""
    user = await _user(connection, "change_password", user_id=user_id, password_hash=password_hash)
    assert user is not None
    await connection.execute(SQL["drop_logins_of"], {"user_id": user_id})
    return user


async def rehash(connection: Connection, user_id: UUID, password_hash: str) -> None:
    await connection.execute(SQL["rehash"], {"user_id": user_id, "password_hash": password_hash})


async def add_trial(connection: Connection, mailbox: bytes) -> bool:
    """Note that a mailbox gets the trial. Return False where it had it before."""
    return (await connection.execute(SQL["add_trial"], {"mailbox": mailbox})).rowcount > 0


async def confirm(connection: Connection, user_id: UUID, email: str) -> User | None:
    """Note that an account's email is confirmed. Return None where it was before, or is another one."""
    return await _user(connection, "confirm", user_id=user_id, email=email)


async def is_confirmed(connection: Connection, user_id: UUID) -> bool:
    return bool(await _scalar(connection, "is_confirmed", user_id=user_id))


async def block(connection: Connection, user_id: UUID) -> None:
    await connection.execute(SQL["block"], {"user_id": user_id})


async def unblock(connection: Connection, user_id: UUID) -> None:
    await connection.execute(SQL["unblock"], {"user_id": user_id})


async def add_refresh(
    connection: Connection,
    token_hash: bytes,
    user_id: UUID,
    login: UUID,
    parent: bytes | None,
    expires_at: datetime,
    login_expires_at: datetime,
) -> None:
    """Add a refresh token, and add or extend its login. `parent`: the digest of the token that was exchanged for it."""
    values = {
        "token_hash": token_hash,
        "user_id": user_id,
        "login": login,
        "parent": parent,
        "expires_at": expires_at,
        "login_expires_at": login_expires_at,
    }
    await connection.execute(SQL["add_refresh"], values)


async def find_refresh(connection: Connection, token_hash: bytes) -> Refresh | None:
    async with connection.cursor(row_factory=class_row(Refresh)) as cursor:
        await cursor.execute(SQL["find_refresh"], {"token_hash": token_hash})
        return await cursor.fetchone()


async def use_refresh(connection: Connection, token_hash: bytes, now: datetime) -> None:
    await connection.execute(SQL["use_refresh"], {"token_hash": token_hash, "now": now})


async def prune_refresh(connection: Connection, login: UUID, now: datetime) -> None:
    values = {"login": login, "now": now, "most": tokens.MAX_REFRESH_TOKENS}
    await connection.execute(SQL["prune_refresh"], values)


async def end_login(connection: Connection, login: UUID, now: datetime) -> None:
    await connection.execute(SQL["end_login"], {"login": login, "now": now})


async def drop_login(connection: Connection, token_hash: bytes) -> None:
    await connection.execute(SQL["drop_login"], {"token_hash": token_hash})


async def drop_expired(connection: Connection, now: datetime) -> None:
    await connection.execute(SQL["drop_expired"], {"now": now})


async def add_reset(
    connection: Connection, token_hash: bytes, user_id: UUID, expires_at: datetime, mailed_at: datetime | None
) -> None:
    values = {"token_hash": token_hash, "user_id": user_id, "expires_at": expires_at, "mailed_at": mailed_at}
    await connection.execute(SQL["add_reset"], values)


async def void_resets(connection: Connection, user_id: UUID, counted_from: datetime) -> None:
    await connection.execute(SQL["void_resets"], {"user_id": user_id, "counted_from": counted_from})


async def reset_not_mailed(connection: Connection, token_hash: bytes) -> None:
    await connection.execute(SQL["reset_not_mailed"], {"token_hash": token_hash})


async def resets_mailed(connection: Connection, user_id: UUID, counted_from: datetime) -> int:
    return int(await _scalar(connection, "resets_mailed", user_id=user_id, counted_from=counted_from))


async def lock_reset_owner(connection: Connection, token_hash: bytes) -> User | None:
    return await _user(connection, "lock_reset_owner", token_hash=token_hash)


async def reset_works(connection: Connection, token_hash: bytes, now: datetime) -> bool:
    return bool(await _scalar(connection, "reset_works", token_hash=token_hash, now=now))


async def _scalar(connection: Connection, query: str, **values: Any) -> Any:
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(SQL[query], values)
        return await cursor.fetchone()


async def _user(connection: Connection, query: str, **values: Any) -> User | None:
    async with connection.cursor(row_factory=class_row(User)) as cursor:
        await cursor.execute(SQL[query], values)
        return await cursor.fetchone()

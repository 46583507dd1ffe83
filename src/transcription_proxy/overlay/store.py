"""The overlays' SQL statements: one function for each, on a connection that is in a transaction."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row, kwargs_row

from transcription_proxy.db import queries

Connection = AsyncConnection[Any]


@dataclass(frozen=True, slots=True)
class Overlay:
    """The overlay of an account: anyone with `key` sees its live captions. `version` counts the account's keys."""

    user_id: UUID
    key: str
    version: int


SQL: Final = queries.load("transcription_proxy.overlay", Overlay)


async def by_user(connection: Connection, user_id: UUID) -> Overlay | None:
    return await _overlay(connection, "by_user", user_id=user_id)


async def by_key(connection: Connection, key: str) -> Overlay | None:
    return await _overlay(connection, "by_key", key=key)


async def add(connection: Connection, user_id: UUID, key: str) -> None:
    await connection.execute(SQL["add"], {"user_id": user_id, "key": key})


async def renew(connection: Connection, user_id: UUID, key: str) -> Overlay | None:
    return await _overlay(connection, "renew", user_id=user_id, key=key)


async def versions(connection: Connection, user_ids: list[UUID]) -> dict[UUID, int]:
    async with connection.cursor(row_factory=kwargs_row(lambda user_id, version: (user_id, version))) as cursor:
        await cursor.execute(SQL["versions"], {"user_ids": user_ids})
        return dict(await cursor.fetchall())


async def open_page(
    connection: Connection, page: UUID, user_id: UUID, life: UUID, most: int, lifetime_seconds: float
) -> bool:
    """Count a page. Return False if `most` pages of the account are open."""
    values = {"id": page, "user_id": user_id, "life": life, "most": most, "lifetime": lifetime_seconds}
    await connection.execute(SQL["lock_pages"], values)
    return (await connection.execute(SQL["open_page"], values)).rowcount > 0


async def close_page(connection: Connection, page: UUID) -> None:
    await connection.execute(SQL["close_page"], {"id": page})


async def renew_pages(connection: Connection, pages: list[UUID], lifetime_seconds: float) -> None:
    await connection.execute(SQL["renew_pages"], {"ids": pages, "lifetime": lifetime_seconds})


async def forget_pages(connection: Connection, life: UUID) -> None:
    await connection.execute(SQL["forget_pages"], {"life": life})


async def _overlay(connection: Connection, query: str, **values: Any) -> Overlay | None:
    async with connection.cursor(row_factory=class_row(Overlay)) as cursor:
        await cursor.execute(SQL[query], values)
        return await cursor.fetchone()

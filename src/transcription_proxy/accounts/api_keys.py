"""API keys: secrets for programs, which do not expire. A key may have a spending limit and a list of allowed models.

A key is `tpk_`, 32 random characters and a checksum of 6, so that scanners of source code find a leaked one, and a
mistyped one is refused without the database. Only the SHA-256 of a key is stored: it has 190 random bits."""

import hashlib
import secrets
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from psycopg.rows import class_row

from transcription_proxy import sentences
from transcription_proxy.accounts import store
from transcription_proxy.accounts.logins import refuse_blocked
from transcription_proxy.accounts.store import SQL, Connection, User
from transcription_proxy.accounts.tokens import unauthorized
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Refusal
from transcription_proxy.ledger import spending
from transcription_proxy.ledger.spending import Spending

PREFIX: Final = "tpk_"
ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM_CHARACTERS: Final = 32
CHECKSUM_CHARACTERS: Final = 6
SHOWN_CHARACTERS: Final = 8
"""Characters of a key that stay visible, so that its owner can tell keys apart."""
MOST_KEYS: Final = 50
"""Keys of one account."""
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key without its secret. `models`: what it may use, None for every model."""

    id: UUID
    name: str
    prefix: str
    models: list[str] | None
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """The account that an API key belongs to, and what the key may use."""

    key_id: UUID
    user: User
    models: list[str] | None


def generate() -> str:
    """Return a new key."""
    random = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_CHARACTERS))
    return f"{PREFIX}{random}{_checksum(random)}"


def is_key(token: str) -> bool:
    """Return whether a token is meant as an API key."""
    return token.startswith(PREFIX)


def is_well_formed(key: str) -> bool:
    """Return whether a key has the form of an API key, with the right checksum."""
    random, checksum = key[len(PREFIX) : -CHECKSUM_CHARACTERS], key[-CHECKSUM_CHARACTERS:]
    return is_key(key) and len(random) == RANDOM_CHARACTERS and checksum == _checksum(random)


class ApiKeys:
    """The API keys of accounts. Every call raises Unavailable when the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, user_id: UUID, name: str, limit_seconds: int | None, daily: bool, models: Sequence[str] | None
    ) -> tuple[ApiKey, str]:
        """Create a key, and return it with its secret, which cannot be read again. Raise Refusal too_many_keys."""
        key = generate()
        values = {
            "user_id": user_id,
            "name": name,
            "prefix": key[:SHOWN_CHARACTERS],
            "key_hash": _digest(key),
            "models": None if models is None else list(models),
            "most": MOST_KEYS,
        }
        async with self._database.transaction() as connection:
            await store.lock(connection, user_id)
            made = await _one(connection, "add_api_key", ApiKey, values)
            if made is None:
                raise Refusal("too_many_keys", sentences.too_many_keys(MOST_KEYS))
            await spending.add(connection, user_id, made.id, limit_seconds, daily)
        return made, key

    async def all_of(self, user_id: UUID) -> list[tuple[ApiKey, Spending]]:
        """Return a user's keys, oldest first, each with what it used."""
        async with self._database.transaction() as connection:
            used = await spending.of_user(connection, user_id)
            async with connection.cursor(row_factory=class_row(ApiKey)) as cursor:
                await cursor.execute(SQL["api_keys_of"], {"user_id": user_id})
                return [(key, used[key.id]) for key in await cursor.fetchall()]

    async def revoke(self, user_id: UUID, key_id: UUID) -> None:
        """Delete a key, and end its live sessions. Raise Refusal not_found."""
        async with self._database.transaction() as connection:
            await spending.drop(connection, user_id, key_id)
            deleted = await connection.execute(SQL["delete_api_key"], {"user_id": user_id, "key_id": key_id})
            if deleted.rowcount == 0:
                raise Refusal("not_found", sentences.NO_SUCH_KEY)

    async def authenticate(self, key: str) -> KeyHolder:
        """Return the holder of a key, and note that the key was used. Raise Refusal unauthorized."""
        if not is_well_formed(key):
            raise unauthorized()
        async with self._database.transaction() as connection:
            found = await _one(connection, "api_key_holder", _Holder, {"key_hash": _digest(key)})
            user = None if found is None else await store.by_id(connection, found.user_id)
        if found is None or user is None:
            raise unauthorized()
        refuse_blocked(user)
        return KeyHolder(found.id, user, found.models)


@dataclass(frozen=True, slots=True)
class _Holder:
    id: UUID
    user_id: UUID
    models: list[str] | None


async def _one(connection: Connection, query: str, row: type[Row], values: dict[str, Any]) -> Row | None:
    async with connection.cursor(row_factory=class_row(row)) as cursor:
        await cursor.execute(SQL[query], values)
        return await cursor.fetchone()


def _checksum(random: str) -> str:
    number, characters = zlib.crc32(random.encode("utf-8", "surrogatepass")), ""
    for _ in range(CHECKSUM_CHARACTERS):
        number, digit = divmod(number, len(ALPHABET))
        characters = ALPHABET[digit] + characters
    return characters


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()

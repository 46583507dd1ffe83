"""API keys: secrets for programs, which do not expire. A key may have a spending limit and a list of allowed models.

A key is `tpk_`, 32 random characters and a checksum of 6, so that scanners of source code find a leaked one, and a
mistyped one is refused without the database. Only the SHA-256 of a key is stored: it has 190 random bits."""

import hashlib
import secrets
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import class_row

from transcription_proxy import sentences
from transcription_proxy.accounts.store import SQL, Connection, User
from transcription_proxy.accounts.tokens import unauthorized
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Refusal
from transcription_proxy.ledger import spending
from transcription_proxy.ledger.spending import Limit, Spending
from transcription_wire.codes import Reason

PREFIX: Final = "tpk_"
ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM_CHARACTERS: Final = 32
CHECKSUM_CHARACTERS: Final = 6
SHOWN_CHARACTERS: Final = 8
"""Characters of a key that stay visible, so that its owner can tell keys apart."""
MOST_KEYS: Final = 50
"""Keys of one account."""
MOST_NAME_CHARACTERS: Final = 100


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
    user_id: UUID
    token_version: int
    models: list[str] | None


def generate() -> str:
    """Return a new key."""
    random = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_CHARACTERS))
    return f"{PREFIX}{random}{_checksum(random)}"


def is_key(token: str) -> bool:
    """Return whether a token is to be treated as an API key."""
    return token.startswith(PREFIX)


def is_well_formed(key: str) -> bool:
    """Return whether a key has the form of ours, with the right checksum."""
    random, checksum = key[len(PREFIX) : -CHECKSUM_CHARACTERS], key[-CHECKSUM_CHARACTERS:]
    return is_key(key) and key.isascii() and len(random) == RANDOM_CHARACTERS and checksum == _checksum(random)


def _checksum(random: str) -> str:
    number, characters = zlib.crc32(random.encode()), ""
    for _ in range(CHECKSUM_CHARACTERS):
        number, digit = divmod(number, len(ALPHABET))
        characters = ALPHABET[digit] + characters
    return characters


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()

"""Links to choose a new password: each works once and for an hour, and a newer one voids it."""

import secrets
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from transcription_proxy import sentences
from transcription_proxy.accounts import store, tokens
from transcription_proxy.accounts.store import Connection
from transcription_proxy.errors import Refusal

LIVES: Final = timedelta(hours=1)
MOST_MAILS: Final = 3
"""To one address, in any LIVES."""
LINK_JOB: Final = "reset_link"
NOTICE_JOB: Final = "password_notice"
PLACEHOLDER_IDS: Final = UUID("0c6f1f0e-5f0e-4d0b-9c39-6a4e4b3d2f61")


def link(site: str, token: str) -> str:
    """The token is in the fragment, which no server and no log sees."""
    return f"{site}/reset#token={token}"


def placeholder_id(address: str) -> UUID:
    """Stands for an address without account, so that asking for it costs the same work as for one that has one."""
    return uuid5(PLACEHOLDER_IDS, address)


def invalid() -> Refusal:
    return Refusal("invalid_reset_token", sentences.LINK_EXPIRED)


async def make(connection: Connection, user_id: UUID, now: datetime, mailed: bool = False) -> str:
    """A token for the account, which must be locked. `mailed`: it counts as a mail."""
    token = secrets.token_urlsafe(32)
    await store.void_resets(connection, user_id, now - LIVES)
    await store.add_reset(connection, tokens.digest(token), user_id, now + LIVES, now if mailed else None)
    return token

"""Password-reset links. A link works once, for an hour, and only until a newer one is created."""

import secrets
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from transcription_proxy import sentences
from transcription_proxy.accounts import store, tokens
from transcription_proxy.accounts.store import Connection
from transcription_proxy.errors import Refusal

LIFETIME: Final = timedelta(hours=1)
MAX_MAILS: Final = 3
"""Links that are mailed to one account within LIFETIME."""
LINK_JOB: Final = "reset_link"
NOTICE_JOB: Final = "password_notice"
PLACEHOLDER_IDS: Final = UUID("0c6f1f0e-5f0e-4d0b-9c39-6a4e4b3d2f61")
"""The UUID namespace of `placeholder_id`."""


def link(site: str, token: str) -> str:
    """Return the link for a token. It is in the fragment, which browsers do not send, so no log contains it."""
    return f"{site}/reset#token={token}"


def placeholder_id(address: str) -> UUID:
    """Return an account id for an address without an account.

    A request for its link then costs the same work as for a real account, and its duration tells nothing.
    """
    return uuid5(PLACEHOLDER_IDS, address)


def invalid() -> Refusal:
    """Return the refusal for a token that does not work."""
    return Refusal("invalid_reset_token", sentences.LINK_EXPIRED)


async def make(connection: Connection, user_id: UUID, now: datetime, mailed: bool = False) -> str:
    """Return a new token for a locked account, and void earlier ones. `mailed`: it counts towards MAX_MAILS."""
    token = secrets.token_urlsafe(32)
    await store.void_resets(connection, user_id, now - LIFETIME)
    await store.add_reset(connection, tokens.digest(token), user_id, now + LIFETIME, now if mailed else None)
    return token

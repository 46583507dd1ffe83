"""The operator's commands on accounts: look up, block, print a reset link, and create accounts for load tests."""

import secrets
from datetime import timedelta
from typing import Final
from uuid import uuid4

from transcription_proxy import sentences
from transcription_proxy.accounts import addresses, reset, store, tokens
from transcription_proxy.accounts.fair_queue import Requester
from transcription_proxy.accounts.hasher import Hasher
from transcription_proxy.accounts.service import utc_now
from transcription_proxy.accounts.store import Connection, Listed, User
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Refusal
from transcription_proxy.ledger import store as ledger
from transcription_proxy.ledger.entries import Description
from transcription_wire.codes import Reason

BATCH: Final = 100
"""Accounts created in one transaction."""


class Operator:
    """Every call raises Unavailable, and Refusal unknown_user for an address that has no account."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def users(self, limit: int) -> list[Listed]:
        """Return the newest `limit` accounts, newest first."""
        async with self._database.transaction() as connection:
            return await store.recent(connection, limit)

    async def user(self, email: str) -> User:
        """Return the account of an address."""
        async with self._database.transaction() as connection:
            found = await store.by_email(connection, addresses.normal(email))
        if found is None:
            raise Refusal("unknown_user", sentences.no_account(email))
        return found

    async def block(self, email: str) -> int:
        """Block an account at once, and return how many live sessions will end."""
        user = await self.user(email)
        async with self._database.transaction() as connection:
            ending = await ledger.mark_user_ending(connection, user.id, Reason.ENDED_BY_OPERATOR)
            await store.block(connection, user.id)
        return ending

    async def unblock(self, email: str) -> None:
        """Unblock an account."""
        user = await self.user(email)
        async with self._database.transaction() as connection:
            await store.unblock(connection, user.id)

    async def reset_link(self, email: str, site: str) -> str:
        """Return a link to choose a new password. Earlier links stop working. Raise Refusal blocked."""
        user = await self.user(email)
        async with self._database.transaction() as connection:
            locked = await store.lock(connection, user.id)
            if locked is None or locked.blocked_at is not None:
                raise Refusal("blocked", sentences.account_blocked(user.email))
            return reset.link(site, await reset.make(connection, user.id, utc_now()))

    async def create_many(
        self, count: int, seconds: int, *, secret: str, expiry: timedelta, actor: str
    ) -> list[tuple[str, str]]:
        """Create `count` accounts with `seconds` of credit each, and return the address and JWT of each.

        All share the hash of one random password, which is not kept.
        """
        shared = await Hasher().hash(secrets.token_urlsafe(24).encode(), Requester("", ""))
        made: list[tuple[str, str]] = []
        while len(made) < count:
            users = await self._create(min(BATCH, count - len(made)), shared, seconds, actor)
            made += [
                (user.email, tokens.issue(user.identity, secret, utc_now(), expiry, uuid4().hex)) for user in users
            ]
        return made

    async def _create(self, count: int, password_hash: str, seconds: int, actor: str) -> list[User]:
        async with self._database.transaction(60) as connection:
            return [await _create_throwaway(connection, password_hash, seconds, actor) for _ in range(count)]


async def _create_throwaway(connection: Connection, password_hash: str, seconds: int, actor: str) -> User:
    user = await store.register(connection, f"load-{uuid4().hex}@example.org", password_hash)
    if user is None:
        raise Refusal("email_taken", sentences.RANDOM_EMAIL_TAKEN)
    balance = await ledger.lock_or_add_balance(connection, user.id)
    kind = Description.MANUAL_ADJUSTMENT
    await ledger.credit(connection, user.id, balance, seconds, kind, reason="throwaway account", actor=actor)
    return user

"""Logins: the token pairs that each login issues, and when a login ends (docs/decisions/0013).

A refresh token works once. A second use means that somebody copied it, so it ends the login. Within REFRESH_GRACE,
while the new pair is unused, a second use is allowed: the client lost the answer, or refreshed from two tabs."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog

from transcription_proxy import sentences
from transcription_proxy.accounts import store, tokens
from transcription_proxy.accounts.store import Connection, User
from transcription_proxy.accounts.tokens import Identity, unauthorized
from transcription_proxy.errors import Refusal
from transcription_wire.codes import ErrorCode
from transcription_wire.sentences import BLOCKED

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class IssuedTokens:
    """What a client gets when it registers, logs in or refreshes. `expires_in`: the lifetime of `token`, seconds."""

    user: User
    token: str
    refresh_token: str
    expires_in: int


class Logins:
    """`secret` signs the access tokens, which live for `expiry`.

    Callers of `begin` have locked the account; `exchange` and `end` lock it themselves."""

    def __init__(self, secret: str, expiry: timedelta, clock: Callable[[], datetime]) -> None:
        self._secret = secret
        self._expiry = expiry
        self._clock = clock

    async def begin(self, connection: Connection, user: User) -> IssuedTokens:
        """Begin a login of a locked account, and return its first tokens."""
        await store.drop_expired(connection, self._clock())
        return await self._issue(connection, user, uuid4(), None)

    async def exchange(self, connection: Connection, refresh_token: str) -> IssuedTokens | Refusal:
        """Exchange a refresh token for a new pair.

        A Refusal (unauthorized, refresh_reused) is returned, not raised, so that the login's end is committed.
        """
        now = self._clock()
        token_hash = tokens.digest(refresh_token)
        user = await store.lock_owner(connection, token_hash)
        found = await store.find_refresh(connection, token_hash)
        if user is None or found is None or found.expires_at <= now:
            return unauthorized()
        if found.is_reused(now):
            await store.end_login(connection, found.login, now)
            log.warning("refresh_reused", user=str(user.id))
            return Refusal("refresh_reused", sentences.REFRESH_REUSED)
        refuse_blocked(user)
        await store.use_refresh(connection, token_hash, now)
        await store.prune_refresh(connection, found.login, now)
        return await self._issue(connection, user, found.login, token_hash)

    async def end(self, connection: Connection, refresh_token: str) -> None:
        """End the login that a refresh token belongs to, with all of its tokens. Ignore an unknown token."""
        token_hash = tokens.digest(refresh_token)
        if await store.lock_owner(connection, token_hash):
            await store.drop_login(connection, token_hash)

    def verify(self, token: str) -> Identity:
        """Return what an access token says. Whether its login has ended, only the database knows.

        Raise Refusal unauthorized.
        """
        return tokens.verify(token, self._secret, self._clock())

    def grant(self, identity: Identity, lifetime: timedelta) -> str:
        """Return an access token for `identity` that cannot be refreshed."""
        return tokens.issue(identity, self._secret, self._clock(), lifetime, uuid4().hex)

    async def _issue(self, connection: Connection, user: User, login: UUID, parent: bytes | None) -> IssuedTokens:
        now = self._clock()
        refresh_token = secrets.token_urlsafe(32)
        await store.add_refresh(
            connection,
            tokens.digest(refresh_token),
            user.id,
            login,
            parent,
            expires_at=now + tokens.REFRESH_LIFE,
            login_expires_at=now + max(tokens.REFRESH_LIFE, self._expiry),
        )
        identity = replace(user.identity, login=login)
        token = tokens.issue(identity, self._secret, now, self._expiry, uuid4().hex)
        return IssuedTokens(user, token, refresh_token, int(self._expiry.total_seconds()))


def refuse_blocked(user: User) -> None:
    """Raise Refusal unauthorized for a blocked account."""
    if user.blocked_at is not None:
        raise Refusal(ErrorCode.UNAUTHORIZED, BLOCKED)

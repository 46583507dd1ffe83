"""Accounts: who may come in. Passwords become tokens, tokens become identities.

Every call raises Unavailable when the database is away, and Refusal with a code of the contract."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import structlog

from transcription_proxy.accounts import addresses, passwords, reset, store, tokens
from transcription_proxy.accounts.passwords import Hasher
from transcription_proxy.accounts.store import Connection, User
from transcription_proxy.accounts.tokens import Identity, unauthorized
from transcription_proxy.db import jobs
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Refusal
from transcription_proxy.ledger import store as ledger
from transcription_proxy.ledger.entries import Description
from transcription_wire.codes import ErrorCode

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Admission:
    """What a client gets that may come in. `expires_in`: seconds that `token` lives."""

    user: User
    token: str
    refresh_token: str
    expires_in: int


def utc_now() -> datetime:
    return datetime.now(UTC)


class Accounts:
    """`secret` signs the tokens, which live for `expiry`; a new account is given `trial_seconds` of credit."""

    def __init__(
        self,
        database: Database,
        *,
        secret: str,
        expiry: timedelta,
        trial_seconds: int = 0,
        clock: Callable[[], datetime] = utc_now,
        hasher: Hasher | None = None,
    ) -> None:
        self._database = database
        self._secret = secret
        self._expiry = expiry
        self._trial_seconds = trial_seconds
        self._clock = clock
        self._hasher = hasher or Hasher()

    async def register(self, email: str, password: str) -> Admission:
        """Raises Refusal: invalid_email, weak_password, email_taken."""
        address = addresses.normal(email)
        hashed = await self._hasher.hash(password)
        async with self._database.transaction() as connection:
            user = await store.register(connection, address, hashed)
            if user is None:
                raise Refusal("email_taken", "There is an account with this address: log in.")
            await ledger.credit(connection, user.id, self._trial_seconds, Description.TRIAL)
            await jobs.enqueue(connection, "customer", str(user.id))
            return await self._admit(connection, user, uuid4())

    async def login(self, email: str, password: str) -> Admission:
        """Raises Refusal: invalid_credentials; unauthorized for a blocked account."""
        user, hashed = await self._credentials(email)
        matches = await self._hasher.matches(password, hashed)
        if user is None or not matches:
            raise _wrong_credentials("The address or the password is wrong.")
        async with self._database.transaction() as connection:
            locked = await store.lock(connection, user.id)
            if locked is None or locked.token_version != user.token_version:
                raise _wrong_credentials("The password was changed a moment ago: log in with the new one.")
            _refuse_blocked(locked)
            await store.drop_expired(connection, self._clock())
            return await self._admit(connection, locked, uuid4())

    async def refresh(self, refresh_token: str) -> Admission:
        """Raises Refusal: unauthorized, refresh_reused (and all tokens of that login end)."""
        async with self._database.transaction() as connection:
            answer = await self._rotate(connection, tokens.digest(refresh_token))
        if isinstance(answer, Refusal):
            raise answer
        return answer

    async def logout(self, refresh_token: str) -> None:
        """Ends the login that the token came from; nothing where there is none."""
        token_hash = tokens.digest(refresh_token)
        async with self._database.transaction() as connection:
            if await store.lock_owner(connection, token_hash):
                await store.drop_family(connection, token_hash)

    async def change_password(self, user: User, current: str, new: str) -> Admission:
        """Ends every token of the account. Raises Refusal: invalid_credentials, weak_password."""
        passwords.accept(new)
        async with self._database.transaction() as connection:
            hashed = await store.password_hash(connection, user.id)
        if not await self._hasher.matches(current, hashed):
            raise _wrong_credentials("The current password is wrong.")
        new_hash = await self._hasher.hash(new)
        async with self._database.transaction() as connection:
            locked = await store.lock(connection, user.id)
            changed = await store.change_password(connection, user.id, new_hash)
            if locked is None or changed is None or locked.token_version != user.token_version:
                raise unauthorized()
            await self._changed(connection, user.id)
            return await self._admit(connection, changed, uuid4())

    async def forgot(self, email: str) -> None:
        """Has a link sent to the account's owner. Neither the answer nor its time shows whether there is one."""
        try:
            address = addresses.normal(email)
        except Refusal:
            return
        async with self._database.transaction() as connection:
            user = await store.by_email(connection, address)
            key = user.id if user else reset.nobody(address)
            await jobs.enqueue(connection, reset.LINK_JOB, str(key))

    async def reset(self, reset_token: str, password: str) -> User:
        """Ends every token of the account. Raises Refusal: weak_password, which leaves the token as it is,
        invalid_reset_token, and unauthorized for a blocked account."""
        passwords.accept(password)
        token_hash = tokens.digest(reset_token)
        async with self._database.transaction() as connection:
            await self._reset_owner(connection, token_hash)
        hashed = await self._hasher.hash(password)
        async with self._database.transaction() as connection:
            owner = await self._reset_owner(connection, token_hash)
            await store.change_password(connection, owner.id, hashed)
            await self._changed(connection, owner.id)
        return owner

    async def _reset_owner(self, connection: Connection, token_hash: bytes) -> User:
        owner = await store.lock_reset_owner(connection, token_hash)
        if owner is None or not await store.reset_works(connection, token_hash, self._clock()):
            raise reset.invalid()
        _refuse_blocked(owner)
        return owner

    async def _changed(self, connection: Connection, user_id: UUID) -> None:
        """Links to change the password again are void, and the owner is told: it may have been somebody else."""
        await store.void_resets(connection, user_id, self._clock() - reset.LIVES)
        await jobs.enqueue(connection, reset.NOTICE_JOB, str(user_id))

    async def authenticate(self, token: str) -> User:
        """The account of a token, as it is now. Raises Refusal unauthorized."""
        identity = self.verify_token(token)
        async with self._database.transaction() as connection:
            user = await store.by_id(connection, identity.user_id)
        if user is None or user.token_version != identity.token_version:
            raise unauthorized()
        _refuse_blocked(user)
        return user

    def verify_token(self, token: str) -> Identity:
        """What a token says; whether it still holds, only the database knows. Raises Refusal unauthorized."""
        return tokens.verify(token, self._secret, self._clock())

    async def _credentials(self, email: str) -> tuple[User | None, str | None]:
        try:
            address = addresses.normal(email)
        except Refusal:
            return None, None
        async with self._database.transaction() as connection:
            user = await store.by_email(connection, address)
            return user, await store.password_hash(connection, user.id) if user else None

    async def _rotate(self, connection: Connection, token_hash: bytes) -> Admission | Refusal:
        """A refusal is returned, not raised: what was revoked must be committed."""
        now = self._clock()
        user = await store.lock_owner(connection, token_hash)
        found = await store.find_refresh(connection, token_hash)
        if user is None or found is None or found.expires_at <= now:
            return unauthorized()
        if found.used_at is not None:
            await store.revoke_family(connection, found.family, now)
            log.warning("refresh_reused", user=str(user.id))
            return Refusal("refresh_reused", "This refresh token was used before: log in again.")
        _refuse_blocked(user)
        await store.use_refresh(connection, token_hash, now)
        return await self._admit(connection, user, found.family)

    async def _admit(self, connection: Connection, user: User, family: UUID) -> Admission:
        now = self._clock()
        refresh_token = secrets.token_urlsafe(32)
        expires_at = now + timedelta(days=tokens.REFRESH_DAYS)
        await store.add_refresh(connection, tokens.digest(refresh_token), user.id, family, expires_at)
        token = tokens.issue(user.identity, self._secret, now, self._expiry, uuid4().hex)
        return Admission(user, token, refresh_token, int(self._expiry.total_seconds()))


def _wrong_credentials(sentence: str) -> Refusal:
    return Refusal("invalid_credentials", sentence)


def _refuse_blocked(user: User) -> None:
    if user.blocked_at is not None:
        raise Refusal(ErrorCode.UNAUTHORIZED, "This account is blocked: ask the operator.")

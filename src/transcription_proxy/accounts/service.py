"""Accounts: registration, login, and passwords. A password is exchanged for tokens, a token for its account.

Every call raises Unavailable when the database is away, and Refusal with a code of docs/protocol.md."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from transcription_proxy import sentences
from transcription_proxy.accounts import addresses, passwords, reset, store, tokens, trial
from transcription_proxy.accounts.fair_queue import Requester
from transcription_proxy.accounts.hasher import Hasher, Match
from transcription_proxy.accounts.logins import IssuedTokens, Logins, refuse_blocked
from transcription_proxy.accounts.store import Connection, Credentials, User
from transcription_proxy.accounts.tokens import Identity, unauthorized
from transcription_proxy.accounts.trial import Trial
from transcription_proxy.db import jobs
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Refusal
from transcription_proxy.ledger import store as ledger
from transcription_wire.codes import Reason


def utc_now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


class Accounts:
    """`secret` signs the access tokens, which live for `expiry`. `trial`: what a new account gets.

    The `client` argument of a method is the caller's network address: the hasher's queue is fair among addresses."""

    def __init__(
        self,
        database: Database,
        *,
        secret: str,
        expiry: timedelta,
        trial: Trial = Trial(),  # noqa: B008 - frozen
        clock: Callable[[], datetime] = utc_now,
        hasher: Hasher | None = None,
    ) -> None:
        self._database = database
        self._logins = Logins(secret, expiry, clock)
        self._secret = secret
        self._trial = trial
        self._clock = clock
        self._hasher = hasher or Hasher()

    async def register(self, email: str, password: str, client: str = "") -> IssuedTokens:
        """Create an account and log it in. Raise Refusal: invalid_email, weak_password, email_taken."""
        address = addresses.normal(email)
        hashed = await self._hasher.hash(passwords.accept(password, address), Requester(address, client))
        async with self._database.transaction() as connection:
            user = await store.register(connection, address, hashed)
            if user is None:
                raise Refusal("email_taken", sentences.EMAIL_TAKEN)
            if self._trial.needs_confirmation:
                await ledger.lock_or_add_balance(connection, user.id)
                await jobs.enqueue(connection, trial.LINK_JOB, str(user.id))
            else:
                await self._trial.grant(connection, user)
            await jobs.enqueue(connection, "customer", str(user.id))
            return await self._logins.begin(connection, user)

    async def confirm(self, token: str) -> int:
        """Confirm the email of a token's account. Return the seconds of the trial that it gets now.

        Confirming twice changes nothing. Raise Refusal invalid_confirmation.
        """
        user_id, email = trial.read_token(token, self._secret, self._clock())
        async with self._database.transaction() as connection:
            await ledger.lock_balance(connection, user_id)
            user = await store.confirm(connection, user_id, email)
            if user is not None and self._trial.needs_confirmation:
                return await self._trial.grant(connection, user)
            if user is None and not await store.is_confirmed(connection, user_id):
                raise trial.invalid()
        return 0

    async def is_confirmed(self, user: User) -> bool | None:
        """Return whether an account's email is confirmed, or None where no trial needs that."""
        if not self._trial.needs_confirmation:
            return None
        async with self._database.transaction() as connection:
            return await store.is_confirmed(connection, user.id)

    async def send_confirmation(self, user: User) -> None:
        """Enqueue another confirmation mail, unless the email is confirmed."""
        async with self._database.transaction() as connection:
            if self._trial.needs_confirmation and not await store.is_confirmed(connection, user.id):
                await jobs.enqueue(connection, trial.LINK_JOB, str(user.id))

    async def login(self, email: str, password: str, client: str = "") -> IssuedTokens:
        """Log in. Raise Refusal: invalid_credentials, and unauthorized for a blocked account."""
        requester = Requester(account_key(email), client)
        user = await self._credentials(email)
        match = await self._hasher.match(password, user.password_hash if user else None, requester)
        if user is None or match is Match.NO:
            raise _wrong_credentials(sentences.WRONG_LOGIN)
        renewed = await self._hasher.hash(passwords.forms(password)[0], requester) if match is Match.OUTDATED else None
        async with self._database.transaction() as connection:
            locked = await store.lock(connection, user.id)
            if locked is None or locked.token_version != user.token_version:
                raise _wrong_credentials(sentences.PASSWORD_JUST_CHANGED)
            refuse_blocked(locked)
            if renewed is not None:
                await store.rehash(connection, user.id, renewed)
            return await self._logins.begin(connection, locked)

    async def refresh(self, refresh_token: str) -> IssuedTokens:
        """Exchange a refresh token for new ones. Raise Refusal: unauthorized, refresh_reused (which ends the login)."""
        async with self._database.transaction() as connection:
            answer = await self._logins.exchange(connection, refresh_token)
        if isinstance(answer, Refusal):
            raise answer
        return answer

    async def logout(self, refresh_token: str) -> None:
        """End the login of a refresh token; ignore an unknown one. Live sessions of the login continue."""
        async with self._database.transaction() as connection:
            await self._logins.end(connection, refresh_token)

    async def change_password(self, user: User, current: str, new: str, client: str = "") -> IssuedTokens:
        """Change the password, end every token and live session of the account, and log in again.

        Raise Refusal: invalid_credentials, weak_password.
        """
        requester = Requester(user.email, client)
        accepted = passwords.accept(new, user.email)
        async with self._database.transaction() as connection:
            hashed = await store.password_hash(connection, user.id)
        if await self._hasher.match(current, hashed, requester) is Match.NO:
            raise _wrong_credentials(sentences.WRONG_PASSWORD)
        new_hash = await self._hasher.hash(accepted, requester)
        async with self._database.transaction() as connection:
            await ledger.mark_user_ending(connection, user.id, Reason.SIGNED_OUT)
            locked = await store.lock(connection, user.id)
            if locked is None or locked.token_version != user.token_version:
                raise unauthorized()
            return await self._logins.begin(connection, await self._set_password(connection, locked, new_hash))

    async def forgot(self, email: str) -> None:
        """Enqueue the mail with a reset link. Neither answer nor duration tells whether the account exists."""
        try:
            address = addresses.normal(email)
        except Refusal:
            return
        async with self._database.transaction() as connection:
            user = await store.by_email(connection, address)
            key = user.id if user else reset.placeholder_id(address)
            await jobs.enqueue(connection, reset.LINK_JOB, str(key))

    async def reset(self, reset_token: str, password: str, client: str = "") -> User:
        """Set a new password with a reset token, and end every token and live session of the account.

        Raise Refusal: weak_password (the reset token still works), invalid_reset_token, and unauthorized for a blocked
        account.
        """
        passwords.accept(password)
        token_hash = tokens.digest(reset_token)
        async with self._database.transaction() as connection:
            found = await self._reset_owner(connection, token_hash)
        hashed = await self._hasher.hash(passwords.accept(password, found.email), Requester(found.email, client))
        async with self._database.transaction() as connection:
            await ledger.mark_user_ending(connection, found.id, Reason.SIGNED_OUT)
            owner = await self._reset_owner(connection, token_hash)
            await self._set_password(connection, owner, hashed)
        return owner

    async def _reset_owner(self, connection: Connection, token_hash: bytes) -> User:
        owner = await store.lock_reset_owner(connection, token_hash)
        if owner is None or not await store.reset_works(connection, token_hash, self._clock()):
            raise reset.invalid()
        refuse_blocked(owner)
        return owner

    async def _set_password(self, connection: Connection, locked: User, password_hash: str) -> User:
        """Set a locked account's password, void its reset links, and email the owner, in case somebody else did it."""
        await store.void_resets(connection, locked.id, self._clock() - reset.LIFETIME)
        await jobs.enqueue(connection, reset.NOTICE_JOB, str(locked.id))
        return await store.change_password(connection, locked.id, password_hash)

    async def authenticate(self, token: str) -> User:
        """Return the account of an access token, as it is now. Raise Refusal unauthorized."""
        identity = self.verify_token(token)
        async with self._database.transaction() as connection:
            user = await store.token_holder(connection, identity)
        if user is None:
            raise unauthorized()
        refuse_blocked(user)
        return user

    def verify_token(self, token: str) -> Identity:
        """Return what an access token says. Whether its login has ended, only the database knows.

        Raise Refusal unauthorized.
        """
        return self._logins.verify(token)

    async def _credentials(self, email: str) -> Credentials | None:
        try:
            address = addresses.normal(email)
        except Refusal:
            return None
        async with self._database.transaction() as connection:
            return await store.credentials(connection, address)


def account_key(email: str) -> str:
    """Return the account that a login attempt counts for whether or not it exists."""
    try:
        return addresses.normal(email)
    except Refusal:
        return ""


def _wrong_credentials(sentence: str) -> Refusal:
    return Refusal("invalid_credentials", sentence)

"""Accounts: who may come in. Passwords become tokens, tokens become identities.

Every call raises Unavailable when the database is away, and Refusal with a code of docs/protocol.md."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from transcription_proxy import sentences
from transcription_proxy.accounts import addresses, passwords, reset, store, tokens
from transcription_proxy.accounts.hasher import Hasher, Match
from transcription_proxy.accounts.logins import Admission, Logins, refuse_blocked
from transcription_proxy.accounts.store import Connection, User
from transcription_proxy.accounts.tokens import Identity, unauthorized
from transcription_proxy.accounts.turns import Asker
from transcription_proxy.db import jobs
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Refusal
from transcription_proxy.ledger import store as ledger
from transcription_proxy.ledger.entries import Description
from transcription_wire.codes import Reason


def utc_now() -> datetime:
    return datetime.now(UTC)


class Accounts:
    """`secret` signs the tokens, which live for `expiry`; a new account is given `trial_seconds` of credit.

    `client`, wherever it is asked for, is the caller's network address: hashing is shared fairly among addresses."""

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
        self._logins = Logins(secret, expiry, clock)
        self._trial_seconds = trial_seconds
        self._clock = clock
        self._hasher = hasher or Hasher()

    async def register(self, email: str, password: str, client: str = "") -> Admission:
        """Raises Refusal: invalid_email, weak_password, email_taken."""
        address = addresses.normal(email)
        hashed = await self._hasher.hash(passwords.accept(password, address), Asker(address, client))
        async with self._database.transaction() as connection:
            user = await store.register(connection, address, hashed)
            if user is None:
                raise Refusal("email_taken", sentences.EMAIL_TAKEN)
            await ledger.credit(connection, user.id, self._trial_seconds, Description.TRIAL)
            await jobs.enqueue(connection, "customer", str(user.id))
            return await self._logins.begin(connection, user)

    async def login(self, email: str, password: str, client: str = "") -> Admission:
        """Raises Refusal: invalid_credentials; unauthorized for a blocked account."""
        asker = Asker(_account_key(email), client)
        user, hashed = await self._credentials(email)
        match = await self._hasher.match(password, hashed, asker)
        if user is None or match is Match.NO:
            raise _wrong_credentials(sentences.WRONG_LOGIN)
        renewed = await self._hasher.hash(passwords.forms(password)[0], asker) if match is Match.OUTDATED else None
        async with self._database.transaction() as connection:
            locked = await store.lock(connection, user.id)
            if locked is None or locked.token_version != user.token_version:
                raise _wrong_credentials(sentences.PASSWORD_JUST_CHANGED)
            refuse_blocked(locked)
            if renewed is not None:
                await store.rehash(connection, user.id, renewed)
            return await self._logins.begin(connection, locked)

    async def refresh(self, refresh_token: str) -> Admission:
        """Raises Refusal: unauthorized, refresh_reused (and all tokens of that login end)."""
        async with self._database.transaction() as connection:
            answer = await self._logins.exchange(connection, refresh_token)
        if isinstance(answer, Refusal):
            raise answer
        return answer

    async def logout(self, refresh_token: str) -> None:
        """Ends the login that the token came from; nothing where there is none. Its live sessions go on."""
        async with self._database.transaction() as connection:
            await self._logins.end(connection, refresh_token)

    async def change_password(self, user: User, current: str, new: str, client: str = "") -> Admission:
        """Ends every token and live session of the account. Raises Refusal: invalid_credentials, weak_password."""
        asker = Asker(user.email, client)
        accepted = passwords.accept(new, user.email)
        async with self._database.transaction() as connection:
            hashed = await store.password_hash(connection, user.id)
        if await self._hasher.match(current, hashed, asker) is Match.NO:
            raise _wrong_credentials(sentences.WRONG_PASSWORD)
        new_hash = await self._hasher.hash(accepted, asker)
        async with self._database.transaction() as connection:
            await ledger.mark_user_ending(connection, user.id, Reason.SIGNED_OUT)
            locked = await store.lock(connection, user.id)
            if locked is None or locked.token_version != user.token_version:
                raise unauthorized()
            return await self._logins.begin(connection, await self._set_password(connection, locked, new_hash))

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

    async def reset(self, reset_token: str, password: str, client: str = "") -> User:
        """Ends every token and live session of the account. Raises Refusal: weak_password, which leaves the token as it
        is, invalid_reset_token, and unauthorized for a blocked account."""
        passwords.accept(password)
        token_hash = tokens.digest(reset_token)
        async with self._database.transaction() as connection:
            found = await self._reset_owner(connection, token_hash)
        hashed = await self._hasher.hash(passwords.accept(password, found.email), Asker(found.email, client))
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
        """Links to change the password again are void, and the owner is told: it may have been somebody else."""
        await store.void_resets(connection, locked.id, self._clock() - reset.LIVES)
        await jobs.enqueue(connection, reset.NOTICE_JOB, str(locked.id))
        return await store.change_password(connection, locked.id, password_hash)

    async def authenticate(self, token: str) -> User:
        """The account of a token, as it is now. Raises Refusal unauthorized."""
        identity = self.verify_token(token)
        async with self._database.transaction() as connection:
            user = await store.token_holder(connection, identity)
        if user is None:
            raise unauthorized()
        refuse_blocked(user)
        return user

    def verify_token(self, token: str) -> Identity:
        """What a token says; whether it still holds, only the database knows. Raises Refusal unauthorized."""
        return self._logins.verify(token)

    async def _credentials(self, email: str) -> tuple[User | None, str | None]:
        try:
            address = addresses.normal(email)
        except Refusal:
            return None, None
        async with self._database.transaction() as connection:
            user = await store.by_email(connection, address)
            return user, await store.password_hash(connection, user.id) if user else None


def _account_key(email: str) -> str:
    """The account that an attempt counts for, whether or not it exists."""
    try:
        return addresses.normal(email)
    except Refusal:
        return ""


def _wrong_credentials(sentence: str) -> Refusal:
    return Refusal("invalid_credentials", sentence)

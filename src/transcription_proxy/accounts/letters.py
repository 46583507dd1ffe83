"""The jobs that write to an account's owner. A job's key is the account's id: no secret lies in the queue."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import structlog

from transcription_proxy.accounts import reset, store, tokens
from transcription_proxy.accounts.service import utc_now
from transcription_proxy.db.pool import Database
from transcription_proxy.mail import letters
from transcription_proxy.mail.postman import Postman

log = structlog.get_logger(__name__)


class Letters:
    """Raises Unavailable and NotSent: then the job is tried again."""

    def __init__(
        self, database: Database, postman: Postman, site: str, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._database = database
        self._postman = postman
        self._site = site
        self._clock = clock

    async def send_reset_link(self, key: str) -> None:
        """A link, made now. Nothing to a blocked account, to nobody, or for the fourth time in an hour."""
        now = self._clock()
        async with self._database.transaction() as connection:
            user = await store.lock(connection, UUID(key))
            if user is None or user.blocked_at is not None:
                return
            if await store.resets_mailed(connection, user.id, now - reset.LIVES) >= reset.MOST_MAILS:
                log.info("reset_mail_withheld", user=key)
                return
            token = await reset.make(connection, user.id, now)
        await self._postman.deliver(user.email, letters.reset_link(self._site, reset.link(self._site, token)))
        async with self._database.transaction() as connection:
            await store.reset_mailed(connection, tokens.digest(token), now)

    async def send_notice(self, key: str) -> None:
        """That the password was changed. There is no limit to these: one could hide a theft behind it."""
        async with self._database.transaction() as connection:
            user = await store.by_id(connection, UUID(key))
        if user is not None:
            await self._postman.deliver(user.email, letters.password_changed(self._site))

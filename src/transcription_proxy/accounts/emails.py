"""The jobs that send email to an account's owner. A job's key is the account's id, so the queue holds no secrets."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import structlog

from transcription_proxy.accounts import reset, store, tokens, trial
from transcription_proxy.accounts.service import utc_now
from transcription_proxy.accounts.store import Connection, User
from transcription_proxy.db.pool import Database
from transcription_proxy.mail import emails
from transcription_proxy.mail.mailer import Mailer, NotSent

log = structlog.get_logger(__name__)


class AccountEmails:
    """Each method is a job. It raises Unavailable, NotSent or InDoubt to be run again, with another link.

    `site`: the URL that links in an email begin with."""

    def __init__(
        self,
        database: Database,
        mailer: Mailer,
        site: str,
        clock: Callable[[], datetime] = utc_now,
        *,
        secret: str = "",
        trial_seconds: int = 0,
    ) -> None:
        """`secret` signs the links that confirm an email, for which there are `trial_seconds`."""
        self._secret = secret
        self._trial_seconds = trial_seconds
        self._database = database
        self._mailer = mailer
        self._site = site
        self._clock = clock

    async def send_reset_link(self, key: str) -> None:
        """Send a new password-reset link. Do nothing for a blocked or unknown account, or after 3 mails in an hour."""
        async with self._database.transaction() as connection:
            user = await store.lock(connection, UUID(key))
            token = await self._token(connection, user) if user else None
        if user is None or token is None:
            return
        try:
            await self._mailer.deliver(user.email, emails.reset_link(self._site, reset.link(self._site, token)))
        except NotSent:
            async with self._database.transaction() as connection:
                await store.reset_not_mailed(connection, tokens.digest(token))
            raise

    async def send_confirmation(self, key: str) -> None:
        """Send the link that confirms an email. Do nothing for a blocked, unknown or confirmed account."""
        async with self._database.transaction() as connection:
            user = await store.by_id(connection, UUID(key))
            is_due = user is not None and user.blocked_at is None and not await store.is_confirmed(connection, user.id)
        if user is not None and is_due:
            link = trial.link(self._site, trial.make_token(user, self._secret, self._clock()))
            await self._mailer.deliver(user.email, emails.confirmation(self._site, link, self._trial_seconds))

    async def send_notice(self, key: str) -> None:
        """Send the notice that the password was changed. There is no limit, behind which a thief could hide."""
        async with self._database.transaction() as connection:
            user = await store.by_id(connection, UUID(key))
        if user is not None:
            await self._mailer.deliver(user.email, emails.password_changed(self._site))

    async def _token(self, connection: Connection, user: User) -> str | None:
        """Return a reset token, or None where no mail may be sent.

        The token counts as a sent mail from now on, so a process that dies before it sends does not exceed the limit.
        """
        now = self._clock()
        if user.blocked_at is not None:
            return None
        if await store.resets_mailed(connection, user.id, now - reset.LIFETIME) >= reset.MAX_MAILS:
            log.info("reset_mail_limit_reached", user=str(user.id))
            return None
        return await reset.make(connection, user.id, now, mailed=True)

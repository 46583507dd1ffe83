"""The composition root of a worker: creates the database, the services, the routes and the relay from the settings."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Self

import structlog
from fastapi import FastAPI

from transcription_proxy import offer
from transcription_proxy.accounts import reset
from transcription_proxy.accounts.emails import AccountEmails
from transcription_proxy.accounts.overlays import Overlays
from transcription_proxy.accounts.service import Accounts
from transcription_proxy.config import Settings
from transcription_proxy.db.capacity import shortage
from transcription_proxy.db.jobs import Jobs
from transcription_proxy.db.listen import listen
from transcription_proxy.db.notify import Notifier
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Unavailable
from transcription_proxy.ledger.lives import Life, dead_lives
from transcription_proxy.ledger.reaper import REAP_EVERY_SECONDS, Reaper
from transcription_proxy.ledger.service import Ledger
from transcription_proxy.ledger.watch import Watch
from transcription_proxy.mail.mailer import Mailer
from transcription_proxy.payments import notices, sandboxed
from transcription_proxy.payments.emails import BuyerEmails
from transcription_proxy.payments.fulfillment import RECEIPT
from transcription_proxy.payments.gateway import Gateway
from transcription_proxy.payments.reconcile import RECONCILE, RECONCILE_EVERY_SECONDS, Reconciler
from transcription_proxy.payments.service import CUSTOMER, REFUNDS, Payments
from transcription_proxy.relay.door import DoorProtocol, door
from transcription_proxy.relay.probe import answers
from transcription_proxy.relay.relay import RelayContext
from transcription_proxy.relay.settler import Settler
from transcription_proxy.relay.stages import NEWS, Stages
from transcription_proxy.relay.switchboard import Switchboard, TokenHolder
from transcription_proxy.relay.upstream import Dialler
from transcription_proxy.web import api
from transcription_proxy.web.services import Site

ENGINE_START_SECONDS: Final = 10.0
"""How long a dial waits for the built-in engine to start."""
END_SECONDS: Final = 20.0
"""How long live sessions may take to end at a shutdown, with their last words and their booking."""
TASK_RESTART_SECONDS: Final = 1.0
"""Pause before a background task that failed is started again."""
log = structlog.get_logger()


class Service:
    """Everything of one worker process. Inside `async with` its background tasks run.

    The supervisor has put its DATABASE_URL and DEEPGRAM_URL into `settings`, whatever the operator had set.
    """

    def __init__(self, settings: Settings, life: Life) -> None:
        builtin = os.environ.get("BUILTIN_ENGINE") == "1"
        sold = offer.load(settings, builtin_engine=builtin)
        self.database_url = settings.database_url or ""
        self._life = life
        self._data_dir = settings.data_dir
        self._workers = settings.workers
        self._database = Database(self.database_url, schema=settings.database_schema)
        self._ledger = Ledger(
            self._database, max_sessions=settings.max_sessions_per_user, max_streams=settings.upstream_max_streams
        )
        self._accounts = Accounts(
            self._database,
            secret=settings.jwt_secret,
            expiry=settings.jwt_expiry,
            trial_seconds=settings.trial_seconds,
        )
        self._settler = Settler(self._ledger)
        patience = ENGINE_START_SECONDS if builtin else 0
        dialler = Dialler(settings.deepgram_api_key, patience, settings.deepgram_proxy)
        overlays = Overlays(self._database, settings.public_url, NEWS)
        self._stages = Stages(life.id, Notifier(self._database), overlays)
        self._switchboard = Switchboard(
            verify=self._holder,
            ledger=self._ledger,
            rates=sold.rates,
            context=RelayContext(self._settler, dialler, settings.deepgram_url or ""),
            stages=self._stages,
            overlays=overlays,
            life=life.id,
            idle_seconds=settings.idle_minutes * 60,
        )
        self._reaper = Reaper(self._ledger, time.monotonic, time.time, lambda: self._settler.failures)
        self._begun = False
        self._tasks: list[asyncio.Task[None]] = []
        self.door: type[DoorProtocol] = door(self._switchboard)
        stripe = sandboxed.address(
            settings.data_dir, settings.stripe_secret_key, settings.stripe_api_base, settings.stripe_proxy
        )
        gateway = Gateway(stripe, settings.public_url, site_name=settings.site_name)
        payments = Payments(
            self._database,
            gateway,
            sold.packages,
            secrets=webhook_secrets(settings),
            credits_per_dollar=settings.credits_per_dollar if settings.topups else None,
            live_only=settings.production,
        )
        reconciler = Reconciler(self._database, gateway, payments)
        mailer = Mailer(
            settings.smtp_url,
            settings.mail_from,
            settings.public_url,
            settings.data_dir / "outbox",
            name=settings.site_name,
            support=settings.support_email,
        )
        emails = AccountEmails(self._database, mailer, settings.public_url)
        buyers = BuyerEmails(self._database, mailer, payments.fetch_receipt, settings.public_url)
        self._jobs = Jobs(
            self._database,
            {
                CUSTOMER: payments.create_customer,
                RECEIPT: payments.fetch_receipt,
                REFUNDS: payments.fetch_refunds,
                RECONCILE: reconciler.run_job,
            },
            {RECONCILE: RECONCILE_EVERY_SECONDS},
        )
        # separate from the other jobs, which run one by one: a mail server may be slow
        self._mail = Jobs(
            self._database,
            {
                reset.LINK_JOB: emails.send_reset_link,
                reset.NOTICE_JOB: emails.send_notice,
                notices.PAID: buyers.send_paid,
                notices.FAILED: buyers.send_failed,
                notices.TAKEN: buyers.send_taken,
            },
            {},
        )
        self.http: FastAPI = api.build(
            self._accounts,
            self._ledger,
            payments,
            Watch(self._ledger, lambda: self._settler.is_failing),
            overlays=overlays,
            stages=self._stages,
            rates=sold.rates,
            auth_rate_per_minute=settings.auth_rate_per_minute,
            trusted_proxies=settings.trusted_proxies,
            https_only=settings.production,
            site=Site(
                name=settings.site_name,
                public_url=settings.public_url,
                trial_seconds=settings.trial_seconds,
                sandbox=settings.sandbox,
                support_email=settings.support_email,
                terms_url=settings.terms_url,
                privacy_url=settings.privacy_url,
                refunds_url=settings.refunds_url,
                status_url=settings.status_url,
                source_url=settings.source_url,
                sessions_per_user=settings.max_sessions_per_user,
            ),
            ready=lambda: self._begun and not self._switchboard.draining,
            speech=partial(answers, settings.deepgram_url or "", settings.deepgram_api_key),
        )

    async def __aenter__(self) -> Self:
        await self._database.open()
        self._keep("settler", self._settler.run)
        self._keep("leases", self._settler.keep_leases)
        return self

    async def __aexit__(self, *_: object) -> None:
        left = await self._settler.finish(END_SECONDS)
        if left:
            log.error("sessions_not_booked", sessions=left)  # the reaper ends them with what was settled
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._database.close()
        if left or self._switchboard.relays:
            self._life.leave()
        else:
            self._life.release()

    async def begin(self) -> None:
        """End the sessions of dead processes, start the background tasks, and let sessions in.

        Call this once the database is there and migrated.
        """
        is_first = os.environ.get("WORKER_NUMBER", "0") == "0"  # one worker logs it for all
        if is_first and (lack := await shortage(self._database, self._workers)):
            log.warning("too_few_connections", detail=lack)
        await self._end_dead_lives()
        self._keep("reaper", self._reap)
        self._keep("jobs", self._jobs.run)
        self._keep("mail", self._mail.run)
        self._keep("listener", self._listen)
        self._keep("overlay_news", self._stages.announce)
        self._keep("overlay_lines", self._stages.pass_on)
        self._begun = True

    @property
    def live(self) -> bool:
        """Whether there are sessions whose end is not booked yet."""
        return bool(self._switchboard.relays)

    def drain(self) -> None:
        """Refuse new sessions from now on."""
        self._switchboard.drain()

    async def end(self) -> None:
        """End the live sessions, and return when they are booked, or after END_SECONDS."""
        self._switchboard.end_sessions()
        relays = [relay.finished for relay in self._switchboard.relays.values()]
        if relays:
            await asyncio.wait(relays, timeout=END_SECONDS)
        self._stages.end()

    async def _listen(self) -> None:
        stages = self._stages
        handlers = {
            "session_ending": self._switchboard.report_row_change,
            NEWS: stages.heard_news,
            stages.channel: stages.heard,
        }
        await listen(self.database_url, handlers, stages.listening)

    def _holder(self, token: str) -> TokenHolder:
        identity = self._accounts.verify_token(token)
        return TokenHolder(identity.user_id, identity.token_version, identity.login)

    async def _end_dead_lives(self) -> None:
        """End the sessions of dead processes that used the same DATA_DIR."""
        for life in dead_lives(self._data_dir):
            try:
                ended = await self._ledger.end_life(life.id)
            except BaseException:
                life.leave()
                raise
            life.release()
            if ended:
                log.warning("dead_process_sessions_ended", sessions=len(ended))

    async def _reap(self) -> None:
        while True:
            try:
                ended = await self._reaper.tick()
                await self._end_dead_lives()
            except Unavailable:
                log.warning("database_away")
            else:
                for session in ended:
                    log.warning("lease_expired", session=str(session.session_id))
            await asyncio.sleep(REAP_EVERY_SECONDS)

    def _keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` in the background until shutdown. If it fails, log that and start it again."""
        self._tasks.append(asyncio.create_task(_run_forever(name, work), name=name))


def webhook_secrets(settings: Settings) -> list[str]:
    """Return the secrets that may sign a webhook: those in the settings, and the sandbox's own if it is used."""
    here = sandboxed.load(settings.data_dir) if settings.sandbox else None
    return [*settings.stripe_webhook_secrets, *([here.webhook_secret] if here else [])]


async def _run_forever(name: str, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except Exception:
            log.exception("task_died", task=name)
        await asyncio.sleep(TASK_RESTART_SECONDS)

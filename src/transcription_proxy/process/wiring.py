"""The composition root of a worker: builds the database, the services, the relay and the routes from the settings."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from fastapi import FastAPI

from transcription_proxy import offer
from transcription_proxy.accounts import reset, trial
from transcription_proxy.accounts import store as accounts_store
from transcription_proxy.accounts.api_keys import ApiKeys, is_key
from transcription_proxy.accounts.emails import AccountEmails
from transcription_proxy.accounts.service import Accounts
from transcription_proxy.accounts.tokens import Granted
from transcription_proxy.accounts.trial import DISPOSABLE_DOMAINS, Trial, read_domains
from transcription_proxy.config import Settings
from transcription_proxy.db.jobs import Jobs
from transcription_proxy.db.notify import Notifier
from transcription_proxy.db.pool import Database
from transcription_proxy.db.rate_limits import PRUNE_EVERY_SECONDS, PRUNE_JOB, RateLimits
from transcription_proxy.ledger.reaper import Reaper
from transcription_proxy.ledger.service import Ledger
from transcription_proxy.ledger.watch import Watch
from transcription_proxy.mail.mailer import Mailer
from transcription_proxy.overlay import overlay_socket
from transcription_proxy.overlay.feeds import SHARED_CHANNEL, Feeds
from transcription_proxy.overlay.keys import Keys
from transcription_proxy.overlay.overlay_socket import OverlaySocket
from transcription_proxy.overlay.seats import Seats
from transcription_proxy.payments import notices, sandboxed
from transcription_proxy.payments.emails import BuyerEmails
from transcription_proxy.payments.fulfillment import RECEIPT
from transcription_proxy.payments.gateway import Gateway
from transcription_proxy.payments.reconcile import RECONCILE, RECONCILE_EVERY_SECONDS, Reconciler
from transcription_proxy.payments.service import CUSTOMER, REFUNDS, Payments
from transcription_proxy.process.lives import Life
from transcription_proxy.process.sampler import Sampler
from transcription_proxy.process.turns import Turns
from transcription_proxy.relay import caption_socket, listen_socket
from transcription_proxy.relay.caption_socket import CaptionSocket
from transcription_proxy.relay.door import DoorProtocol, Sockets, door
from transcription_proxy.relay.probe import answers
from transcription_proxy.relay.recordings import Recordings
from transcription_proxy.relay.relay import RelayContext
from transcription_proxy.relay.settler import Settler
from transcription_proxy.relay.switchboard import Switchboard, TokenHolder
from transcription_proxy.relay.upstream import Dialler
from transcription_proxy.stream.listen_request import V1
from transcription_proxy.web import api
from transcription_proxy.web.forwarding import UntrustedProxies
from transcription_proxy.web.services import Site

ENGINE_START_SECONDS: Final = 10.0
"""How long a dial waits for the built-in engine to start."""


BUILTIN_STREAMS_PER_CORE: Final = 4
"""Channels that the built-in engine carries on one core (transcription_engine/server.py)."""
OPENS_PER_MINUTE: Final = 60
"""Sessions that an account may try to open in a minute: many times what a client that redials does."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a worker, which its service starts and ends."""

    database: Database
    ledger: Ledger
    settler: Settler
    reaper: Reaper
    switchboard: Switchboard
    feeds: Feeds
    seats: Seats
    door: type[DoorProtocol]
    sampler: Sampler
    jobs: Jobs
    mail_jobs: Jobs
    """Separate from the other jobs, which run one by one: a mail server may be slow."""
    http: FastAPI


def build(settings: Settings, life: Life, is_ready: Callable[[], bool]) -> Parts:
    """Build a worker's parts. `is_ready`: whether it takes sessions. Raise ConfigError.

    The supervisor has put its DATABASE_URL and DEEPGRAM_URL into `settings`, whatever the operator had set.
    """
    builtin_engine = os.environ.get("BUILTIN_ENGINE") == "1"
    sold = offer.load(settings, builtin_engine=builtin_engine)
    database = Database(settings.database_url or "", schema=settings.database_schema)
    ledger = Ledger(
        database,
        accounts_store.may_open,
        max_sessions=settings.max_sessions_per_user,
        max_streams=_max_streams(settings, builtin_engine),
        max_diarized=settings.upstream_max_diarized,
    )
    limits = RateLimits(database)
    accounts = Accounts(database, secret=settings.jwt_secret, expiry=settings.jwt_expiry, trial=_trial(settings))
    api_keys = ApiKeys(database)
    overlay_keys = Keys(database, settings.public_url, SHARED_CHANNEL)
    feeds = Feeds(life.id, Notifier(database), overlay_keys)
    seats = Seats(database, life.id)
    settler = Settler(ledger)
    dialler = Dialler(settings.deepgram_api_key, ENGINE_START_SECONDS if builtin_engine else 0, settings.deepgram_proxy)
    switchboard = Switchboard(
        verify=partial(_holder_of, accounts, api_keys),
        ledger=ledger,
        rates=sold.rates,
        context=RelayContext(settler, dialler, settings.deepgram_url or ""),
        feeds=feeds,
        life=life.id,
        idle_seconds=settings.idle_minutes * 60,
        limits=limits,
        opens_per_minute=max(OPENS_PER_MINUTE, 4 * settings.max_sessions_per_user),
    )
    sockets: Sockets = {
        caption_socket.PATH: partial(CaptionSocket, switchboard),
        overlay_socket.PATH: partial(OverlaySocket, switchboard, feeds, overlay_keys, seats),
    }
    recordings = Recordings(
        switchboard,
        settings.deepgram_api_key,
        max_bytes=settings.max_recording_mb << 20,
        proxy=settings.deepgram_proxy,
    )
    gateway = _gateway(settings)
    payments = Payments(
        database,
        gateway,
        sold.packages,
        secrets=_webhook_secrets(settings),
        credits_per_dollar=settings.credits_per_dollar if settings.topups else None,
        live_only=settings.production,
    )
    watch = Watch(ledger, lambda: settler.is_failing)
    http = api.build(
        accounts,
        api_keys,
        ledger,
        payments,
        watch,
        overlay_keys=overlay_keys,
        feeds=feeds,
        seats=seats,
        rates=sold.rates,
        limits=limits,
        auth_rate_per_minute=settings.auth_rate_per_minute,
        trusted_proxies=settings.trusted_proxies,
        untrusted_proxies=UntrustedProxies(settings.data_dir),
        https_only=settings.production,
        metrics_token=settings.metrics_token,
        site=_site(settings),
        ready=is_ready,
        speech=partial(answers, settings.deepgram_url or "", settings.deepgram_api_key),
        recordings=recordings,
    )
    return Parts(
        database,
        ledger,
        settler,
        Reaper(ledger, time.monotonic, time.time, lambda: settler.failures),
        switchboard,
        feeds,
        seats,
        door(
            sockets,
            settings.trusted_proxies,
            listen_socket.sockets(switchboard),
            {V1.encode(): 2 * recordings.max_bytes},
        ),
        Sampler(switchboard, watch, Turns()),
        _jobs(database, gateway, payments, limits),
        _mail_jobs(settings, database, payments),
        http,
    )


def _max_streams(settings: Settings, builtin_engine: bool) -> int:
    """Return how many streams the upstream allows, so that the ledger knows when they run short."""
    most = settings.upstream_max_streams
    return min(most, BUILTIN_STREAMS_PER_CORE * (os.cpu_count() or 1)) if builtin_engine else most


async def _holder_of(accounts: Accounts, keys: ApiKeys, token: str) -> TokenHolder:
    if is_key(token):
        holder = await keys.authenticate(token)
        return TokenHolder(holder.user.id, holder.user.token_version, key_id=holder.key_id, models=holder.models)
    identity = accounts.verify_token(token)
    granted = identity.granted or Granted()
    return TokenHolder(
        identity.user_id, identity.token_version, identity.login, key_id=granted.key_id, models=granted.models
    )


def _gateway(settings: Settings) -> Gateway:
    stripe = sandboxed.address(
        settings.data_dir, settings.stripe_secret_key, settings.stripe_api_base, settings.stripe_proxy
    )
    return Gateway(stripe, settings.public_url, site_name=settings.site_name)


def _webhook_secrets(settings: Settings) -> list[str]:
    """Return the secrets that may sign a webhook: those in the settings, and the sandbox's own if it is used."""
    here = sandboxed.load(settings.data_dir) if settings.sandbox else None
    return [*settings.stripe_webhook_secrets, *([here.webhook_secret] if here else [])]


def _trial(settings: Settings) -> Trial:
    file = settings.disposable_domains_file
    domains = DISPOSABLE_DOMAINS if file is None else read_domains(file.read_text())
    return Trial(settings.trial_seconds, _needs_confirmation(settings), domains)


def _needs_confirmation(settings: Settings) -> bool:
    return settings.production and settings.trial_seconds > 0


def _site(settings: Settings) -> Site:
    return Site(
        name=settings.site_name,
        public_url=settings.public_url,
        trial_seconds=settings.trial_seconds,
        trial_needs_confirmation=_needs_confirmation(settings),
        sandbox=settings.sandbox,
        support_email=settings.support_email,
        terms_url=settings.terms_url,
        privacy_url=settings.privacy_url,
        refunds_url=settings.refunds_url,
        status_url=settings.status_url,
        source_url=settings.source_url,
        sessions_per_user=settings.max_sessions_per_user,
    )


def _jobs(database: Database, gateway: Gateway, payments: Payments, limits: RateLimits) -> Jobs:
    work = {
        CUSTOMER: payments.create_customer,
        RECEIPT: payments.fetch_receipt,
        REFUNDS: payments.fetch_refunds,
        RECONCILE: Reconciler(database, gateway, payments).run_job,
        PRUNE_JOB: limits.prune,
    }
    return Jobs(database, work, {RECONCILE: RECONCILE_EVERY_SECONDS, PRUNE_JOB: PRUNE_EVERY_SECONDS})


def _mail_jobs(settings: Settings, database: Database, payments: Payments) -> Jobs:
    mailer = Mailer(
        settings.smtp_url,
        settings.mail_from,
        settings.public_url,
        settings.data_dir / "outbox",
        name=settings.site_name,
        support=settings.support_email,
    )
    account_emails = AccountEmails(
        database, mailer, settings.public_url, secret=settings.jwt_secret, trial_seconds=settings.trial_seconds
    )
    buyer_emails = BuyerEmails(database, mailer, payments.fetch_receipt, settings.public_url)
    work = {
        reset.LINK_JOB: account_emails.send_reset_link,
        trial.LINK_JOB: account_emails.send_confirmation,
        reset.NOTICE_JOB: account_emails.send_notice,
        notices.PAID: buyer_emails.send_paid,
        notices.FAILED: buyer_emails.send_failed,
        notices.TAKEN: buyer_emails.send_taken,
    }
    return Jobs(database, work, {})

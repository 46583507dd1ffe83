"""`doctor`: checks everything that the service needs, and says how to fix what is wrong."""

import asyncio
import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import typer

from transcription_proxy import offer
from transcription_proxy.cli import settings_table
from transcription_proxy.cli.services import CommandServices, Json, with_services
from transcription_proxy.cli.tables import one_line, print_json, print_table
from transcription_proxy.clients import is_trusted
from transcription_proxy.config import Settings, load
from transcription_proxy.db.capacity import shortage
from transcription_proxy.errors import ConfigError, Unavailable
from transcription_proxy.payments import sandboxed
from transcription_proxy.process.address import site
from transcription_proxy.web.forwarding import last_untrusted

REACH_SECONDS: Final = 5.0
"""How long the upstream may take to open and close a stream."""
SPACE_GIB: Final = 0.5
"""Free disk space below which the check fails."""


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check, with a sentence about it."""

    name: str
    ok: bool
    detail: str


def doctor(as_json: Json = False) -> None:
    """Check that everything the service needs is working.

    Covers settings, prices, database, ledger, payments, engine, mail and disk. Exit status 1 if there is a problem.

    Example: transcription-proxy doctor
    """
    settings, problems = _load()
    checks = _checks(settings) if settings else [Check("settings", False, problem) for problem in problems]
    if as_json:
        print_json(checks)
    else:
        print_table(settings_table.COLUMNS, settings_table.rows(settings, problems), "")
        typer.echo()
        for check in checks:
            typer.echo(f"{'ok     ' if check.ok else 'PROBLEM'} {check.name}: {check.detail}")
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


def _load() -> tuple[Settings | None, list[str]]:
    """Return the settings, or None and what is wrong with them."""
    try:
        return load(), []
    except ConfigError as error:
        return None, error.problems


def _checks(settings: Settings) -> list[Check]:
    mode = "production" if settings.production else "development"
    return [
        Check("settings", True, f"{mode}, {site(settings)[0]}"),
        _tried("packages and rates", lambda: _prices(settings)),
        _tried("database", lambda: with_services(_database)),
        _tried("payments", lambda: _payments(settings)),
        _tried("speech engine", lambda: _speech(settings)),
        _tried("mail", lambda: _mail(settings)),
        *([_tried("what buyers look for", lambda: _trust(settings))] if settings.production else []),
        *_forwarding(settings),
        _disk(settings.data_dir),
    ]


def _prices(settings: Settings) -> str:
    if problems := offer.problems(settings):
        raise ConfigError(problems)
    found = offer.warnings(settings, datetime.now(UTC).date())
    return "; ".join(found) if found else "valid, and nothing sells at a loss unless allowed"


def _tried(name: str, look: Callable[[], str]) -> Check:
    """Run a check that returns a sentence, or raises ConfigError, Unavailable or OSError."""
    try:
        return Check(name, True, look())
    except ConfigError as error:
        return Check(name, False, " ".join(error.problems))
    except (Unavailable, OSError) as error:
        return Check(name, False, one_line(error))


async def _database(services: CommandServices) -> str:
    findings = (await services.audit()).findings
    wrong = [finding for finding in findings if finding.severity == "error"]
    if wrong:
        raise Unavailable(f"the ledger has {len(wrong)} errors. Run transcription-proxy ledger audit")
    if lack := await shortage(services.database, services.settings.workers):
        raise Unavailable(lack)
    return f"connected and up to date, {await services.ledger.live_count()} live sessions, ledger correct"


def _payments(settings: Settings) -> str:
    if settings.sandbox:
        return "Stripe sandbox, no real money"
    endpoint = f"{site(settings)[0]}/webhooks/stripe"
    lacking = asyncio.run(_lacking(settings, endpoint))
    if lacking:
        raise Unavailable(f"Stripe doesn't send {', '.join(lacking)} to {endpoint}. Add it in the Stripe dashboard")
    return f"Stripe accepts the key and sends all needed events to {endpoint}"


async def _lacking(settings: Settings, endpoint: str) -> list[str]:
    """Return the needed events that Stripe would not send to our endpoint."""
    from transcription_proxy.payments.gateway import Gateway, StripeAway  # noqa: PLC0415 - slow to import
    from transcription_proxy.payments.translate import NEEDED  # noqa: PLC0415

    address = sandboxed.address(
        settings.data_dir, settings.stripe_secret_key, settings.stripe_api_base, settings.stripe_proxy
    )
    try:
        endpoints = await Gateway(address, settings.public_url).webhook_endpoints()
    except StripeAway:
        raise Unavailable(
            "Stripe didn't respond, or rejected the key. Check STRIPE_SECRET_KEY and the network"
        ) from None
    sent = {
        event
        for one in endpoints
        if one.get("url") == endpoint and one.get("status") == "enabled"
        for event in one.get("enabled_events", [])
    }
    return [] if "*" in sent else [event for event in NEEDED if event not in sent]


def _speech(settings: Settings) -> str:
    if settings.deepgram_url is None:
        if importlib.util.find_spec("moonshine_voice") is None:
            raise Unavailable("the built-in engine isn't installed. Run make setup")
        return "built in, English"
    return asyncio.run(_opened(settings, settings.deepgram_url))


async def _opened(settings: Settings, url: str) -> str:
    """Open a stream as a session does, and close it before any audio. Raise Unavailable."""
    from transcription_proxy.relay.upstream import DialFailed  # noqa: PLC0415 - slow to import

    place = urlsplit(url).netloc
    key = "" if settings.deepgram_api_key else ", without DEEPGRAM_API_KEY"
    try:
        async with asyncio.timeout(REACH_SECONDS):
            await _converse(settings, url)
    except DialFailed as failure:
        raise Unavailable(_refusal(place, failure.status, failure.detail, key)) from None
    except TimeoutError:
        raise Unavailable(
            f"{place} didn't open and close a stream within {REACH_SECONDS:g} s{key}. Check DEEPGRAM_URL"
        ) from None
    return f"{place} opened a stream and closed it{key}"


async def _converse(settings: Settings, url: str) -> None:
    """Wait until the upstream has answered CloseStream, by a message or by closing the socket. Raise DialFailed."""
    from transcription_proxy.relay.upstream import Dialler  # noqa: PLC0415 - slow to import
    from transcription_proxy.stream import deepgram, options  # noqa: PLC0415

    rates = offer.load(settings, builtin_engine=False).rates
    answered = asyncio.Event()
    target = deepgram.request_target(url, options.read(None, rates).query, "doctor")
    dialler = Dialler(settings.deepgram_api_key, 0, settings.deepgram_proxy)
    upstream = await dialler.dial(target, lambda event: answered.set())
    try:
        upstream.start_reporting()
        upstream.send_text(deepgram.CLOSE_STREAM)
        await answered.wait()
    finally:
        upstream.close()


def _refusal(place: str, status: int | None, detail: str, key: str) -> str:
    if status is None:
        return f"can't reach {place} ({detail}){key}. Check DEEPGRAM_URL and the network"
    said = f'{status} "{detail}"' if detail else str(status)
    what = "DEEPGRAM_API_KEY" if status in (401, 402, 403) else "DEEPGRAM_URL"
    return f"{place} refused a stream with {said}{key}. Check {what}"


def _mail(settings: Settings) -> str:
    from transcription_proxy.mail.mailer import Mailer, NotSent  # noqa: PLC0415 - slow to import

    if settings.production and settings.trial_seconds and settings.smtp_url is None:
        raise Unavailable("nobody gets TRIAL_SECONDS, because confirmation mails need SMTP_URL. Set it")
    outbox = settings.data_dir / "outbox"
    try:
        place = asyncio.run(Mailer(settings.smtp_url, settings.mail_from, settings.public_url, outbox).check())
    except NotSent as error:
        raise Unavailable(f"the mail server rejected the login ({error}). Check SMTP_URL and the network") from None
    return f"sent to {place}" + ("" if settings.smtp_url else " because SMTP_URL isn't set")


def _trust(settings: Settings) -> str:
    """Check the links that buyers look for before they pay, and that Stripe requires of a seller."""
    pages = {
        "terms": ("TERMS_URL", settings.terms_url),
        "privacy policy": ("PRIVACY_URL", settings.privacy_url),
        "refund policy": ("REFUNDS_URL", settings.refunds_url),
        "contact": ("SUPPORT_EMAIL", settings.support_email),
    }
    missing = [f"{name} (set {setting})" for name, (setting, value) in pages.items() if not value]
    if missing:
        raise Unavailable(f"the pages link to no {', no '.join(missing)}")
    return f"the pages link to {', '.join(pages)}"


def _forwarding(settings: Settings) -> list[Check]:
    """Check whether a proxy that TRUSTED_PROXIES does not name sends X-Forwarded-For.

    Anybody on the internet may send one, so only a peer in a private network, which must be a proxy, is a problem."""
    peer = last_untrusted(settings.data_dir)
    if peer is None or is_trusted(ip_address(peer), settings.trusted_proxies):
        return []
    detail = f"{peer} sends X-Forwarded-For, and isn't in TRUSTED_PROXIES. If it is your proxy, all clients share its"
    return [Check("client addresses", not ip_address(peer).is_private, f"{detail} limits: add {peer}")]


def _disk(data_dir: Path) -> Check:
    place = next(folder for folder in (data_dir, *data_dir.parents) if folder.exists())
    free = shutil.disk_usage(place).free / (1 << 30)
    enough = free >= SPACE_GIB
    return Check("disk", enough, f"{free:.1f} GiB free in {place}" + ("" if enough else ". Free up some space"))

"""The table of all settings that `doctor` prints: value, source, and what is wrong. It shows no secret."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from dotenv import dotenv_values

from transcription_proxy.config import PROJECT, Settings, environment
from transcription_proxy.secret_files import SECRETS, file_setting

NAMES: Final = (
    "APP_ENV",
    "HOST",
    "PORT",
    "PUBLIC_URL",
    "SITE_NAME",
    "DATA_DIR",
    "TRUSTED_PROXIES",
    "WORKERS",
    "KEEP_ALIVE_SECONDS",
    "DRAIN_SECONDS",
    "IDLE_MINUTES",
    "LOG_LEVEL",
    "METRICS_TOKEN",
    "DATABASE_URL",
    "DATABASE_SCHEMA",
    "JWT_SECRET",
    "JWT_EXPIRY",
    "AUTH_RATE_PER_MINUTE",
    "MAX_SESSIONS_PER_USER",
    "TRIAL_SECONDS",
    "DISPOSABLE_DOMAINS_FILE",
    "DEEPGRAM_API_KEY",
    "DEEPGRAM_URL",
    "UPSTREAM_MAX_STREAMS",
    "UPSTREAM_MAX_DIARIZED",
    "MAX_RECORDING_MB",
    "RATES_FILE",
    "STRIPE_SECRET_KEY",
    "STRIPE_WEBHOOK_SECRET",
    "STRIPE_API_BASE",
    "SANDBOX_PORT",
    "PACKAGES_FILE",
    "ALLOW_LOSS_MAKING_PACKAGES",
    "TOPUPS",
    "CREDITS_PER_DOLLAR",
    "SMTP_URL",
    "MAIL_FROM",
    "SUPPORT_EMAIL",
    "TERMS_URL",
    "PRIVACY_URL",
    "REFUNDS_URL",
    "STATUS_URL",
    "SOURCE_URL",
)
HIDDEN: Final = "(set)"
COLUMNS: Final = ("setting", "value", "from", "problem")


def sources(project: Path = PROJECT) -> dict[str, tuple[str, str]]:
    """Return value and source of every variable that is set: "environment", ".env", or the file of a secret."""
    file = {name for name, value in dotenv_values(project / ".env").items() if value is not None}
    merged = environment(project)
    found = {}
    for name, value in merged.items():
        place = "environment" if name in os.environ or name not in file else ".env"
        plain = name.removesuffix("_FILE")
        if value.strip() and name == file_setting(plain) and plain in SECRETS:
            found[plain] = (value, f"file {value}, from {place}")
        elif value.strip():
            found[name] = (value, place)
    return found


def rows(settings: Settings | None, problems: Sequence[str]) -> list[tuple[str, str, str, str]]:
    """Return a row for each setting. `settings` None: they are not usable, and `problems` says why."""
    given = sources()
    return [
        (
            name,
            _given(name, given[name][0]) if name in given else _default(name, settings),
            given[name][1] if name in given else "default",
            "; ".join(problem for problem in problems if problem.split()[0].removesuffix("_FILE") == name),
        )
        for name in NAMES
    ]


def _given(name: str, value: str) -> str:
    if name in ("DATABASE_URL", "SMTP_URL") and "://" in value:
        return _host(value)
    return HIDDEN if name in SECRETS else value


def _host(url: str) -> str:
    """Return a URL without user, password and query. What cannot be taken apart is hidden."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    except ValueError:
        return HIDDEN


def _default(name: str, settings: Settings | None) -> str:
    value: Any = getattr(settings, name.lower(), None)
    if name == "JWT_SECRET" and value:
        return "(generated in DATA_DIR)"
    if name == "APP_ENV":
        return "development"
    return "-" if value in (None, "", ()) else str(value)

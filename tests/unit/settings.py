"""Environments for tests of the settings."""

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from transcription_proxy.config import PROJECT, Settings, load
from transcription_proxy.errors import ConfigError

SECRET = "a secret of the tests, 32 bytes and more"
BASE = {"JWT_SECRET": SECRET}
PRODUCTION = {
    "APP_ENV": "production",
    "JWT_SECRET": SECRET,
    "DATABASE_URL": "postgresql://captions:hunter2@db/captions",
    "DEEPGRAM_API_KEY": "dg-key-hunter2",
    "STRIPE_SECRET_KEY": "sk_live_hunter2",
    "STRIPE_WEBHOOK_SECRET": "whsec_hunter2",
    "PUBLIC_URL": "https://captions.example.org",
}


def settings(**env: str) -> Settings:
    return load({**BASE, **env})


def problems(env: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as error:
        load(env)
    return error.value.problems


GOOD: list[tuple[str, str, str, Any]] = [
    ("PORT", "1", "port", 1),
    ("PORT", " 65535 ", "port", 65535),
    ("HOST", "0.0.0.0", "host", "0.0.0.0"),
    ("HOST", "::", "host", "::"),
    ("APP_ENV", "development", "production", False),
    ("APP_ENV", "Development", "production", False),
    ("DATA_DIR", "/var/lib/captions", "data_dir", Path("/var/lib/captions")),
    ("DATABASE_URL", "postgresql://me:pass@db:5432/captions", "database_url", "postgresql://me:pass@db:5432/captions"),
    ("DATABASE_URL", "postgres://db/captions", "database_url", "postgres://db/captions"),
    ("DATABASE_URL", "postgresql:///db?host=/run/pg", "database_url", "postgresql:///db?host=/run/pg"),
    ("DATABASE_URL", "postgresql://one:1,two:2/db", "database_url", "postgresql://one:1,two:2/db"),
    ("DATABASE_SCHEMA", "captions", "database_schema", "captions"),
    ("DATABASE_SCHEMA", "_c" + "1" * 61, "database_schema", "_c" + "1" * 61),
    ("PUBLIC_URL", "https://captions.example.org/", "public_url", "https://captions.example.org"),
    ("PUBLIC_URL", "http://localhost:3000", "public_url", "http://localhost:3000"),
    ("PUBLIC_URL", "http://127.0.0.1:3000", "public_url_given", True),
    ("JWT_SECRET", "short", "jwt_secret", "short"),
    ("JWT_EXPIRY", "7d", "jwt_expiry", timedelta(days=7)),
    ("JWT_EXPIRY", "12h", "jwt_expiry", timedelta(hours=12)),
    ("JWT_EXPIRY", "30m", "jwt_expiry", timedelta(minutes=30)),
    ("JWT_EXPIRY", "45s", "jwt_expiry", timedelta(seconds=45)),
    ("JWT_EXPIRY", "3600", "jwt_expiry", timedelta(hours=1)),
    ("JWT_EXPIRY", "36500d", "jwt_expiry", timedelta(days=36_500)),
    ("AUTH_RATE_PER_MINUTE", "1", "auth_rate_per_minute", 1),
    ("MAX_SESSIONS_PER_USER", "1000", "max_sessions_per_user", 1000),
    ("DEEPGRAM_API_KEY", "key", "deepgram_api_key", "key"),
    ("DEEPGRAM_API_KEY", "key", "deepgram_url", "wss://api.deepgram.com"),
    ("DEEPGRAM_API_KEY", "key", "builtin_engine", False),
    ("DEEPGRAM_URL", "ws://127.0.0.1:9/", "deepgram_url", "ws://127.0.0.1:9"),
    ("DEEPGRAM_URL", "https://stt.example.org", "deepgram_url", "wss://stt.example.org"),
    ("DEEPGRAM_URL", "ws://127.0.0.1:9", "builtin_engine", False),
    ("LOG_LEVEL", "info", "builtin_engine", True),
    ("UPSTREAM_MAX_STREAMS", "1", "upstream_max_streams", 1),
    ("UPSTREAM_MAX_DIARIZED", "7", "upstream_max_diarized", 7),
    ("MAX_RECORDING_MB", "10", "max_recording_mb", 10),
    ("TRIAL_SECONDS", "0", "trial_seconds", 0),
    ("TRIAL_SECONDS", "1000000", "trial_seconds", 1_000_000),
    ("STRIPE_SECRET_KEY", "sk_test_x", "trial_seconds", 0),  # with real money nothing is given away by default
    ("STRIPE_SECRET_KEY", "sk_test_x", "stripe_secret_key", "sk_test_x"),
    ("STRIPE_SECRET_KEY", "sk_test_x", "sandbox", False),
    ("SANDBOX_PORT", "3001", "sandbox_port", 3001),
    ("SANDBOX_PORT", "0", "sandbox_port", None),
    ("STRIPE_WEBHOOK_SECRET", "whsec_x", "stripe_webhook_secrets", ("whsec_x",)),
    ("STRIPE_WEBHOOK_SECRET", " whsec_new,,whsec_old , ", "stripe_webhook_secrets", ("whsec_new", "whsec_old")),
    ("STRIPE_WEBHOOK_SECRET", "whsec_x", "sandbox", True),
    ("STRIPE_API_BASE", "http://127.0.0.1:12111/", "stripe_api_base", "http://127.0.0.1:12111"),
    ("STRIPE_API_BASE", "https://stripe.example.org/v1", "stripe_api_base", "https://stripe.example.org"),
    ("TOPUPS", "true", "topups", True),
    ("TOPUPS", "Yes", "topups", True),
    ("TOPUPS", "1", "topups", True),
    ("TOPUPS", "false", "topups", False),
    ("TOPUPS", "NO", "topups", False),
    ("TOPUPS", "0", "topups", False),
    ("CREDITS_PER_DOLLAR", "1", "credits_per_dollar", 1),
    ("ALLOW_LOSS_MAKING_PACKAGES", "true", "allow_loss_making_packages", True),
    ("PACKAGES_FILE", str(PROJECT / "pyproject.toml"), "packages_file", PROJECT / "pyproject.toml"),
    ("SMTP_URL", "smtp://localhost:25", "smtp_url", "smtp://localhost:25"),
    ("SMTP_URL", "smtps://me:pass@mail.example.org", "smtp_url", "smtps://me:pass@mail.example.org"),
    ("SMTP_URL", "smtp://a%40b:p%2Fw@[::1]:25/", "smtp_url", "smtp://a%40b:p%2Fw@[::1]:25/"),
    ("MAIL_FROM", "captions@example.org", "mail_from", "captions@example.org"),
    ("MAIL_FROM", "Jürgen, live <j.o+x@example.org>", "mail_from", "Jürgen, live <j.o+x@example.org>"),
    ("MAIL_FROM", "<captions@example.org>", "mail_from", "<captions@example.org>"),
    ("MAIL_FROM", '"Captions, live" <c@example.org>', "mail_from", '"Captions, live" <c@example.org>'),
    ("SUPPORT_EMAIL", "help@example.org", "support_email", "help@example.org"),
    ("TERMS_URL", "https://example.org/terms/", "terms_url", "https://example.org/terms/"),
    ("PRIVACY_URL", "http://localhost/privacy", "privacy_url", "http://localhost/privacy"),
    ("REFUNDS_URL", "https://example.org/refunds", "refunds_url", "https://example.org/refunds"),
    ("STATUS_URL", "https://status.example.org", "status_url", "https://status.example.org"),
    ("SITE_NAME", " Café <&> Captions ", "site_name", "Café <&> Captions"),
    ("SITE_NAME", "x" * 60, "site_name", "x" * 60),
    ("SOURCE_URL", "https://git.example.org/captions", "source_url", "https://git.example.org/captions"),
    ("METRICS_TOKEN", "a token", "metrics_token", "a token"),
    ("DISPOSABLE_DOMAINS_FILE", str(PROJECT / "LICENSE"), "disposable_domains_file", PROJECT / "LICENSE"),
    ("RATES_FILE", str(PROJECT / "pyproject.toml"), "rates_file", PROJECT / "pyproject.toml"),
    ("TRUSTED_PROXIES", "127.0.0.1", "trusted_proxies", (ip_network("127.0.0.1"),)),
    (
        "TRUSTED_PROXIES",
        "10.0.0.0/8, ::1 ,fd00::/8,",
        "trusted_proxies",
        tuple(map(ip_network, ("10.0.0.0/8", "::1", "fd00::/8"))),
    ),
    ("WORKERS", "64", "workers", 64),
    ("KEEP_ALIVE_SECONDS", "1", "keep_alive_seconds", 1),
    ("DRAIN_SECONDS", "0", "drain_seconds", 0),
    ("DRAIN_SECONDS", "1.5", "drain_seconds", 1.5),
    ("IDLE_MINUTES", "0.05", "idle_minutes", 0.05),
    ("LOG_LEVEL", "debug", "log_level", "debug"),
    ("LOG_LEVEL", "WARNING", "log_level", "warning"),
]

"""Every setting: what it is when nobody sets it, what it takes, and what it says of anything else."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.settings import BASE, GOOD, PRODUCTION, SECRET, problems, settings
from transcription_proxy import config
from transcription_proxy.config import PROJECT, Settings, load


def test_with_nothing_set_everything_has_a_default(tmp_path: Path) -> None:
    assert settings(DATA_DIR=str(tmp_path)) == Settings(
        host="127.0.0.1",
        port=3000,
        production=False,
        data_dir=tmp_path,
        database_url=None,
        database_schema=None,
        public_url="http://127.0.0.1:3000",
        public_url_given=False,
        jwt_secret=SECRET,
        jwt_expiry=timedelta(days=7),
        auth_rate_per_minute=10,
        max_sessions_per_user=2,
        stripe_secret_key=None,
        stripe_webhook_secrets=(),
        stripe_api_base=None,
        stripe_proxy=None,
        sandbox_port=None,
        topups=False,
        credits_per_dollar=1000,
        packages_file=None,
        allow_loss_making_packages=False,
        deepgram_api_key=None,
        deepgram_url=None,
        deepgram_proxy=None,
        upstream_max_streams=150,
        upstream_max_diarized=50,
        max_recording_mb=2048,
        trial_seconds=600,
        disposable_domains_file=None,
        rates_file=None,
        trusted_proxies=(),
        smtp_url=None,
        mail_from=None,
        source_url=None,
        support_email=None,
        terms_url=None,
        refunds_url=None,
        status_url=None,
        site_name="Live Captions",
        privacy_url=None,
        metrics_token=None,
        workers=1,
        keep_alive_seconds=75,
        drain_seconds=30,
        idle_minutes=15,
        log_level="info",
    )


def test_the_data_lie_in_the_projects_folder_whatever_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings().data_dir == PROJECT / ".data"
    assert (PROJECT / "pyproject.toml").exists()


@pytest.mark.parametrize(("name", "value", "attribute", "expected"), GOOD)
def test_a_good_value_is_taken(name: str, value: str, attribute: str, expected: object) -> None:
    assert getattr(settings(**{name: value}), attribute) == expected


BAD: list[tuple[str, list[str], str]] = [
    ("PORT", ["0", "65536", "-1", "3000.5", "http", "0x10", "9" * 5000], "a whole number from 1 to 65535"),
    ("SITE_NAME", ["x" * 61, "a\nb", "a\0b", "a\u202eb"], "1 to 60 printable characters"),
    ("APP_ENV", ["prod", "staging", "1"], "development or production"),
    ("DATABASE_SCHEMA", ["1a", "a-b", 'a"b', "A b", "a" * 64, "a;drop"], "a plain lower-case name"),
    ("JWT_EXPIRY", ["0", "0d", "-1d", "d", "7 days", "1.5h", "7w", "36501d", "999999999d", "9" * 30], "such as 7d"),
    ("AUTH_RATE_PER_MINUTE", ["0", "many", "1000001"], "a whole number from 1 to 1000000"),
    ("MAX_SESSIONS_PER_USER", ["0", "1001", "two"], "a whole number from 1 to 1000"),
    ("UPSTREAM_MAX_STREAMS", ["0", "-5", "x"], "a whole number from 1 to 1000000"),
    ("UPSTREAM_MAX_DIARIZED", ["0", "x"], "a whole number from 1 to 1000000"),
    ("MAX_RECORDING_MB", ["0", "2 GB"], "a whole number from 1 to 1000000"),
    ("TRIAL_SECONDS", ["-1", "10m", "1000001"], "a whole number from 0 to 1000000"),
    ("RATES_FILE", ["/nowhere/rates.toml", "/"], "a file that exists"),
    ("PACKAGES_FILE", ["/nowhere/packages.toml", "/"], "a file that exists"),
    ("TOPUPS", ["maybe", "2", "truefalse", "t"], "true or false"),
    ("ALLOW_LOSS_MAKING_PACKAGES", ["please", "-1"], "true or false"),
    ("CREDITS_PER_DOLLAR", ["0", "-1", "1e3", "1000001"], "a whole number from 1 to 1000000"),
    (
        "MAIL_FROM",
        ["captions", "a@b, c@d", "a b@c", "<a@b", "a@b>", "A <a@b> B", "A\nBcc: x <a@b>", "A\x01 <a@b>"],
        "an email address",
    ),
    ("MAIL_FROM", ["a@bücher.example", "ä@b.example", "A <a..b@c>", "(a)@b", "a@[::1]", "A <>"], "an email address"),
    ("SUPPORT_EMAIL", ["help", "@example.org", "help@", "Help <help@example.org>"], "an email address"),
    ("TRUSTED_PROXIES", ["proxy.example.org", "10.0.0.0/33", "10.0.0.1/8", "1.2.3.4;5.6.7.8"], "addresses or networks"),
    ("WORKERS", ["0", "65", "auto"], "a whole number from 1 to 64"),
    ("KEEP_ALIVE_SECONDS", ["0", "3601", "75s"], "a number from 1 to 3600"),
    ("DRAIN_SECONDS", ["-1", "3601", "nan", "inf", "30s"], "a number from 0 to 3600"),
    ("IDLE_MINUTES", ["0", "1441", "nan", "x"], "a number from 0.01 to 1440"),
    ("LOG_LEVEL", ["trace", "20"], "debug or info or warning or error"),
]


@pytest.mark.parametrize(("name", "value", "meaning"), [(name, bad, why) for name, all_, why in BAD for bad in all_])
def test_a_bad_value_is_named_shown_and_told_what_it_must_be(name: str, value: str, meaning: str) -> None:
    [problem] = problems({**BASE, name: value})
    assert problem.startswith(f"{name} must be ")
    assert meaning in problem
    assert problem.endswith(f", not {value!r}")


BAD_URLS: list[tuple[str, list[str], str]] = [
    ("DATABASE_URL", ["mysql://me:hunter2@db/x", "db:5432", "postgresql://", "postgresql:///hunter2"], "postgresql://"),
    ("DEEPGRAM_URL", ["ftp://hunter2@x", "api.deepgram.com", "wss://", "wss://[hunter2"], "wss://"),
    ("PUBLIC_URL", ["captions.example.org", "https://", "ftp://hunter2@x", "//x"], "https://"),
    ("PUBLIC_URL", ["https://x/captions", "https://x?hunter2"], "https:// or http://, then a host, and no path"),
    ("STRIPE_API_BASE", ["api.stripe.com", "wss://hunter2@x", "https://"], "https://"),
    ("SMTP_URL", ["mail.example.org:25", "https://hunter2@x", "smtp://", "smtp://:25", "smtp://x:port"], "smtp://"),
    ("SMTP_URL", ["smtp://x:70000", "smtp://x:0", "smtp://x/y", "smtp://x?y", "smtp://[x"], "smtp://"),
    ("SMTP_URL", ["smtp://me@x", "smtp://me:@x", "smtp://:hunter2@x", "smtp://me:hunt#er2@x"], "smtp://"),
    ("SOURCE_URL", ["git@example.org:captions", "javascript:alert(1)"], "https://"),
    ("TERMS_URL", ["/terms", "javascript:alert(1)"], "https://"),
    ("PRIVACY_URL", ["/privacy", "data:text/html,x"], "https://"),
    ("REFUNDS_URL", ["/refunds"], "https://"),
    ("STATUS_URL", ["/status"], "https://"),
]


@pytest.mark.parametrize(("name", "value", "scheme"), [(name, bad, s) for name, all_, s in BAD_URLS for bad in all_])
def test_a_bad_url_is_named_but_not_shown_it_may_hold_a_password(name: str, value: str, scheme: str) -> None:
    [problem] = problems({**BASE, name: value})
    assert problem.startswith(f"{name} must be a URL that starts with {scheme}")
    assert "hunter2" not in problem


def test_a_proxy_of_the_environment_leads_to_what_is_elsewhere_only() -> None:
    proxy = "http://proxy.example.org:3128"
    outside = {"DEEPGRAM_API_KEY": "key", "STRIPE_SECRET_KEY": "sk_test_x"}
    assert settings(HTTPS_PROXY=proxy).deepgram_proxy is None
    found = settings(HTTPS_PROXY=proxy, NO_PROXY="127.0.0.1,.stripe.com", **outside)
    assert (found.deepgram_proxy, found.stripe_proxy) == (proxy, None)
    assert settings(ALL_PROXY=proxy, STRIPE_API_BASE="http://127.0.0.1:1", **outside).stripe_proxy is None


def test_a_proxy_that_no_library_can_use_is_a_problem_where_something_is_elsewhere() -> None:
    assert settings(ALL_PROXY="socks://x:1").builtin_engine
    assert settings(ALL_PROXY="socks5://x:1", DEEPGRAM_API_KEY="key").deepgram_proxy == "socks5://x:1"
    outside = {"DEEPGRAM_API_KEY": "key", "STRIPE_SECRET_KEY": "sk_test_x"}
    found = problems({**BASE, **outside, "all_proxy": "socks://me:hunter2@x:1"})
    assert len(found) == 2
    assert all(problem.startswith("ALL_PROXY names a proxy") and "hunter2" not in problem for problem in found)


def test_all_problems_are_said_at_once() -> None:
    env = {**BASE, **{name: bad[0] for name, bad, _ in [*BAD, *BAD_URLS]}}
    assert {problem.split()[0] for problem in problems(env)} == {name for name, _, _ in [*BAD, *BAD_URLS]}


@pytest.mark.parametrize("empty", ["", " ", "\t"])
def test_an_empty_value_is_as_good_as_none(empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "PROJECT", tmp_path)
    names = {name for name, *_ in GOOD}
    assert load(dict.fromkeys(names, empty)) == load({})


def test_the_example_file_names_exactly_what_is_read() -> None:
    """Each with a comment; what it sets, it sets to the default."""
    asked: set[str] = set()

    class Asked(dict[str, str]):
        def get(self, name: str, default: Any = None) -> Any:
            asked.add(name)
            return super().get(name, default)

    load(Asked(PRODUCTION))
    lines = (PROJECT / ".env.example").read_text().splitlines()
    named = [re.match(r"#?([A-Z_]+)=(.*)", line) for line in lines]
    assert {match[1] for match in named if match} == asked
    active = {match[1]: match[2] for match in named if match and not match[0].startswith("#")}
    assert load({**BASE, **active}) == load(BASE)

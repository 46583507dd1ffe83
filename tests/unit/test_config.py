"""Every setting: what it is when nobody sets it, what it takes, and what it says of anything else."""

import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from transcription_proxy import config
from transcription_proxy.config import EXAMPLE_JWT_SECRET, PROJECT, Settings, environment, load
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
        topups=False,
        credits_per_dollar=1000,
        packages_file=None,
        allow_loss_making_packages=False,
        deepgram_api_key=None,
        deepgram_url=None,
        deepgram_proxy=None,
        upstream_max_streams=150,
        trial_seconds=600,
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
    ("TRIAL_SECONDS", "0", "trial_seconds", 0),
    ("TRIAL_SECONDS", "1000000", "trial_seconds", 1_000_000),
    ("STRIPE_SECRET_KEY", "sk_test_x", "trial_seconds", 0),  # with real money nothing is given away by default
    ("STRIPE_SECRET_KEY", "sk_test_x", "stripe_secret_key", "sk_test_x"),
    ("STRIPE_SECRET_KEY", "sk_test_x", "sandbox", False),
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


# --- production


def test_production_starts_when_all_is_there() -> None:
    found = load(PRODUCTION)
    assert found.production
    assert (found.jwt_secret, found.trial_seconds) == (SECRET, 0)


def test_production_says_all_that_is_missing_at_once(tmp_path: Path) -> None:
    found = problems({"APP_ENV": "production", "DATA_DIR": str(tmp_path / "data")})
    assert [problem.split()[0] for problem in found] == [
        "JWT_SECRET",
        "DATABASE_URL",
        "STRIPE_SECRET_KEY",
        "STRIPE_WEBHOOK_SECRET",
        "DEEPGRAM_API_KEY",
        "PUBLIC_URL",
    ]
    assert all("production" in problem for problem in found)
    assert not (tmp_path / "data").exists()  # no secret is made up there


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"JWT_SECRET": ""}, "JWT_SECRET"),
        ({"JWT_SECRET": "x" * 31}, "JWT_SECRET"),
        ({"JWT_SECRET": EXAMPLE_JWT_SECRET}, "JWT_SECRET"),
        ({"DATABASE_URL": ""}, "DATABASE_URL"),
        ({"DEEPGRAM_API_KEY": ""}, "DEEPGRAM_API_KEY"),
        ({"STRIPE_SECRET_KEY": ""}, "STRIPE_SECRET_KEY"),
        ({"STRIPE_WEBHOOK_SECRET": " "}, "STRIPE_WEBHOOK_SECRET"),
        ({"STRIPE_WEBHOOK_SECRET": " ,, "}, "STRIPE_WEBHOOK_SECRET"),
        ({"PUBLIC_URL": ""}, "PUBLIC_URL"),
        ({"PUBLIC_URL": "http://captions.example.org"}, "PUBLIC_URL"),
    ],
)
def test_production_refuses_each_insecure_default(changes: dict[str, str], named: str) -> None:
    [problem] = problems({**PRODUCTION, **changes})
    assert problem.startswith(named)


@pytest.mark.parametrize(
    "changes",
    [
        {"JWT_SECRET": "x" * 32},
        {"JWT_SECRET": "é" * 16},  # bytes, not characters
        {"DEEPGRAM_API_KEY": "", "DEEPGRAM_URL": "wss://stt.example.org"},
    ],
)
def test_production_takes_what_is_just_enough(changes: dict[str, str]) -> None:
    assert load({**PRODUCTION, **changes}).production


def test_production_says_mistakes_and_omissions_together() -> None:
    found = problems({**PRODUCTION, "PORT": "x", "DATABASE_URL": ""})
    assert [problem.split()[0] for problem in found] == ["PORT", "DATABASE_URL"]


def test_who_asks_for_more_hears_it_with_the_rest() -> None:
    def also(found: Settings) -> list[str]:
        return [f"more is wrong at {found.public_url}"]

    with pytest.raises(ConfigError) as error:
        load({**PRODUCTION, "PORT": "x", "DATABASE_URL": ""}, also)
    assert [problem.split()[0] for problem in error.value.problems] == ["PORT", "DATABASE_URL", "more"]
    assert error.value.problems[-1] == "more is wrong at https://captions.example.org"


def test_who_asks_for_more_is_given_the_path_of_a_file_that_is_not_there() -> None:
    """So that nobody judges the built-in one instead."""
    seen: list[Path | None] = []

    def also(found: Settings) -> list[str]:
        seen.extend([found.packages_file, found.rates_file])
        return []

    with pytest.raises(ConfigError):
        load({**BASE, "PACKAGES_FILE": "/nowhere/packages.toml"}, also)
    assert seen == [Path("/nowhere/packages.toml"), None]


def test_development_refuses_none_of_it() -> None:
    development = {**PRODUCTION, "APP_ENV": "development", "JWT_SECRET": EXAMPLE_JWT_SECRET, "PUBLIC_URL": ""}
    assert load(development).jwt_secret == EXAMPLE_JWT_SECRET


@pytest.mark.parametrize("env", [PRODUCTION, {**PRODUCTION, "APP_ENV": "development"}])
def test_no_message_shows_a_secret(env: dict[str, str]) -> None:
    secrets = [env[name] for name in env if name.endswith(("_KEY", "_SECRET"))] + ["hunter2"]
    urls = dict.fromkeys(("DATABASE_URL", "SMTP_URL", "STRIPE_API_BASE", "DEEPGRAM_URL"), "ftp://me:hunter2@db/x")
    wrong = {**env, **urls, "JWT_SECRET": "tiny-hunter2", "METRICS_TOKEN": "hunter2", "PORT": "x"}
    said = " ".join(problems(wrong))
    assert [name for name in urls if name not in said] == []
    assert not [secret for secret in secrets if secret in said]


# --- where settings come from


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A process whose environment holds nothing of ours."""
    for name in list(os.environ):
        if name in PRODUCTION or name in {each for each, *_ in GOOD}:
            monkeypatch.delenv(name)
    return monkeypatch


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(
    tmp_path: Path, clean: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("# a comment\nPORT=4000\nexport WORKERS='2'\nHOST=\nLOG_LEVEL=debug\nPLAIN\n")
    clean.setenv("PORT", "5000")
    clean.setenv("LOG_LEVEL", "")
    found = load({**environment(tmp_path), **BASE})
    assert (found.port, found.workers, found.host) == (5000, 2, "127.0.0.1")
    assert found.log_level == "info"  # set to nothing, it unsets what the file sets


def test_without_a_file_there_is_the_environment(tmp_path: Path, clean: pytest.MonkeyPatch) -> None:
    clean.setenv("PORT", "5000")
    assert environment(tmp_path) == dict(os.environ)


def test_what_is_given_to_nobody_comes_from_environment_and_file(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("JWT_SECRET", SECRET)
    clean.setenv("APP_ENV", "development")
    clean.setenv("PORT", "5001")
    assert load().port == 5001


def test_relative_paths_of_the_file_begin_in_its_own_folder(tmp_path: Path, clean: pytest.MonkeyPatch) -> None:
    """So that every command finds the same data from any folder."""
    (tmp_path / "here").mkdir()
    for name in ("rates.toml", "packages.toml"):
        (tmp_path / name).touch()
    (tmp_path / ".env").write_text("DATA_DIR=data\nRATES_FILE=./rates.toml\nPACKAGES_FILE=packages.toml\n")
    clean.chdir(tmp_path / "here")
    found = load({**environment(tmp_path), **BASE})
    assert (found.data_dir, found.rates_file) == (tmp_path / "data", tmp_path / "rates.toml")
    assert found.packages_file == tmp_path / "packages.toml"
    (tmp_path / ".env").write_text("DATA_DIR=/srv/captions\n")
    assert load({**environment(tmp_path), **BASE}).data_dir == Path("/srv/captions")
    clean.setenv("DATA_DIR", "data")
    assert load({**environment(tmp_path), **BASE}).data_dir == tmp_path / "here/data"  # as the shell means it


def test_a_home_folder_may_be_written_short(tmp_path: Path, clean: pytest.MonkeyPatch) -> None:
    clean.setenv("HOME", "/home/ann")
    (tmp_path / ".env").write_text("DATA_DIR=~/captions\n")
    assert load({**environment(tmp_path), **BASE}).data_dir == Path("/home/ann/captions")
    assert settings(DATA_DIR="~/other").data_dir == Path("/home/ann/other")


# --- the secret that nobody gave


def test_a_generated_secret_is_long_stable_and_nobody_elses(tmp_path: Path) -> None:
    data_dir = tmp_path / "not" / "there"
    first = load({"DATA_DIR": str(data_dir)}).jwt_secret
    assert len(first.encode()) >= 32
    assert load({"DATA_DIR": str(data_dir)}).jwt_secret == first
    assert load({"DATA_DIR": str(tmp_path / "other")}).jwt_secret != first
    assert [path.name for path in data_dir.iterdir()] == ["jwt_secret"]
    assert stat.S_IMODE((data_dir / "jwt_secret").stat().st_mode) == 0o600
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700


def test_one_that_is_given_is_used_and_nothing_is_written(tmp_path: Path) -> None:
    assert settings(DATA_DIR=str(tmp_path / "data")).jwt_secret == SECRET
    assert not (tmp_path / "data").exists()


def test_processes_that_start_at_once_agree_on_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: load({"DATA_DIR": str(tmp_path / "data")}).jwt_secret, range(40)))
    assert len(set(found)) == 1
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["jwt_secret"]


def test_a_secret_of_another_process_is_never_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may come between our look and our write."""
    real = os.link

    def link(source: str, target: Path) -> None:
        target.write_text("theirs")
        real(source, target)

    monkeypatch.setattr(os, "link", link)
    assert load({"DATA_DIR": str(tmp_path)}).jwt_secret == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["jwt_secret"]


def test_a_data_folder_that_cannot_be_is_one_problem_among_others(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = problems({"DATA_DIR": str(tmp_path / "file"), "PORT": "x", "WORKERS": "x"})
    assert [problem.split()[0] for problem in found] == ["PORT", "DATA_DIR", "WORKERS"]
    assert str(tmp_path / "file") in found[1]

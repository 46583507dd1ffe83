"""What production refuses."""

from pathlib import Path

import pytest

from tests.unit.settings import BASE, PRODUCTION, SECRET, problems
from transcription_proxy.config import EXAMPLE_JWT_SECRET, Settings, load
from transcription_proxy.errors import ConfigError


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

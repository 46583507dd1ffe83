"""Rates and packages together: every mistake at once, and what loses money."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from transcription_proxy import offer
from transcription_proxy.config import Settings, load
from transcription_proxy.errors import ConfigError

SECRET = "a secret of the tests, 32 bytes and more"
DEVELOPMENT = {"JWT_SECRET": SECRET, "DEEPGRAM_API_KEY": "key"}
PRODUCTION = {
    **DEVELOPMENT,
    "APP_ENV": "production",
    "DATABASE_URL": "postgresql://db/captions",
    "STRIPE_SECRET_KEY": "sk_live_x",
    "STRIPE_WEBHOOK_SECRET": "whsec_x",
    "PUBLIC_URL": "https://captions.example.org",
}
TODAY = date(2026, 11, 29)
PACKS = ["pack_500", "pack_1200", "pack_3000"]
DEAR = '[[package]]\nid = "dear"\nlabel = "Dear"\nseconds = 60\nprice_cents = 500\n'
CHEAP = DEAR.replace("dear", "cheap").replace("60", "6000000")
FREE_RATES = '[models.own]\ncost_per_minute = "0"\ncredits_per_second = "1"\n'


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "dear.toml").write_text(DEAR)
    (tmp_path / "mixed.toml").write_text(DEAR + CHEAP)
    (tmp_path / "wrong.toml").write_text("[[package]]\n")
    (tmp_path / "rates.toml").write_text(FREE_RATES)
    (tmp_path / "wrong-rates.toml").write_text('stripe_fee = "x"\n')
    (tmp_path / "latin.toml").write_bytes(b'id = "\xe9"')
    return tmp_path


def settings(env: dict[str, str], **more: str) -> Settings:
    return load({**env, **more})


def reasons(env: dict[str, str], **more: str) -> list[str]:
    """Why the service does not start."""
    with pytest.raises(ConfigError) as error:
        load({**env, **more}, also=offer.problems)
    return error.value.problems


def test_what_nobody_replaced_is_built_in() -> None:
    found = offer.load(settings(DEVELOPMENT), builtin_engine=False)
    assert [package.id for package in found.packages] == PACKS
    assert {"nova-2", "nova-3"} < set(found.rates.models)
    assert (found.credits_per_dollar, found.topups) == (1000, False)


def test_the_files_of_the_settings_replace_it(files: Path) -> None:
    own = {"PACKAGES_FILE": str(files / "dear.toml"), "RATES_FILE": str(files / "rates.toml"), "TOPUPS": "yes"}
    found = offer.load(settings(DEVELOPMENT, **own), builtin_engine=False)
    assert [package.id for package in found.packages] == ["dear"]
    assert set(found.rates.models) == {"own"}
    assert found.topups


def test_mistakes_in_both_files_are_told_at_once(files: Path) -> None:
    wrong = {"PACKAGES_FILE": str(files / "wrong.toml"), "RATES_FILE": str(files / "wrong-rates.toml")}
    with pytest.raises(ConfigError) as error:
        offer.load(settings(DEVELOPMENT, **wrong), builtin_engine=False)
    said = error.value.problems
    assert [
        word for word in ("'stripe_fee'", "no model", "package 1: id") if not any(word in one for one in said)
    ] == []


@pytest.mark.parametrize("name", ["PACKAGES_FILE", "RATES_FILE"])
def test_a_file_that_cannot_be_read_is_named_by_its_setting(files: Path, name: str) -> None:
    (problem,) = reasons(DEVELOPMENT, **{name: str(files / "latin.toml")})
    assert problem.startswith(f"{name} can't be read: ")


# --- production


def test_production_refuses_each_package_that_sells_below_its_cost() -> None:
    found = reasons(PRODUCTION)
    assert [problem.split()[2] for problem in found] == PACKS
    assert all("ALLOW_LOSS_MAKING_PACKAGES=true" in problem for problem in found)
    assert found[0].startswith("the package pack_500 sells for $3.00 and costs $3.39: break-even is $3.40")


def test_production_names_only_those_that_lose(files: Path) -> None:
    (problem,) = reasons(PRODUCTION, PACKAGES_FILE=str(files / "mixed.toml"))
    assert "the package cheap" in problem


@pytest.mark.parametrize(
    "more",
    [
        {"ALLOW_LOSS_MAKING_PACKAGES": "true"},
        {"PACKAGES_FILE": "dear.toml"},
        {"RATES_FILE": "rates.toml"},
        {"PACKAGES_FILE": "dear.toml", "TOPUPS": "true"},
        {"PACKAGES_FILE": "dear.toml", "CREDITS_PER_DOLLAR": "100000"},
    ],
)
def test_production_starts_where_nothing_loses_or_that_is_allowed(files: Path, more: dict[str, str]) -> None:
    more = {name: str(files / value) if name.endswith("_FILE") else value for name, value in more.items()}
    assert load({**PRODUCTION, **more}, also=offer.problems).production


def test_production_refuses_top_ups_that_lose_money_where_they_are_sold(files: Path) -> None:
    own = {"PACKAGES_FILE": str(files / "dear.toml"), "TOPUPS": "true", "CREDITS_PER_DOLLAR": "20000"}
    (problem,) = reasons(PRODUCTION, **own)
    assert problem.startswith("a top-up of 5 h 33 min sells for $1.00 and costs $2.33: lower CREDITS_PER_DOLLAR")


def test_all_reasons_are_told_at_once(files: Path) -> None:
    """What is unset, what is wrong, and what loses money, as it will when the rest is put right."""
    found = reasons({"APP_ENV": "production", "PORT": "x"})
    assert [problem.split()[0] for problem in found] == [
        "PORT",
        "JWT_SECRET",
        "DATABASE_URL",
        "STRIPE_SECRET_KEY",
        "STRIPE_WEBHOOK_SECRET",
        "DEEPGRAM_API_KEY",
        "PUBLIC_URL",
        *["the"] * 3,
    ]
    found = reasons({**PRODUCTION, "PORT": "x"}, PACKAGES_FILE=str(files / "wrong.toml"))
    assert found[0].startswith("PORT")
    assert all(problem.startswith("package 1") for problem in found[1:])
    assert len(found) > 2


@pytest.mark.parametrize("env", [DEVELOPMENT, PRODUCTION])
def test_of_a_file_that_is_not_there_that_is_all_that_is_said(files: Path, env: dict[str, str]) -> None:
    """Once, and nothing of the built-in file that it was to replace; mistakes in the other one are said too."""
    (problem,) = reasons(env, PACKAGES_FILE="/nowhere/packages.toml")
    assert problem == "PACKAGES_FILE must be a file that exists, not '/nowhere/packages.toml'"
    found = reasons(env, PACKAGES_FILE="/nowhere/packages.toml", RATES_FILE=str(files / "wrong-rates.toml"))
    assert [problem.split()[0] for problem in found] == ["PACKAGES_FILE", "the", "the"]


# --- development


def test_development_starts_and_warns() -> None:
    found = load(DEVELOPMENT, also=offer.problems)
    said = offer.warnings(found, TODAY)
    assert [warning.split()[2] for warning in said] == PACKS
    assert not any("ALLOW" in warning for warning in said)


@pytest.mark.parametrize(
    "env", [{"JWT_SECRET": SECRET}, {**DEVELOPMENT, "ALLOW_LOSS_MAKING_PACKAGES": "1"}], ids=["built-in", "allowed"]
)
def test_nothing_is_said_where_nothing_is_lost_or_that_is_allowed(env: dict[str, str]) -> None:
    assert offer.warnings(load(env, also=offer.problems), TODAY) == []


@pytest.mark.parametrize(("days", "is_old"), [(0, False), (90, False), (91, True), (400, True)])
def test_prices_older_than_90_days_are_named(files: Path, days: int, is_old: bool) -> None:
    (files / "dated.toml").write_text(f'date = "{TODAY - timedelta(days)}"\n' + FREE_RATES)
    said = offer.warnings(load({**DEVELOPMENT, "RATES_FILE": str(files / "dated.toml")}), TODAY)
    old = f"the speech engine's prices are from {TODAY - timedelta(days)}, {days} days ago: check RATES_FILE"
    assert [warning.startswith(old) for warning in said] == [True] * is_old


def test_built_in_prices_grow_old_too_unless_the_engine_costs_nothing(files: Path) -> None:
    later = date(2027, 6, 1)
    assert offer.warnings(load(DEVELOPMENT), later)[-1].endswith("set RATES_FILE to a file with today's prices")
    assert offer.warnings(load({"JWT_SECRET": SECRET}), later) == []
    undated = load({**DEVELOPMENT, "RATES_FILE": str(files / "rates.toml")})
    assert offer.warnings(undated, later) == []

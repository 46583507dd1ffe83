"""`pricing`, and `serve`'s refusal to sell at a loss in production."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.service import Service

PACKS = ("pack_500", "pack_1200", "pack_3000")
PRODUCTION = {
    "APP_ENV": "production",
    "DATABASE_URL": "postgresql://127.0.0.1:1/none",
    "STRIPE_SECRET_KEY": "sk_live_of_the_tests",
    "STRIPE_WEBHOOK_SECRET": "whsec_of_the_tests",
    "PUBLIC_URL": "https://captions.example.org",
}


def with_settings(service: Service, **more: str) -> Service:
    return replace(service, env={**service.env, **more})


def in_production(service: Service, scratch: Path, **more: str) -> Service:
    """The settings of a program that must fail before it creates its data folder."""
    return with_settings(service, **{**PRODUCTION, "DATA_DIR": str(scratch / "production"), **more})


async def refusal(service: Service) -> list[str]:
    """Return the lines that `serve` prints on standard error instead of starting."""
    status, out, err = await service.run("serve")
    assert (status, out) == (1, "")
    assert "Traceback" not in err
    return err.splitlines()


async def test_pricing_needs_no_service_and_no_database(service: Service, scratch: Path) -> None:
    alone = in_production(service, scratch)
    table = await alone.command("pricing")
    assert table.count("LOSES MONEY") == 3
    found = json.loads(await alone.command("pricing", "--json"))
    assert [(one["id"], one["engine_cents"], one["loses"]) for one in found["packages"]] == [
        ("pack_500", 300, True),
        ("pack_1200", 720, True),
        ("pack_3000", 1800, True),
    ]
    assert not (scratch / "production").exists()


async def test_suggested_prices_are_accepted(service: Service, scratch: Path) -> None:
    file = scratch / "suggested.toml"
    file.write_text(await service.command("pricing", "--suggest", "30%"))
    priced = with_settings(service, PACKAGES_FILE=str(file))
    found = json.loads(await priced.command("pricing", "--json"))
    assert [one["id"] for one in found["packages"]] == list(PACKS)
    assert all(one["margin_percent"] >= 30 for one in found["packages"])
    assert all(one["price_cents"] % 100 == 99 for one in found["packages"])


@pytest.mark.parametrize(("percent", "said"), [("much", "such as 30%"), ("98%", "under 97.1%")])
async def test_an_impossible_margin_is_refused_in_one_sentence(service: Service, percent: str, said: str) -> None:
    status, out, err = await service.run("pricing", "--suggest", percent)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert said in err


async def test_production_refuses_to_sell_at_a_loss(service: Service, scratch: Path) -> None:
    said = await refusal(in_production(service, scratch))
    assert [line.split()[2] for line in said] == list(PACKS)
    assert all("ALLOW_LOSS_MAKING_PACKAGES=true" in line for line in said)


async def test_production_lists_all_problems_at_once(service: Service, scratch: Path) -> None:
    bare = in_production(service, scratch, JWT_SECRET="", STRIPE_SECRET_KEY="", STRIPE_WEBHOOK_SECRET="", PUBLIC_URL="")
    bare = with_settings(bare, DEEPGRAM_API_KEY="", DEEPGRAM_URL="", DATABASE_URL="", WORKERS="many")
    said = await refusal(bare)
    assert [line.split()[0] for line in said[:7]] == [
        "WORKERS",
        "JWT_SECRET",
        "DATABASE_URL",
        "STRIPE_SECRET_KEY",
        "STRIPE_WEBHOOK_SECRET",
        "DEEPGRAM_API_KEY",
        "PUBLIC_URL",
    ]
    assert [line.split()[2] for line in said[7:]] == list(PACKS)
    rates, packages = scratch / "wrong-rates.toml", scratch / "wrong-packages.toml"
    rates.write_text("[models.nova-2]\ncost_per_minute = 0.006\n")
    packages.write_text('[[package]]\nid = "a"\nlabel = "A"\nseconds = 0\nprice_cents = "3"\n')
    said = await refusal(with_settings(bare, RATES_FILE=str(rates), PACKAGES_FILE=str(packages)))
    for mistake in (
        "WORKERS",
        "JWT_SECRET",
        "cost_per_minute",
        "credits_per_second",
        "seconds must",
        "price_cents must",
    ):
        assert [mistake in line for line in said].count(True) == 1, (mistake, said)
    assert not (scratch / "production").exists()


async def test_a_loss_stops_only_serve(service: Service, scratch: Path) -> None:
    """`doctor` reports it. Other commands get as far as the database, which is unreachable."""
    production = in_production(service, scratch, STRIPE_API_BASE="http://127.0.0.1:1")
    status, out, _ = await production.run("doctor", "--json")
    assert status == 1
    checks = {check["name"]: check for check in json.loads(out)}
    assert checks["settings"]["ok"]
    assert not checks["packages and rates"]["ok"]
    assert [pack for pack in PACKS if pack not in checks["packages and rates"]["detail"]] == []
    status, _, err = await production.run("user", "list")
    assert status == 1
    assert "Check DATABASE_URL" in err


async def test_development_warns_once_of_each_loss_and_starts(service: Service) -> None:
    log = service.log()
    starts = log.count("Speech engine: ")
    assert starts > 0
    assert [log.count(f"Warning: the package {pack} sells for") for pack in PACKS] == [starts] * len(PACKS)

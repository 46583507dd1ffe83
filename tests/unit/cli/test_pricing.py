"""`pricing`: what it prints for people, for scripts, and as a packages file; it needs neither database nor service."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from transcription_proxy.cli.pricing import pricing_command as pricing
from transcription_proxy.errors import ConfigError, Refusal
from transcription_proxy.payments import packages

DEAR = '[[package]]\nid = "dear"\nlabel = "Dear"\nseconds = 60\nprice_cents = 500\n'
UNSET = ("APP_ENV", "DEEPGRAM_API_KEY", "DEEPGRAM_URL", "PACKAGES_FILE", "RATES_FILE", "TOPUPS", "CREDITS_PER_DOLLAR")
Out = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def data_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Nothing is set, and nothing must be written."""
    for name in UNSET:
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/none")
    return tmp_path / "data"


def as_json(capsys: Out, suggest: str | None = None) -> Any:
    pricing(suggest, as_json=True)
    return json.loads(capsys.readouterr().out)


def text(capsys: Out, suggest: str | None = None) -> str:
    pricing(suggest)
    return capsys.readouterr().out


def test_each_package_has_its_price_costs_margin_and_break_even(capsys: Out, data_dir: Path) -> None:
    rows = [re.split(r"\s{2,}", line) for line in text(capsys).splitlines()]
    assert rows[0] == ["Package", "Minutes", "Price", "Engine", "Stripe", "Margin", "Break-even", ""]
    assert rows[1] == ["pack_500", "500", "$3.00", "$3.00", "$0.39", "-$0.39", "-13%", "$3.40", "LOSES MONEY"]
    assert rows[2] == ["pack_1200", "1200", "$6.00", "$7.20", "$0.47", "-$1.67", "-28%", "$7.73", "LOSES MONEY"]
    assert rows[3] == ["pack_3000", "3000", "$12.00", "$18.00", "$0.65", "-$6.65", "-55%", "$18.85", "LOSES MONEY"]
    assert not data_dir.exists()


def test_scripts_get_the_same_figures_in_cents(capsys: Out) -> None:
    found = as_json(capsys)
    assert found["packages"][0] == {
        "id": "pack_500",
        "label": "500 minutes",
        "seconds": 30_000,
        "currency": "usd",
        "price_cents": 300,
        "engine_cents": 300,
        "fee_cents": 38.7,
        "margin_cents": -38.7,
        "margin_percent": -12.9,
        "break_even_cents": 340,
        "loses": True,
    }
    assert [each["engine_cents"] for each in found["packages"]] == [300, 720, 1800]
    assert found["topups"] == {
        "sold": False,
        "credits_per_dollar": 1000,
        "engine_cents": 10,
        "fee_cents": 32.9,
        "margin_cents": 57.1,
        "loses": False,
        "times_as_dear": 10,
        "as_package": "pack_500",
    }


def test_at_1000_a_top_up_is_said_to_be_ten_times_dearer_than_a_pack(capsys: Out) -> None:
    (line,) = [line for line in text(capsys).splitlines() if line.startswith("Top-ups")]
    assert line == (
        "Top-ups (disabled; set TOPUPS=true): $1 buys 16 min 40 s. The engine costs $0.10 of it and Stripe "
        "$0.33. That is 10 times more expensive than pack_500."
    )


@pytest.mark.parametrize(
    ("per_dollar", "said"),
    [
        ("10000", "That is the price of pack_500."),
        ("25000", "LOSES MONEY. That is 2.5 times cheaper than pack_500."),
        ("3000", "That is 3.3 times more expensive than pack_500."),
    ],
)
def test_other_top_ups_are_compared_too(
    capsys: Out, monkeypatch: pytest.MonkeyPatch, per_dollar: str, said: str
) -> None:
    monkeypatch.setenv("CREDITS_PER_DOLLAR", per_dollar)
    monkeypatch.setenv("TOPUPS", "true")
    (line,) = [line for line in text(capsys).splitlines() if line.startswith("Top-ups (enabled)")]
    assert line.endswith(said)


@pytest.mark.parametrize("percent", ["30%", "30", " 30 % ", "0", "12.5%", "97%"])
def test_a_suggestion_is_a_packages_file_with_that_margin(
    capsys: Out, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, percent: str
) -> None:
    file = tmp_path / "packages.toml"
    file.write_text(text(capsys, percent))
    before, after = packages.load(), packages.load(file.read_text())
    assert [(one.id, one.label, one.seconds) for one in after] == [(one.id, one.label, one.seconds) for one in before]
    monkeypatch.setenv("PACKAGES_FILE", str(file))
    wanted = float(percent.strip(" %"))
    for package in as_json(capsys)["packages"]:
        assert wanted <= package["margin_percent"]
        assert package["price_cents"] % 100 == 99
        assert not package["loses"]


def test_a_suggestion_begins_with_the_file_that_is_there(
    capsys: Out, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text(DEAR)
    monkeypatch.setenv("PACKAGES_FILE", str(tmp_path / "mine.toml"))
    assert [one.id for one in packages.load(text(capsys, "30%"))] == ["dear"]
    assert [one["id"] for one in as_json(capsys, "30%")["packages"]] == ["dear"]


@pytest.mark.parametrize("percent", ["", "much", "30%%", "nan", "inf", "1e9", "30.001", "-1", "97.1", "100"])
def test_a_margin_that_cannot_be_is_refused_in_a_sentence(capsys: Out, percent: str) -> None:
    with pytest.raises(Refusal, match=r"such as 30%|under 97\.1%"):
        pricing(percent)
    assert capsys.readouterr().out == ""


def test_nothing_is_said_against_packages_that_pay(
    capsys: Out, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text(DEAR)
    monkeypatch.setenv("PACKAGES_FILE", str(tmp_path / "mine.toml"))
    assert "lose" not in text(capsys).lower()


@pytest.mark.parametrize(("url", "told"), [("", True), ("ws://127.0.0.1:1", False)])
def test_the_free_built_in_engine_is_mentioned_where_it_is_used(
    capsys: Out, monkeypatch: pytest.MonkeyPatch, url: str, told: bool
) -> None:
    monkeypatch.setenv("DEEPGRAM_URL", url)
    assert ("built-in engine" in text(capsys)) == told


def test_an_operator_sees_the_loss_before_production_is_set_up(capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_ENV", "production")
    monkeypatch.setenv("DATABASE_URL", "")
    assert "LOSES MONEY" in text(capsys)


def test_all_mistakes_are_shown_at_once(capsys: Out, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text("[[package]]\n")
    monkeypatch.setenv("PACKAGES_FILE", str(tmp_path / "wrong.toml"))
    with pytest.raises(ConfigError) as error:
        pricing()
    assert all(problem.startswith("package 1: ") for problem in error.value.problems)
    assert len(error.value.problems) == 4
    monkeypatch.setenv("PACKAGES_FILE", "/nowhere/packages.toml")
    with pytest.raises(ConfigError, match="PACKAGES_FILE must be a file that exists"):
        pricing()


def test_old_prices_are_warned_of_beside_every_output(
    capsys: Out, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "old.toml"
    file.write_text('date = "2020-01-01"\n[models.own]\ncost_per_minute = "0.001"\ncredits_per_second = "1"\n')
    monkeypatch.setenv("RATES_FILE", str(file))
    for suggest, as_json in ((None, False), (None, True), ("30%", False)):
        pricing(suggest, as_json=as_json)
        out, err = capsys.readouterr()
        assert "Warning" not in out
        assert err.startswith("Warning: the speech engine's prices are from 2020-01-01, ")
        assert err.endswith(" days ago: check RATES_FILE, and set its date.\n")

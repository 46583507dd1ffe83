"""What `doctor` finds before it comes to the database; the rest is in the end-to-end tests."""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import typer

from tests.deploy.settings import names
from tests.standin.deepgram import DeepgramStandIn
from tests.standin.script import REFUSALS, Script
from transcription_proxy.cli.doctor import doctor
from transcription_proxy.secret_files import SECRETS

AWAY = "postgresql://me:hunter2@127.0.0.1:1/none"
PRODUCTION = {
    "APP_ENV": "production",
    "STRIPE_SECRET_KEY": "sk_live_x",
    "STRIPE_WEBHOOK_SECRET": "whsec_x",
    "STRIPE_API_BASE": "http://127.0.0.1:1",
    "PUBLIC_URL": "https://captions.example.org",
}


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DEEPGRAM_API_KEY", "DEEPGRAM_URL"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("JWT_SECRET", "x" * 32)
    monkeypatch.setenv("DATABASE_URL", AWAY)


def checks(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What it prints, which is never a success here: there is no database."""
    with pytest.raises(typer.Exit) as left:
        doctor(as_json=True)
    assert left.value.exit_code == 1
    return {check["name"]: check for check in json.loads(capsys.readouterr().out)}


def test_it_looks_at_everything_although_the_first_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    found = checks(capsys)
    assert {name: check["ok"] for name, check in found.items()} == {
        "settings": True,
        "packages and rates": True,
        "database": False,
        "speech engine": True,
        "payments": True,
        "mail": True,
        "disk": True,
    }
    assert "DATABASE_URL" in found["database"]["detail"]
    assert "hunter2" not in found["database"]["detail"]
    assert "built in" in found["speech engine"]["detail"]


def test_each_mistake_in_the_settings_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "x")
    monkeypatch.setenv("WORKERS", "0")
    with pytest.raises(typer.Exit):
        doctor()
    lines = capsys.readouterr().out.partition("\n\n")[2].splitlines()
    assert [line.split()[:3] for line in lines] == [["PROBLEM", "settings:", name] for name in ("PORT", "WORKERS")]


def test_selling_below_cost_is_shown_and_fails_the_check_in_production(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DEEPGRAM_URL", "ws://127.0.0.1:1")
    development = checks(capsys)["packages and rates"]
    assert development["ok"]
    assert [name for name in ("pack_500", "pack_1200", "pack_3000") if name not in development["detail"]] == []
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)
    production = checks(capsys)["packages and rates"]
    assert not production["ok"]
    assert "ALLOW_LOSS_MAKING_PACKAGES=true" in production["detail"]


def test_a_mistake_in_a_file_of_prices_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "packages.toml").write_text("[[package]]")
    monkeypatch.setenv("PACKAGES_FILE", str(tmp_path / "packages.toml"))
    found = checks(capsys)["packages and rates"]
    assert not found["ok"]
    assert "package 1: id" in found["detail"]


@contextmanager
def deepgram(script: Script) -> Iterator[DeepgramStandIn]:
    """A stand-in on a loop of its own, as `doctor` has one too."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    standin = DeepgramStandIn(script)
    try:
        asyncio.run_coroutine_threadsafe(standin.__aenter__(), loop).result(10)
        yield standin
        asyncio.run_coroutine_threadsafe(standin.__aexit__(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def engine(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str) -> tuple[bool, str]:
    monkeypatch.setenv("DEEPGRAM_URL", url)
    check = checks(capsys)["speech engine"]
    return check["ok"], check["detail"]


def test_a_stream_is_opened_with_the_key_and_closed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with deepgram(Script()) as standin:
        place = standin.url.removeprefix("ws://")
        keyless = engine(monkeypatch, capsys, f"http://{place}/v1/listen")
        monkeypatch.setenv("DEEPGRAM_API_KEY", "dg-key-hunter2")
        keyed = engine(monkeypatch, capsys, standin.url)
    assert keyless == (True, f"{place} opened a stream and closed it, without DEEPGRAM_API_KEY")
    assert keyed == (True, f"{place} opened a stream and closed it")
    assert standin.last.path == "/v1/listen"
    assert ("Authorization", "Token dg-key-hunter2") in standin.last.headers
    assert standin.last.texts[0].type == "CloseStream"
    assert len(standin.last.audio) == 0
    gone = engine(monkeypatch, capsys, standin.url)
    assert gone == (False, f"can't reach {place} (ConnectionRefusedError). Check DEEPGRAM_URL and the network")


@pytest.mark.parametrize(("status", "setting"), [(401, "DEEPGRAM_API_KEY"), (400, "DEEPGRAM_URL")])
def test_a_refusal_is_shown_with_the_upstreams_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: int, setting: str
) -> None:
    monkeypatch.setenv("DEEPGRAM_API_KEY", "dg-key-hunter2")
    with deepgram(Script(refuse=REFUSALS[status])) as standin:
        ok, detail = engine(monkeypatch, capsys, standin.url)
    assert not ok
    assert f'{status} "' in detail
    assert detail.endswith(f". Check {setting}")
    assert "hunter2" not in detail


@pytest.mark.parametrize("script", [Script(answers_handshake=False), Script(heeds_close_stream=False)])
def test_an_engine_that_leaves_us_waiting_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], script: Script
) -> None:
    monkeypatch.setattr("transcription_proxy.cli.doctor.REACH_SECONDS", 0.5)
    with deepgram(script) as standin:
        ok, detail = engine(monkeypatch, capsys, standin.url)
    assert not ok
    assert "didn't open and close a stream within 0.5 s" in detail


def test_a_port_without_tls_is_not_reached(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("transcription_proxy.cli.doctor.REACH_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not engine(monkeypatch, capsys, f"wss://127.0.0.1:{silent.getsockname()[1]}")[0]


def test_a_mail_server_that_is_away_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert str(tmp_path / "data" / "outbox") in checks(capsys)["mail"]["detail"]
    monkeypatch.setenv("SMTP_URL", "smtps://me:hunter2@127.0.0.1:1")
    mail = checks(capsys)["mail"]
    assert not mail["ok"]
    assert "Check SMTP_URL" in mail["detail"]
    assert "hunter2" not in mail["detail"]


def test_a_trial_in_production_needs_a_mail_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {**PRODUCTION, "TRIAL_SECONDS": "600", "DEEPGRAM_URL": "ws://127.0.0.1:1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ALLOW_LOSS_MAKING_PACKAGES", "true")
    mail = checks(capsys)["mail"]
    assert not mail["ok"]
    assert "SMTP_URL" in mail["detail"]


def test_production_lists_the_missing_pages_for_buyers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {**PRODUCTION, "DEEPGRAM_URL": "ws://127.0.0.1:1", "ALLOW_LOSS_MAKING_PACKAGES": "true"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TERMS_URL", "https://captions.example.org/terms")
    found = checks(capsys)["what buyers look for"]
    assert not found["ok"]
    assert [
        name for name in ("TERMS_URL", "PRIVACY_URL", "REFUNDS_URL", "SUPPORT_EMAIL") if name in found["detail"]
    ] == [
        "PRIVACY_URL",
        "REFUNDS_URL",
        "SUPPORT_EMAIL",
    ]
    for name in ("PRIVACY_URL", "REFUNDS_URL"):
        monkeypatch.setenv(name, "https://captions.example.org/x")
    monkeypatch.setenv("SUPPORT_EMAIL", "help@captions.example.org")
    assert checks(capsys)["what buyers look for"]["ok"]


@pytest.mark.parametrize(
    ("peer", "trusted", "ok"),
    [("172.17.0.1", "", False), ("172.17.0.1", "172.16.0.0/12", None), ("9.9.9.9", "", True)],
)
def test_an_untrusted_proxy_is_shown_and_a_problem_if_it_is_in_a_private_network(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    peer: str,
    trusted: str,
    ok: bool | None,
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "untrusted_proxy").write_text(peer)
    monkeypatch.setenv("TRUSTED_PROXIES", trusted)
    found = checks(capsys).get("client addresses")
    assert (found and found["ok"]) is ok
    assert found is None or f"add {peer}" in found["detail"]


def test_a_disk_that_is_almost_full_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("transcription_proxy.cli.doctor.SPACE_GIB", 1 << 40)
    disk = checks(capsys)["disk"]
    assert not disk["ok"]
    assert disk["detail"].endswith(f"free in {tmp_path}. Free up some space")  # DATA_DIR itself is not there yet


def test_the_table_has_every_setting_with_its_source_and_shows_no_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("hunter2-metrics")
    monkeypatch.setenv("METRICS_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_hunter2")
    monkeypatch.setenv("STRIPE_API_BASE", "http://127.0.0.1:1")
    monkeypatch.setenv("PORT", "4000")
    with pytest.raises(typer.Exit):
        doctor(as_json=False)
    out = capsys.readouterr().out
    table = {line.split()[0]: line for line in out.partition("\n\n")[0].splitlines()}
    assert set(names()) - {f"{name}_FILE" for name in SECRETS} <= set(table)
    assert "4000" in table["PORT"]
    assert "environment" in table["PORT"]
    assert "default" in table["WORKERS"]
    assert f"file {tmp_path / 'token'}" in table["METRICS_TOKEN"]
    assert "hunter2" not in out
    assert "postgresql://127.0.0.1:1/none" in table["DATABASE_URL"]


def test_the_table_says_what_is_wrong_with_a_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "http")
    with pytest.raises(typer.Exit):
        doctor(as_json=False)
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("PORT"))
    assert "must be a whole number" in line

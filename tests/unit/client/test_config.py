"""The settings file: what a user wrote survives, what is wrong is said, and no secret stays in it."""

import base64
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.client.keyrings import MemoryKeyring
from transcription_client.config import NEVER, Config, engine_config
from transcription_client.errors import ClientError
from transcription_client.secret_store import SecretStore
from transcription_client.store import Login, Store


def written(folder: Path, text: str) -> Config:
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    return Config.load(folder)


def moved(config: Config, folder: Path) -> None:
    config.move_secrets(SecretStore(folder), Store(folder))


def test_without_a_file_the_defaults_hold_and_nothing_is_written(tmp_path: Path) -> None:
    config = Config.load(tmp_path / "settings")
    assert config.is_new
    assert config.problems == []
    assert config.sections["remote"] == {
        "mode": "local",
        "server_url": "",
        "auth_token": "",
        "refresh_token": "",
        "byok_api_key": "",
        "deepgram_model": "",
        "deepgram_url": "wss://api.deepgram.com",
        "language": "en-US",
        "fallback": "",
    }
    assert not (tmp_path / "settings").exists()


def test_the_first_save_writes_the_defaults_with_their_comments(tmp_path: Path) -> None:
    Config.load(tmp_path).save({"remote": {"mode": "managed"}})
    text = (tmp_path / "config.yaml").read_text()
    assert "  mode: managed # local, managed or byok\n" in text
    assert "# the language you speak" in text
    assert Config.load(tmp_path).sections["remote"]["mode"] == "managed"


def test_comments_quotes_order_and_unknown_keys_survive_a_save(tmp_path: Path) -> None:
    text = (
        "# mine\nplugins: [a, b]  # of another program\nremote:\n  language: 'de'   # at home\n"
        "  beam_size: 5\n\ncaptions:\n  size: 40 # big\n"
    )
    config = written(tmp_path, text)
    config.save({"captions": {"size": 48}, "remote": {"mode": "byok"}})
    expected = text.replace("40 # big", "48 # big").replace("  beam_size: 5\n", "  beam_size: 5\n  mode: byok\n")
    now = (tmp_path / "config.yaml").read_text()
    assert sorted(now.split("\n")) == sorted(expected.split("\n"))
    assert config.sections["remote"]["beam_size"] == 5


def test_a_save_keeps_what_was_edited_meanwhile(tmp_path: Path) -> None:
    config = written(tmp_path, "captions:\n  size: 40\n")
    (tmp_path / "config.yaml").write_text("captions:\n  size: 40\n  lines: 5\n")
    config.save({"captions": {"size": 48}})
    assert (tmp_path / "config.yaml").read_text() == "captions:\n  size: 48\n  lines: 5\n"


def test_a_link_to_the_file_stays_one(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").symlink_to(tmp_path / "mine.yaml")
    written(tmp_path, "captions:\n  size: 40\n").save({"captions": {"size": 48}})
    assert (tmp_path / "config.yaml").is_symlink()
    assert (tmp_path / "mine.yaml").read_text() == "captions:\n  size: 48\n"


@pytest.mark.parametrize(
    "content",
    [b"remote: [\n", b"a: b: c\n", b"\xff\xfe\xfa", b"- a list\n", b"just text", b"a: &x 1\na: 2\n", b"[" * 2000],
)
def test_a_broken_file_is_set_aside_and_reported(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.yaml").write_bytes(content)
    config = Config.load(tmp_path)
    assert config.is_new
    assert config.sections["remote"]["mode"] == "local"
    (aside,) = tmp_path.iterdir()
    assert aside.name.startswith("config.broken-")
    assert aside.read_bytes() == content
    (problem,) = config.problems
    assert problem.startswith("config.yaml couldn't be read")
    assert problem.endswith(f"It's now {aside}, and you start with the default settings.")


def test_the_line_of_a_mistake_is_named(tmp_path: Path) -> None:
    assert "(line 3)" in written(tmp_path, "remote:\n  mode: local\n  a: b: c\n").problems[0]


@pytest.mark.parametrize("content", ["", "\n", "# only a comment\n", "remote:\n", "captions: {}\n"])
def test_a_file_with_nothing_in_it_is_right(tmp_path: Path, content: str) -> None:
    config = written(tmp_path, content)
    assert config.problems == []
    assert config.sections["captions"]["size"] == 32
    config.save({"captions": {"size": 20}, "remote": {"mode": "byok"}})
    again = Config.load(tmp_path)
    assert (again.sections["captions"]["size"], again.sections["remote"]["mode"]) == (20, "byok")


def test_values_are_plain_whatever_their_quotes(tmp_path: Path) -> None:
    """An engine encodes them, and msgspec knows no other strings."""
    config = written(
        tmp_path,
        'remote: {language: \'de\', "server_url": "https://c", '
        "options: {keywords: [\"a\", 'b'], n: 0x10, f: 1.50, t: &x true}}",
    )
    assert msgspec.json.decode(msgspec.json.encode(config.sections)) == config.sections
    assert config.sections["remote"]["options"] == {"keywords": ["a", "b"], "n": 16, "f": 1.5, "t": True}
    assert type(config.sections["remote"]["options"]["t"]) is bool
    assert msgspec.json.encode(Config.load(tmp_path / "none").sections)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("remote: {mode: cloud}", 'remote.mode must be one of local, managed, byok. Using "local".'),
        ("remote: {server_url: 5}", 'remote.server_url must be text. Using "".'),
        ("captions: {size: huge}", "captions.size must be a whole number from 12 to 160. Using 32."),
        ("captions: {size: 1000}", "captions.size must be a whole number from 12 to 160. Using 32."),
        ("captions: {lines: true}", "captions.lines must be a whole number from 1 to 12. Using 3."),
        ("captions: {color: red}", 'captions.color must be a color like "#ffffff". Using "#ffffff".'),
        ("captions: {always_on_top: 1}", "captions.always_on_top must be true or false. Using false."),
        ("overlay: {port: 80}", "overlay.port must be a whole number from 1,024 to 65,535. Using 8787."),
        ("remote: {fallback: cloud}", 'remote.fallback must be local or "". Using "".'),
        ("captions: 5", "captions isn't a list of settings. Using the defaults."),
    ],
)
def test_a_wrong_value_gives_way_to_the_default_and_is_said(tmp_path: Path, text: str, sentence: str) -> None:
    config = written(tmp_path, text)
    assert config.problems == [f"config.yaml: {sentence}"]
    assert config.sections == Config.load(tmp_path / "none").sections


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").mkdir()
    config = Config.load(tmp_path)
    assert config.problems == [f"Can't read {tmp_path / 'config.yaml'} (Is a directory). Using the default settings."]
    with pytest.raises(ClientError, match="Can't write to"):
        config.save({"remote": {"mode": "byok"}})


def test_a_token_and_a_key_move_from_the_file_to_the_keyring(tmp_path: Path, keyring: MemoryKeyring) -> None:
    config = written(
        tmp_path,
        "remote:\n  server_url: https://c.example.com/\n  auth_token: t-1 # jwt\n  refresh_token: r-1\n"
        "  byok_api_key: k-1\n",
    )
    moved(config, tmp_path)
    text = (tmp_path / "config.yaml").read_text()
    assert [secret for secret in ("t-1", "r-1", "k-1") if secret in text] == []
    assert "# jwt" in text
    assert config.problems == [
        "Moved a login and a key out of config.yaml. Logins and keys are kept in your system's keyring."
    ]
    assert Store(tmp_path).load() == Login("https://c.example.com", "", "t-1", "r-1", NEVER)
    assert SecretStore(tmp_path).get("byok_api_key") == "k-1"
    assert config.sections["remote"]["auth_token"] == ""


def test_a_login_that_is_kept_already_is_not_replaced(tmp_path: Path) -> None:
    kept = Login("https://c.example.com", "me@example.com", "t-2", "r-2", 5.0)
    Store(tmp_path).save(kept)
    config = written(tmp_path, "remote:\n  auth_token: t-1\n")
    moved(config, tmp_path)
    assert Store(tmp_path).load() == kept
    assert "t-1" not in (tmp_path / "config.yaml").read_text()


def test_a_moved_token_expires_when_it_says(tmp_path: Path) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": 77}).encode()).decode().rstrip("=")
    moved(written(tmp_path, f"remote:\n  auth_token: h.{claims}.s\n"), tmp_path)
    login = Store(tmp_path).load()
    assert login is not None
    assert login.expires_at == 77


def test_a_moved_token_without_a_time_and_a_successor_is_used_as_long_as_it_works(tmp_path: Path) -> None:
    moved(written(tmp_path, "remote:\n  auth_token: opaque\n"), tmp_path)
    login = Store(tmp_path).load()
    assert login is not None
    assert login.expires_at == NEVER


def test_a_secret_that_cannot_be_moved_is_said(tmp_path: Path, keyring: MemoryKeyring) -> None:
    config = written(tmp_path, "remote:\n  auth_token: t-1\n")
    keyring.locked = True
    moved(config, tmp_path)
    (problem,) = config.problems
    assert problem.startswith("config.yaml holds a login, which can't be moved. Can't open your system's keyring")
    assert "t-1" in (tmp_path / "config.yaml").read_text()


def test_an_engine_gets_the_login_of_its_server_only(tmp_path: Path) -> None:
    store, secrets = Store(tmp_path), SecretStore(tmp_path)
    store.save(Login("https://c.example.com", "me@example.com", "t", "r", 5.0))
    secrets.set("byok_api_key", "k-1")
    remote: dict[str, Any] = Config.load(tmp_path).sections["remote"]
    managed = engine_config({**remote, "mode": "managed", "server_url": "https://C.example.com/"}, secrets, store)
    assert (managed["auth_token"], managed["refresh_token"], managed["byok_api_key"]) == ("t", "r", "")
    elsewhere = engine_config({**remote, "mode": "managed", "server_url": "https://other.example"}, secrets, store)
    assert elsewhere["auth_token"] == ""
    byok = engine_config({**remote, "mode": "byok"}, secrets, store)
    assert (byok["auth_token"], byok["byok_api_key"]) == ("", "k-1")


@given(st.binary(max_size=80))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_no_file_ends_the_program(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.yaml").write_bytes(content)
    config = Config.load(tmp_path)
    assert set(config.sections) >= {"remote", "captions"}

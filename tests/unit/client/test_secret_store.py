"""Secrets are kept in the keyring, and else in a file that only its owner can read."""

from pathlib import Path

import pytest

from tests.unit.client.keyrings import MemoryKeyring
from transcription_client.errors import ClientError
from transcription_client.secret_store import MOST_LETTERS, SecretStore, folder
from transcription_client.store import Login, Store

LOGIN = Login("https://captions.example.com", "me@example.com", "token", "refresh", 1_800_000_000.5)


def test_without_a_keyring_a_secret_is_kept_in_a_file_for_its_owner(tmp_path: Path) -> None:
    store = SecretStore(tmp_path)
    store.set("byok_api_key", "k-1")
    assert SecretStore(tmp_path).get("byok_api_key") == "k-1"
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert store.place() == (
        f"This system has no keyring. Logins and keys are kept in {tmp_path}, in files only you can read."
    )
    store.delete("byok_api_key")
    assert store.get("byok_api_key") is None
    assert list(tmp_path.iterdir()) == []


def test_with_a_keyring_nothing_is_kept_in_a_file(tmp_path: Path, keyring: MemoryKeyring) -> None:
    store = SecretStore(tmp_path)
    store.set("byok_api_key", "k-1")
    assert store.get("byok_api_key") == "k-1"
    assert list(tmp_path.iterdir()) == []
    assert store.place() == "Logins and keys are kept in your system's keyring."
    store.delete("byok_api_key")
    store.delete("byok_api_key")
    assert keyring.kept == {}


def test_each_folder_of_settings_has_its_own_secrets(tmp_path: Path, keyring: MemoryKeyring) -> None:
    SecretStore(tmp_path / "one").set("login", "1")
    SecretStore(tmp_path / "two").set("login", "2")
    assert SecretStore(tmp_path / "one").get("login") == "1"
    assert len(keyring.kept) == 2


def test_the_platforms_own_folder_has_the_plain_name(keyring: MemoryKeyring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRANSCRIPTION_CONFIG_DIR", raising=False)
    SecretStore(folder()).set("byok_api_key", "k-1")
    assert keyring.kept == {("transcription-client", "byok_api_key"): "k-1"}


def test_a_login_of_an_earlier_version_moves_from_its_file_at_the_next_save(
    tmp_path: Path, keyring: MemoryKeyring
) -> None:
    Store(tmp_path).save(LOGIN)
    keyring.kept.clear()
    SecretStore(tmp_path)._file("login").write_text(
        '{"server":"s","email":"e","token":"t","refresh_token":"r","expires_at":1}'
    )
    old = Store(tmp_path).load()
    assert old is not None
    assert old.token == "t"
    Store(tmp_path).save(LOGIN)
    assert Store(tmp_path).load() == LOGIN
    assert list(tmp_path.iterdir()) == []


def test_what_the_keyring_does_not_take_goes_into_a_file_and_counts(tmp_path: Path, keyring: MemoryKeyring) -> None:
    store = SecretStore(tmp_path)
    store.set("login", "old")
    store.set("login", "n" * (MOST_LETTERS + 1))
    assert store.get("login") == "n" * (MOST_LETTERS + 1)
    store.set("login", "short")
    assert store.get("login") == "short"
    assert keyring.kept == {(f"transcription-client {tmp_path}", "login"): "short"}


def test_a_locked_keyring_is_told_and_is_not_a_missing_login(tmp_path: Path, keyring: MemoryKeyring) -> None:
    keyring.locked = True
    with pytest.raises(ClientError, match=r"Can't open your system's keyring \(no prompt\). Unlock it"):
        Store(tmp_path).load()
    with pytest.raises(ClientError, match="Unlock it"):
        SecretStore(tmp_path).delete("login")


def test_a_locked_keyring_takes_nothing_so_that_a_file_keeps_it(tmp_path: Path, keyring: MemoryKeyring) -> None:
    keyring.locked = True
    SecretStore(tmp_path).set("byok_api_key", "k-1")
    assert SecretStore(tmp_path).get("byok_api_key") == "k-1"

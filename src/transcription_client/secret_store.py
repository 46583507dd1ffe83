"""Keeps logins and API keys in the system's keyring, or in files only their owner can read where there is none."""

import os
from pathlib import Path
from typing import Final

import keyring
import platformdirs
from keyring.errors import KeyringError, PasswordDeleteError

from transcription_client.errors import ClientError
from transcription_client.files import replace_file, writing

SERVICE: Final = "transcription-client"
SECURE_PRIORITY: Final = 1
"""The least priority of a keyring that encrypts. keyring gives 0 to one that only fails, and 0.5 to plain text."""
MOST_LETTERS: Final = 1280
"""The longest secret that Windows keeps (CRED_MAX_CREDENTIAL_BLOB_SIZE is 2,560 bytes, in UTF-16)."""


def folder() -> Path:
    """Return the folder of settings and logins: TRANSCRIPTION_CONFIG_DIR, or the platform's folder for settings."""
    chosen = os.environ.get("TRANSCRIPTION_CONFIG_DIR")
    return Path(chosen) if chosen else platformdirs.user_config_path(SERVICE)


class SecretStore:
    """The secrets that belong to one folder of settings, by name."""

    def __init__(self, directory: Path | None = None) -> None:
        self._folder = directory or folder()
        is_default = self._folder == platformdirs.user_config_path(SERVICE)
        self._service = SERVICE if is_default else f"{SERVICE} {self._folder}"

    def get(self, name: str) -> str | None:
        """Return a secret, or None where there is none. Raise ClientError where the keyring is locked."""
        try:
            return self._file(name).read_text(encoding="utf-8")  # written where the keyring failed, so it is newer
        except (OSError, UnicodeError):
            return self._from_keyring(name)

    def set(self, name: str, value: str) -> None:
        """Keep a secret. Raise ClientError."""
        if not self._into_keyring(name, value):
            replace_file(self._file(name), value.encode())
        elif self._file(name).exists():
            self._delete_file(name)

    def delete(self, name: str) -> None:
        """Forget a secret. Raise ClientError."""
        self._delete_file(name)
        if not has_keyring():
            return
        try:
            keyring.delete_password(self._service, name)
        except PasswordDeleteError:
            return  # there was none
        except (KeyringError, OSError) as error:
            raise _locked(error) from error

    def place(self) -> str:
        """Return a sentence that says where secrets are kept."""
        if has_keyring():
            return "Logins and keys are kept in your system's keyring."
        return f"This system has no keyring. Logins and keys are kept in {self._folder}, in files only you can read."

    def _from_keyring(self, name: str) -> str | None:
        if not has_keyring():
            return None
        try:
            return keyring.get_password(self._service, name)
        except (KeyringError, OSError) as error:
            raise _locked(error) from error

    def _into_keyring(self, name: str, value: str) -> bool:
        """Return whether the keyring took the secret."""
        if not has_keyring() or len(value) > MOST_LETTERS:
            return False
        try:
            keyring.set_password(self._service, name, value)
        except (KeyringError, OSError):
            return False
        return True

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.json" if name == "login" else self._folder / f"{name}.secret"

    def _delete_file(self, name: str) -> None:
        with writing(self._folder):
            self._file(name).unlink(missing_ok=True)


def has_keyring() -> bool:
    """Return whether the system has a keyring that encrypts."""
    return bool(keyring.get_keyring().priority >= SECURE_PRIORITY)


def _locked(error: Exception) -> ClientError:
    detail = str(error) or type(error).__name__
    return ClientError(f"Can't open your system's keyring ({detail}). Unlock it, then try again.")

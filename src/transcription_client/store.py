"""Keeps the login in a file that only its owner can read, under a lock, because a refresh token works once."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import platformdirs

from transcription_client import lock
from transcription_client.errors import ClientError

LOCK_SECONDS: Final = 40.0
"""How long to wait for the lock. Its holder may be waiting for the service."""


@dataclass(frozen=True, slots=True)
class Login:
    """A login at a server. `expires_at`: when `token` expires, in seconds since 1970."""

    server: str
    email: str
    token: str
    refresh_token: str
    expires_at: float


def folder() -> Path:
    """Return the folder of the login: TRANSCRIPTION_CONFIG_DIR, or the platform's folder for settings."""
    chosen = os.environ.get("TRANSCRIPTION_CONFIG_DIR")
    return Path(chosen) if chosen else platformdirs.user_config_path("transcription-client")


class Store:
    """The login of one user of this machine."""

    def __init__(self, directory: Path | None = None, lock_wait: float = LOCK_SECONDS) -> None:
        self._folder = directory or folder()
        self._file = self._folder / "login.json"
        self._lock_wait = lock_wait

    def load(self) -> Login | None:
        """Return the login, or None where there is none or its file cannot be read."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Login)
        except (OSError, ValueError):  # a DecodeError is one
            return None

    def save(self, login: Login) -> None:
        """Replace the login atomically, and never readable by others. Raise ClientError."""
        with self._writing():
            draft, name = tempfile.mkstemp(dir=self._folder, prefix="login-")  # made with mode 0600
            try:
                with os.fdopen(draft, "wb") as file:
                    file.write(msgspec.json.encode(login))
                Path(name).replace(self._file)
            except OSError:
                Path(name).unlink()
                raise

    def forget(self) -> None:
        """Delete the login. Raise ClientError."""
        with self._writing():
            self._file.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the login, after waiting for other processes. Raise ClientError if that takes too long."""
        path = self._folder / "login.lock"
        with self._writing():
            descriptor = lock.take(path, self._lock_wait)
        if descriptor is None:
            raise ClientError(f"Another program is using {path}. Close it, then try again.")
        try:
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Make the folder, for its owner only, and raise ClientError in place of OSError in the block."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            yield
        except OSError as error:
            raise ClientError(f"Can't write to {self._folder} ({error.strerror}). Fix that, then try again.") from error

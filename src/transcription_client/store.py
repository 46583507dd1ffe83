"""The login, in a file that only its owner can read, renewed under a lock: a refresh token works once."""

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

LOCK_WAIT: Final = 40.0
"""Seconds; who holds the lock may be waiting for the service."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who is logged in where. `expires_at`: of `token`, Unix seconds."""

    server: str
    email: str
    token: str
    refresh_token: str
    expires_at: float


def folder() -> Path:
    """TRANSCRIPTION_CONFIG_DIR, or the platform's place for settings."""
    chosen = os.environ.get("TRANSCRIPTION_CONFIG_DIR")
    return Path(chosen) if chosen else platformdirs.user_config_path("transcription-client")


class Store:
    """The login of one user of this machine."""

    def __init__(self, directory: Path | None = None, lock_wait: float = LOCK_WAIT) -> None:
        self._folder = directory or folder()
        self._file = self._folder / "login.json"
        self._lock_wait = lock_wait

    def load(self) -> Login | None:
        """The login, None without one or where the file is not ours."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Login)
        except (OSError, ValueError):  # a DecodeError is one
            return None

    def save(self, login: Login) -> None:
        """Replaces the login, at no moment readable by others or half written. Raises ClientError."""
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
        with self._writing():
            self._file.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One process at a time. Blocks; raises ClientError when that takes too long."""
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
        """There is a folder, made for its owner alone. Raises ClientError instead of OSError."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            yield
        except OSError as error:
            raise ClientError(f"Can't write to {self._folder} ({error.strerror}). Fix that, then try again.") from error

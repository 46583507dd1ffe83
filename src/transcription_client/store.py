"""Keeps the login among the secrets, under a lock, because a refresh token works once."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from transcription_client import lock
from transcription_client.errors import ClientError
from transcription_client.files import writing
from transcription_client.secret_store import SecretStore, folder

NAME: Final = "login"

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


class Store:
    """The login of one user of this machine."""

    def __init__(self, directory: Path | None = None, lock_wait: float = LOCK_SECONDS) -> None:
        self._folder = directory or folder()
        self._secrets = SecretStore(self._folder)
        self._lock_wait = lock_wait

    def load(self) -> Login | None:
        """Return the login, or None where there is none. Raise ClientError where the keyring is locked."""
        kept = self._secrets.get(NAME)
        try:
            return None if kept is None else msgspec.json.decode(kept, type=Login)
        except ValueError:  # a DecodeError is one
            return None

    def save(self, login: Login) -> None:
        """Replace the login atomically, and never readable by others. Raise ClientError."""
        self._secrets.set(NAME, msgspec.json.encode(login).decode())

    def forget(self) -> None:
        """Delete the login. Raise ClientError."""
        self._secrets.delete(NAME)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the login, after waiting for other processes. Raise ClientError if that takes too long."""
        path = self._folder / "login.lock"
        with writing(self._folder):
            descriptor = lock.take(path, self._lock_wait)
        if descriptor is None:
            raise ClientError(f"Another program is using {path}. Close it, then try again.")
        try:
            yield
        finally:
            os.close(descriptor)

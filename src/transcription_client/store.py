"""The login, in a file that only its owner can read, renewed under a lock: a refresh token works once."""

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import platformdirs

from transcription_client.errors import ClientError

LOCK_WAIT: Final = 30.0
"""Seconds after which a lock is one that its owner left behind."""
LOCK_POLL: Final = 0.05


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

    def __init__(self, directory: Path | None = None) -> None:
        self._folder = directory or folder()
        self._file = self._folder / "login.json"

    def load(self) -> Login | None:
        """The login, None without one or where the file is not ours."""
        try:
            return Login(**json.loads(self._file.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def save(self, login: Login) -> None:
        """Replaces the login, at no moment readable by others or half written."""
        self._make_folder()
        with tempfile.NamedTemporaryFile("w", dir=self._folder, delete=False) as draft:  # made with mode 0600
            json.dump(asdict(login), draft)
        Path(draft.name).replace(self._file)

    def forget(self) -> None:
        self._file.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One process at a time. Blocks; raises ClientError when that takes too long."""
        self._make_folder()
        lock = self._folder / "login.lock"
        give_up_at = time.monotonic() + LOCK_WAIT
        while not _make(lock):
            if _age(lock) > LOCK_WAIT:
                lock.unlink(missing_ok=True)
            elif time.monotonic() > give_up_at:
                raise ClientError(f"Another program holds {lock}: end it, or remove the file.")
            else:
                time.sleep(LOCK_POLL)
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ClientError(f"{self._folder} cannot be made: {error.strerror}.") from error


def _make(lock: Path) -> bool:
    try:
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return False
    return True


def _age(lock: Path) -> float:
    try:
        return time.time() - lock.stat().st_mtime
    except FileNotFoundError:
        return 0.0

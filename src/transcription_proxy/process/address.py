"""The running service's URL, noted in DATA_DIR for commands that do not have its settings."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from transcription_proxy.config import Settings

FILE: Final = "address"
"""The name of the file in DATA_DIR."""


@contextmanager
def publish(data_dir: Path, url: str) -> Iterator[None]:
    """Note the service's URL, and lock the note while the block runs. The kernel drops the lock with the process."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(data_dir / FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        os.ftruncate(descriptor, os.write(descriptor, url.encode()))
        yield
    finally:
        os.close(descriptor)


def find(data_dir: Path) -> str | None:
    """Return the URL of the service that runs with this DATA_DIR, or None where none does."""
    try:
        with (data_dir / FILE).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read()
    except OSError:
        pass
    return None


def site(settings: Settings) -> tuple[str, bool]:
    """Return the URL that users reach, and whether it is only a guess."""
    running = None if settings.public_url_given else find(settings.data_dir)
    return running or settings.public_url, not (running or settings.public_url_given)

"""A lock between processes on a file. The system drops it however its holder ends."""

import os
import sys
import time
from pathlib import Path
from typing import Final

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

POLL_SECONDS: Final = 0.05
"""Pause between two tries to take the lock."""


def take(path: Path, within: float) -> int | None:
    """Wait for a lock, at most `within` seconds, and return a descriptor; closing that releases the lock.

    Return None where the wait was too long. Raise OSError.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    give_up_at = time.monotonic() + within
    while not _take(descriptor):
        if time.monotonic() > give_up_at:
            os.close(descriptor)
            return None
        time.sleep(POLL_SECONDS)
    return descriptor


def _take(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True

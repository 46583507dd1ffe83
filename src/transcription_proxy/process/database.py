"""Keeps the bundled PostgreSQL running beside the children."""

import logging
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from transcription_proxy.db.embedded import Embedded
from transcription_proxy.errors import Unavailable

log = logging.getLogger(__name__)

CHECK_SECONDS: Final = 2.0
"""Seconds between checks."""
MIN_DISK_BYTES: Final = 32 << 20
"""Free bytes on the disk below which PostgreSQL cannot work."""


@contextmanager
def keep_running(database: Embedded) -> Iterator[None]:
    """Restart the bundled PostgreSQL whenever it dies, and log when its disk is full."""
    done = threading.Event()

    def watch() -> None:
        full = False
        while not done.wait(CHECK_SECONDS):
            try:
                full = _is_disk_full(database, full)
                database.ensure(done.is_set)
            except Unavailable as error:
                log.error("%s Trying again", error)
            except Exception:
                log.exception("the bundled PostgreSQL is down, trying again")  # the cause may pass

    thread = threading.Thread(target=watch, name="database-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _is_disk_full(database: Embedded, before: bool) -> bool:
    """Return whether the database's disk is too full to work. Logs changes."""
    now = shutil.disk_usage(database.home).free < MIN_DISK_BYTES
    if now and not before:
        log.error("the bundled PostgreSQL is out of disk space: free up space for %s", database.home)
    elif before and not now:
        log.warning("the bundled PostgreSQL has disk space again")
    return now

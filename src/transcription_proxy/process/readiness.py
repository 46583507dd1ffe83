"""Checks whether the service is ready as its users see it: the supervisor requests /health and /ready."""

import http.client
import threading
import time
from collections.abc import Callable
from typing import Final

LATE_SECONDS: Final = 10.0
"""A start that takes longer than this is explained in the log."""
REMIND_SECONDS: Final = 60.0
"""Seconds between explanations."""
POLL_SECONDS: Final = 0.1
"""Seconds between requests until LATE_SECONDS."""
LATE_POLL_SECONDS: Final = 5.0
"""Seconds between requests after LATE_SECONDS."""
REQUEST_SECONDS: Final = 10.0
"""Seconds that an answer may take."""
OBSTACLES: Final = {
    "/health": "can't use the database",
    "/ready": "the database is still being prepared, or the service is shutting down",
}


def watch(address: tuple[str, int], on_ready: Callable[[], None], on_late: Callable[[str], None]) -> None:
    """Call `on_ready` once the service is ready. Until then call `on_late` now and then with the obstacle.

    Both are called in a thread.
    """
    threading.Thread(target=_wait, args=(address, on_ready, on_late), name="readiness", daemon=True).start()


def find_obstacle(address: tuple[str, int]) -> str | None:
    """Return what keeps the service from being ready, or None."""
    for path, obstacle in OBSTACLES.items():
        connection = http.client.HTTPConnection(*address, timeout=REQUEST_SECONDS)  # takes no proxy
        try:
            connection.request("GET", path)
            if connection.getresponse().status != http.HTTPStatus.OK:
                return obstacle
        except (OSError, http.client.HTTPException):
            return "no worker answers"
        finally:
            connection.close()
    return None


def _wait(address: tuple[str, int], on_ready: Callable[[], None], on_late: Callable[[str], None]) -> None:
    began = time.monotonic()
    explain_at = began + LATE_SECONDS
    while obstacle := find_obstacle(address):
        now = time.monotonic()
        if now >= explain_at:
            explain_at = now + REMIND_SECONDS
            on_late(f"not ready after {now - began:.0f} s: {obstacle}. See the log")
        time.sleep(POLL_SECONDS if now - began < LATE_SECONDS else LATE_POLL_SECONDS)
    on_ready()

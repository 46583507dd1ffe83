"""Notices X-Forwarded-For from a peer that TRUSTED_PROXIES does not name: then all clients share that peer's limits.

The first such peer is logged, and noted in DATA_DIR for `doctor`."""

from ipaddress import ip_address
from pathlib import Path
from typing import Final

import structlog

FILE: Final = "untrusted_proxy"
"""The name of the note in DATA_DIR."""
log = structlog.get_logger(__name__)


class UntrustedProxies:
    """Warns once in a process. `data_dir` None: without a note."""

    def __init__(self, data_dir: Path | None = None) -> None:
        self._data_dir = data_dir
        self._has_warned = False

    def record(self, peer: str) -> None:
        """Record that `peer`, which is not trusted, sent X-Forwarded-For."""
        if self._has_warned:
            return
        self._has_warned = True
        log.warning("forwarded_for_ignored", peer=peer, hint="if this is your proxy, add it to TRUSTED_PROXIES")
        if self._data_dir is not None:
            try:
                (self._data_dir / FILE).write_text(peer)
            except OSError as error:
                log.warning("note_not_written", file=FILE, error=str(error))


def last_untrusted(data_dir: Path) -> str | None:
    """Return the noted peer, None if there is none."""
    try:
        return str(ip_address((data_dir / FILE).read_text().strip()))
    except (OSError, ValueError):
        return None

"""Checks for `/health` whether the database is writable, with at most one probe a second for all requests."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from transcription_proxy.errors import Unavailable

FRESH_SECONDS: Final = 1.0
"""How long an answer is used, counted from the start of its probe."""
PROBE_SECONDS: Final = 2.0
"""How long a probe may take."""
log = structlog.get_logger(__name__)


class Writable(Protocol):
    """The part of the ledger that a probe needs."""

    async def prove_writable(self, timeout: float) -> None:  # noqa: ASYNC109
        """Raise Unavailable where a settle could not be booked."""


class Watch:
    """Probes whether the database is writable. `is_failing`: whether settles of this process fail just now.

    While they fail, a successful probe does not make the service healthy."""

    def __init__(self, ledger: Writable, is_failing: Callable[[], bool]) -> None:
        self._ledger = ledger
        self._is_failing = is_failing
        self._probe: asyncio.Task[bool] | None = None
        self._probed_at = 0.0
        self._was_writable: bool | None = None
        """None until the first success. A service that starts before its database logs that elsewhere."""

    async def is_writable(self) -> bool:
        """Return whether settles can be booked now."""
        now = asyncio.get_running_loop().time()
        is_stale = self._was_writable is None or now - self._probed_at >= FRESH_SECONDS
        if self._probe is None or (self._probe.done() and is_stale):
            self._probe, self._probed_at = asyncio.create_task(self._prove()), now
        proven = await asyncio.shield(self._probe)
        return proven and not self._is_failing()

    async def _prove(self) -> bool:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._ledger.prove_writable(PROBE_SECONDS)
        except (Unavailable, TimeoutError) as error:
            if self._was_writable:
                log.warning("database_not_writable", error=str(error))
                self._was_writable = False
            return False
        if self._was_writable is False:
            log.warning("database_writable_again")
        self._was_writable = True
        return True

"""Checks the service's parts for the status page, at a bounded rate however many visitors request it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

FRESH_SECONDS: Final = 15.0
"""How long one report is used before the parts are checked again."""
CHECK_SECONDS: Final = 5.0
"""Timeout of a check of one part."""
Probe = Callable[[], Awaitable[bool]]


class State(StrEnum):
    """State of the whole service. A single part is only operational or down."""

    OPERATIONAL = "operational"
    DEGRADED = "degraded"
    DOWN = "down"


class Part(StrEnum):
    """A part of the service that the status page lists."""

    DATABASE = "database"
    SPEECH_ENGINE = "speech_engine"
    PAYMENTS = "payments"


@dataclass(frozen=True, slots=True)
class Report:
    """Which parts worked at one moment."""

    parts: Mapping[Part, bool]
    checked_at: datetime

    @property
    def state(self) -> State:
        """Return the state of the service, which is down without its database or if no part works."""
        if all(self.parts.values()):
            return State.OPERATIONAL
        works = self.parts.get(Part.DATABASE, True) and any(self.parts.values())
        return State.DEGRADED if works else State.DOWN


class Board:
    """Checks all parts at once, at most every FRESH_SECONDS. Requests in between get the same report."""

    def __init__(self, probes: Mapping[Part, Probe], clock: Callable[[], float] = time.monotonic) -> None:
        self._probes = probes
        self._clock = clock
        self._lock = asyncio.Lock()
        self._report: Report | None = None
        self._stale_at = 0.0

    async def report(self) -> Report:
        async with self._lock:
            if self._report is None or self._clock() >= self._stale_at:
                works = await asyncio.gather(*map(_works, self._probes.values()))
                self._report = Report(dict(zip(self._probes, works, strict=True)), datetime.now(UTC))
                self._stale_at = self._clock() + FRESH_SECONDS
            return self._report


async def _works(probe: Probe) -> bool:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await probe()
    except TimeoutError:
        return False

"""The health of the service's parts, asked of them seldom however many visitors look at the status page."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

FRESH_SECONDS: Final = 15.0
"""How long one report is shown before the parts are asked again."""
WITHIN_SECONDS: Final = 5.0
"""How long each part has for an answer."""
Probe = Callable[[], Awaitable[bool]]


class State(StrEnum):
    """Of the whole service; a part of it is operational or down."""

    OPERATIONAL = "operational"
    DEGRADED = "degraded"
    DOWN = "down"


class Part(StrEnum):
    """What the service is made of."""

    DATABASE = "database"
    SPEECH_ENGINE = "speech_engine"
    PAYMENTS = "payments"


@dataclass(frozen=True, slots=True)
class Report:
    """What worked at one moment."""

    parts: Mapping[Part, bool]
    checked_at: datetime

    @property
    def state(self) -> State:
        """Without its database, or with nothing that works, the service is down."""
        if all(self.parts.values()):
            return State.OPERATIONAL
        works = self.parts.get(Part.DATABASE, True) and any(self.parts.values())
        return State.DEGRADED if works else State.DOWN


class Board:
    """Asks all parts at once, at most every FRESH_SECONDS; whoever comes meanwhile is shown the same report."""

    def __init__(self, probes: Mapping[Part, Probe], clock: Callable[[], float] = time.monotonic) -> None:
        self._probes = probes
        self._clock = clock
        self._lock = asyncio.Lock()
        self._report: Report | None = None
        self._stale_at = 0.0

    async def look(self) -> Report:
        async with self._lock:
            if self._report is None or self._clock() >= self._stale_at:
                works = await asyncio.gather(*map(_works, self._probes.values()))
                self._report = Report(dict(zip(self._probes, works, strict=True)), datetime.now(UTC))
                self._stale_at = self._clock() + FRESH_SECONDS
            return self._report


async def _works(probe: Probe) -> bool:
    try:
        async with asyncio.timeout(WITHIN_SECONDS):
            return await probe()
    except TimeoutError:
        return False

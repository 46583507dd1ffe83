"""Hashes passwords with bcrypt in a few threads beside the event loop. Callers wait in a fair queue (fair_queue.py)."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from functools import partial
from typing import Final, TypeVar

import bcrypt

from transcription_proxy.accounts import passwords
from transcription_proxy.accounts.fair_queue import FairQueue, Requester

COST: Final = 12
"""bcrypt's cost factor: 0.22 s a hash."""
THREADS: Final = 2
"""Hashes computed at once."""
MAX_WAITING: Final = 32
"""Requests that may wait for a thread at once."""
WAIT_SECONDS: Final = 10.0
"""How long a request may wait for a thread."""
DUMMY: Final = "$2b$12$lwaH42q8FeUEXDYGiYfI9.P8KSsUJO/YUVzauWYHcR6gdvaQZo/6y"
"""The hash that is checked for an unknown account, so that both answers take equally long."""
T = TypeVar("T")


class Match(Enum):
    """How a password fits a hash. OUTDATED: it fits without normalisation, so the hash should be renewed."""

    NO = "no"
    YES = "yes"
    OUTDATED = "outdated"


class Hasher:
    """bcrypt with a queue in front. Every call raises Refusal service_unavailable when too many requests wait."""

    def __init__(self, cost: int = COST) -> None:
        self._cost = cost
        self._threads = ThreadPoolExecutor(THREADS, "bcrypt")
        self._queue = FairQueue(THREADS, MAX_WAITING, WAIT_SECONDS)

    async def hash(self, accepted: bytes, requester: Requester) -> str:
        """Return the hash of the bytes that `passwords.accept` returned."""
        return await self._run(requester, lambda: bcrypt.hashpw(accepted, bcrypt.gensalt(self._cost)).decode())

    async def match(self, password: str, hashed: str | None, requester: Requester) -> Match:
        """Compare a password with a hash. Take equally long for an unknown account (None) or an unusable password."""
        forms = passwords.forms(password)
        for number, form in enumerate(forms or [b""]):
            found = await self._run(requester, partial(bcrypt.checkpw, form, (hashed or DUMMY).encode()))
            if found and forms and hashed is not None:
                return Match.OUTDATED if number else Match.YES
        return Match.NO

    async def _run(self, requester: Requester, work: Callable[[], T]) -> T:
        async with self._queue.slot(requester):
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)

"""Work that goes on for as long as the sandbox does: when it dies, that is logged and it is started again."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from transcription_sandbox import checkout
from transcription_sandbox.state import State

REST: Final = 1.0
LONGEST_LOOK_AWAY: Final = 30.0
"""Seconds. A session is open for at least half an hour, so none is missed."""
log = logging.getLogger(__name__)


async def keep(name: str, run: Callable[[], Awaitable[None]], rest: float = REST) -> None:
    """For ever."""
    while True:
        try:
            await run()
        except Exception:
            log.exception("%s failed and is started again", name)
        await asyncio.sleep(rest)


async def expire_sessions(state: State, clock: Callable[[], float] = time.time) -> None:
    """For ever."""
    while True:
        now = clock()
        with state.transaction(now) as records:
            due = checkout.expire_due(records)
        away = LONGEST_LOOK_AWAY if due is None else min(max(due - now, 0.1), LONGEST_LOOK_AWAY)
        await asyncio.sleep(away)

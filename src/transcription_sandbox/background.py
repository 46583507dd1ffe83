"""Tasks that run as long as the sandbox."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from transcription_sandbox import checkout
from transcription_sandbox.state import State

RESTART_SECONDS: Final = 1.0
EXPIRY_CHECK_SECONDS: Final = 30.0
log = logging.getLogger(__name__)


async def keep_running(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a task until cancelled. Log when it fails, and start it again."""
    while True:
        try:
            await run()
        except Exception:
            log.exception("%s failed and is started again", name)
        await asyncio.sleep(RESTART_SECONDS)


async def expire_sessions(state: State) -> None:
    """Expire Checkout Sessions that have been open for too long, until cancelled."""
    while True:
        with state.transaction(time.time()) as records:
            checkout.expire_due(records)
        await asyncio.sleep(EXPIRY_CHECK_SECONDS)

"""Waiting for a condition. Tests poll here and nowhere else."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any, Final

PAUSE_SECONDS: Final = 0.01
"""Between two looks at a condition."""
WITHIN_SECONDS: Final = 20.0


async def until(condition: Callable[[], Any], within: float = WITHIN_SECONDS) -> Any:
    """Wait until `condition`, or the coroutine that it returns, is true. Return its value.

    Raise TimeoutError after `within` seconds."""
    async with asyncio.timeout(within):
        while not (value := await _value_of(condition())):
            await asyncio.sleep(PAUSE_SECONDS)
        return value


def block_until(condition: Callable[[], object], within: float = WITHIN_SECONDS) -> None:
    """Do the same without an event loop."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() >= deadline:
            raise TimeoutError(f"{condition} did not come true within {within} s")
        time.sleep(PAUSE_SECONDS)


async def _value_of(answer: Any) -> Any:
    return await answer if inspect.isawaitable(answer) else answer

"""Passwords: what is accepted, and bcrypt in a few threads with a bounded queue, never on the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import bcrypt

from transcription_proxy.errors import Refusal
from transcription_wire.codes import ErrorCode

COST: Final = 12
SHORTEST: Final = 8
"""Characters."""
LONGEST: Final = 72
"""Bytes: bcrypt looks at no more."""
THREADS: Final = 2
MOST_WAITING: Final = 32
"""Hashes asked for and not done: at 0.22 s each the last one waits about 4 s."""
DUMMY: Final = "$2b$12$lwaH42q8FeUEXDYGiYfI9.P8KSsUJO/YUVzauWYHcR6gdvaQZo/6y"
"""Checked for an address that does not exist, so that both answers take equally long."""
T = TypeVar("T")


def accept(password: str) -> bytes:
    """The bytes to hash. Raises Refusal weak_password."""
    encoded = _encode(password)
    if encoded is None or len(password) < SHORTEST:
        raise Refusal("weak_password", f"Use {SHORTEST} characters or more, and at most {LONGEST} bytes.")
    return encoded


class Hasher:
    """bcrypt, a few at a time. Beyond MOST_WAITING it raises Refusal service_unavailable instead of queueing."""

    def __init__(self, cost: int = COST) -> None:
        self._cost = cost
        self._threads = ThreadPoolExecutor(THREADS, "bcrypt")
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """Raises Refusal weak_password."""
        accepted = accept(password)
        return await self._run(lambda: bcrypt.hashpw(accepted, bcrypt.gensalt(self._cost)).decode())

    async def matches(self, password: str, hashed: str | None) -> bool:
        """Whether it is the password of that hash. Without one, or for a password that nobody has, it works as long."""
        given = _encode(password)
        found = await self._run(lambda: bcrypt.checkpw(given or b"", (hashed or DUMMY).encode()))
        return found and given is not None and hashed is not None

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= MOST_WAITING:
            raise Refusal(ErrorCode.SERVICE_UNAVAILABLE, "Too many logins at once: try again in a moment.")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1


def _encode(password: str) -> bytes | None:
    """None for what cannot be a password: over bcrypt's limit, with a NUL, or no Unicode text."""
    try:
        encoded = password.encode()
    except UnicodeEncodeError:
        return None
    return encoded if len(encoded) <= LONGEST and b"\0" not in encoded else None

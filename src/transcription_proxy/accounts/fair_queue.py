"""A queue for a few slots that is fair among accounts, then among network addresses.

A request waits behind every request whose account has fewer requests in the queue, so a flood from one account delays
the others by one slot at most."""

import asyncio
from bisect import insort
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal
from transcription_wire.codes import ErrorCode


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asks for a slot: an account, by its email address, and a client, by its network address."""

    account: str
    client: str

    @property
    def keys(self) -> tuple[str, str]:
        return f"account {self.account}", f"client {self.client}"


@dataclass(order=True, slots=True)
class _Waiter:
    """A request in the queue; the lowest one is next.

    `ahead`: requests of its account and of its client that were waiting or running when it arrived. `granted`: done
    when the request gets its slot."""

    ahead: tuple[int, int]
    number: int
    keys: tuple[str, str] = field(compare=False)
    granted: asyncio.Future[None] = field(compare=False)


class FairQueue:
    """`slots`: requests that run at once; one account or client never has all of them. `most_waiting`: with more, the
    last request in the queue is refused. `within`: seconds that a request waits at most."""

    def __init__(self, slots: int, most_waiting: int, within: float) -> None:
        self._free = slots
        self._slots_each = max(1, slots - 1)
        self._most_waiting = most_waiting
        self._within = within
        self._waiting: list[_Waiter] = []
        self._present: Counter[str] = Counter()
        self._running: Counter[str] = Counter()
        self._numbers = count()

    @asynccontextmanager
    async def slot(self, requester: Requester) -> AsyncIterator[None]:
        """Hold a slot while the block runs. Raise Refusal service_unavailable."""
        waiter = self._enqueue(requester.keys)
        try:
            await self._wait(waiter)
            yield
        finally:
            self._leave(waiter)

    async def _wait(self, waiter: _Waiter) -> None:
        try:
            async with asyncio.timeout(self._within):
                await waiter.granted
        except TimeoutError:
            raise busy() from None

    def _enqueue(self, keys: tuple[str, str]) -> _Waiter:
        ahead = (self._present[keys[0]], self._present[keys[1]])
        waiter = _Waiter(ahead, next(self._numbers), keys, asyncio.get_running_loop().create_future())
        self._present.update(keys)
        insort(self._waiting, waiter)
        self._advance()
        if len(self._waiting) > self._most_waiting:
            _refuse(self._waiting.pop().granted)
        return waiter

    def _advance(self) -> None:
        """Give the free slots to the first requests that may have one."""
        for waiter in list(self._waiting):
            if not self._free:
                break
            if not waiter.granted.done() and all(self._running[key] < self._slots_each for key in waiter.keys):
                self._waiting.remove(waiter)
                self._running.update(waiter.keys)
                self._free -= 1
                waiter.granted.set_result(None)

    def _leave(self, waiter: _Waiter) -> None:
        _subtract(self._present, waiter.keys)
        if waiter in self._waiting:
            self._waiting.remove(waiter)
        elif _was_granted(waiter.granted):
            _subtract(self._running, waiter.keys)
            self._free += 1
            self._advance()


def busy() -> Refusal:
    """Return the refusal for a full queue."""
    return Refusal(ErrorCode.SERVICE_UNAVAILABLE, sentences.TOO_MANY_LOGINS, 5)


def _refuse(granted: asyncio.Future[None]) -> None:
    if not granted.done():  # else its task was cancelled just now
        granted.set_exception(busy())


def _was_granted(granted: asyncio.Future[None]) -> bool:
    return granted.done() and not granted.cancelled() and granted.exception() is None


def _subtract(counter: Counter[str], keys: tuple[str, str]) -> None:
    """Subtract 1 from each key, and delete keys that reach 0."""
    for key in keys:
        counter[key] -= 1
        if not counter[key]:
            del counter[key]

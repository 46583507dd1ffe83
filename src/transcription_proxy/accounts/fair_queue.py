"""Whose turn is next at something that only a few can use at once: fair among accounts, then among addresses.

Who has more waiting already waits behind everybody who has less, so a flood delays others by one turn at most."""

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
    """For whom a turn is asked: an account, by its address for mail, and the client's network address."""

    account: str
    client: str

    @property
    def keys(self) -> tuple[str, str]:
        return f"account {self.account}", f"client {self.client}"


@dataclass(order=True, slots=True)
class _Waiter:
    """The lowest is next. `ahead`: what the account and the client had waiting and running when this one came."""

    ahead: tuple[int, int]
    number: int
    keys: tuple[str, str] = field(compare=False)
    turn: asyncio.Future[None] = field(compare=False)


class FairQueue:
    """`places`: turns at once, of which no account and no client has all; `most_waiting`: the last one in line is
    refused when there are more; `within`: seconds that one waits at most."""

    def __init__(self, places: int, most_waiting: int, within: float) -> None:
        self._free = places
        self._places_each = max(1, places - 1)
        self._most_waiting = most_waiting
        self._within = within
        self._waiting: list[_Waiter] = []
        self._present: Counter[str] = Counter()
        self._running: Counter[str] = Counter()
        self._numbers = count()

    @asynccontextmanager
    async def slot(self, requester: Requester) -> AsyncIterator[None]:
        """A place, for as long as the block runs. Raises Refusal service_unavailable."""
        waiter = self._line_up(requester.keys)
        try:
            await self._wait(waiter)
            yield
        finally:
            self._leave(waiter)

    async def _wait(self, waiter: _Waiter) -> None:
        try:
            async with asyncio.timeout(self._within):
                await waiter.turn
        except TimeoutError:
            raise busy() from None

    def _line_up(self, keys: tuple[str, str]) -> _Waiter:
        ahead = (self._present[keys[0]], self._present[keys[1]])
        waiter = _Waiter(ahead, next(self._numbers), keys, asyncio.get_running_loop().create_future())
        self._present.update(keys)
        insort(self._waiting, waiter)
        self._advance()
        if len(self._waiting) > self._most_waiting:
            _refuse(self._waiting.pop().turn)
        return waiter

    def _advance(self) -> None:
        """Gives the free places to the first ones in line who may have them."""
        for waiter in list(self._waiting):
            if not self._free:
                break
            if not waiter.turn.done() and all(self._running[key] < self._places_each for key in waiter.keys):
                self._waiting.remove(waiter)
                self._running.update(waiter.keys)
                self._free -= 1
                waiter.turn.set_result(None)

    def _leave(self, waiter: _Waiter) -> None:
        _subtract(self._present, waiter.keys)
        if waiter in self._waiting:
            self._waiting.remove(waiter)
        elif _was_given(waiter.turn):
            _subtract(self._running, waiter.keys)
            self._free += 1
            self._advance()


def busy() -> Refusal:
    return Refusal(ErrorCode.SERVICE_UNAVAILABLE, sentences.TOO_MANY_LOGINS, 5)


def _refuse(turn: asyncio.Future[None]) -> None:
    if not turn.done():  # else its task was cancelled just now
        turn.set_exception(busy())


def _was_given(turn: asyncio.Future[None]) -> bool:
    return turn.done() and not turn.cancelled() and turn.exception() is None


def _subtract(counter: Counter[str], keys: tuple[str, str]) -> None:
    """Keys that are down to 0 are forgotten."""
    for key in keys:
        counter[key] -= 1
        if not counter[key]:
            del counter[key]

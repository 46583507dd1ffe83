"""Carries settles and closes of all live sessions of a process to the ledger: one statement a tick."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final, Protocol
from uuid import UUID

import structlog

from transcription_proxy.errors import Unavailable
from transcription_proxy.stream import events as ev
from transcription_proxy.values import Closed, Closing, Settled, Settlement

TICK: Final = 0.05
"""Seconds between batches, in which settles gather."""
BATCH: Final = 500
LEFT_LOCKED: Final = 5.0
"""After so long with its row locked a settle counts as failed, seconds."""
ANSWERS_AT_ONCE: Final = 50
"""Then others get a turn: the loop is never held for long."""
CLOSES_AT_ONCE: Final = 4
RETRY_FIRST: Final = 0.5
RETRY_MOST: Final = 5.0

Happen = Callable[[ev.Event], None]
log = structlog.get_logger()


class Books(Protocol):
    """The part of the ledger that a settler needs."""

    async def settle(self, batch: Sequence[Settlement]) -> list[Settled]: ...

    async def close(self, closing: Closing) -> Closed: ...


class Settler:
    """Owns the way to the ledger. `run` must run for anything to be settled."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._due: dict[UUID, tuple[Settlement, Happen, float]] = {}
        self._wake = asyncio.Event()
        self._closes: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Semaphore(CLOSES_AT_ONCE)

    def settle(self, settlement: Settlement, happen: Happen) -> None:
        """Has it settled soon; answered by SettleAnswered or SettleFailed."""
        self._due[settlement.session_id] = (settlement, happen, asyncio.get_running_loop().time())
        self._wake.set()

    def close(self, closing: Closing, happen: Happen) -> None:
        """Has the session closed, however long it takes; answered by CloseCommitted."""
        self._due.pop(closing.session_id, None)  # the close states more
        task = asyncio.create_task(self._close(closing, happen))
        self._closes.add(task)
        task.add_done_callback(self._closes.discard)

    async def run(self) -> None:
        """Settles for ever: a lone session at once, many of them a batch a tick."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            for batch in self._batches():
                await self._settle(batch)
            await asyncio.sleep(TICK)
            if self._due:
                self._wake.set()

    async def finish(self, within: float) -> int:
        """Waits for the closes under way, some seconds; how many are left."""
        if self._closes:
            await asyncio.wait(self._closes, timeout=within)
        return len(self._closes)

    def _batches(self) -> list[list[Settlement]]:
        pending = iter([settlement for settlement, _, _ in self._due.values()])
        return list(iter(lambda: list(islice(pending, BATCH)), []))

    async def _settle(self, batch: list[Settlement]) -> None:
        try:
            answers = await self._books.settle(batch)
            now = asyncio.get_running_loop().time()
        except Exception as error:  # whatever it was: a session that is never answered would hang for ever
            if not isinstance(error, Unavailable):
                log.exception("settle_broke")
            answers = []
            now = float("inf")  # all of them failed
        for count, answer in enumerate(answers):
            self._report(answer.session_id, answer.number, ev.SettleAnswered(answer))
            if count % ANSWERS_AT_ONCE == ANSWERS_AT_ONCE - 1:
                await asyncio.sleep(0)
        for settlement in batch:
            entry = self._due.get(settlement.session_id)
            if entry is not None and entry[0] is settlement and now - entry[2] > LEFT_LOCKED:
                self._report(settlement.session_id, settlement.number, ev.SettleFailed())

    def _report(self, session_id: UUID, number: int, event: ev.Event) -> None:
        entry = self._due.get(session_id)
        if entry is not None and entry[0].number == number:
            del self._due[session_id]
            entry[1](event)

    async def _close(self, closing: Closing, happen: Happen) -> None:
        delay = RETRY_FIRST
        while True:
            try:
                async with self._turn:
                    closed = await self._books.close(closing)
            except Exception as error:  # a close is never given up: it is the bill
                if not isinstance(error, Unavailable):
                    log.exception("close_broke", session=str(closing.session_id))
                await asyncio.sleep(delay)
                delay = min(RETRY_MOST, 2 * delay)
            else:
                happen(ev.CloseCommitted(closed))
                return

"""Carries settles and closes of all live sessions of a process to the ledger: one statement a tick.

Where they fail, it keeps the sessions' leases alive, and counts what failed."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol
from uuid import UUID

import structlog

from transcription_proxy.errors import TooSlow, Unavailable
from transcription_proxy.stream import events as ev
from transcription_proxy.values import Closed, Closing, Settled, Settlement

TICK: Final = 0.05
"""Seconds between batches, in which settles gather."""
BATCH: Final = 500
"""Sessions asked for at once (money 19)."""
LEFT_LOCKED: Final = 5.0
"""After so long with its row locked a settle counts as failed, seconds."""
ANSWERS_AT_ONCE: Final = 50
"""Then others get a turn: the loop is never held for long."""
CLOSES_AT_ONCE: Final = 4
RENEW_EVERY_SECONDS: Final = 10.0
"""Between renewals of the leases of sessions whose settle or close has not got through."""
FAILED_SECONDS: Final = 30.0
"""How long a failed settle counts: a live relay states the next one long before."""
RETRY_FIRST: Final = 0.5
RETRY_MOST: Final = 5.0

Happen = Callable[[ev.Event], None]
log = structlog.get_logger()


class Books(Protocol):
    """The part of the ledger that a settler needs."""

    async def settle(self, batch: Sequence[Settlement]) -> list[Settled]: ...

    async def renew_leases(self, sessions: Sequence[UUID]) -> None: ...

    async def close(self, closing: Closing) -> Closed: ...


@dataclass(frozen=True, slots=True)
class Failure:
    """When the last settle or close of a session failed. `general`: because of the database, not of its row."""

    at: float
    general: bool


class Settler:
    """Owns the way to the ledger. `run` must run for anything to be settled, and `keep_leases` beside it."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._due: dict[UUID, tuple[Settlement, Happen, float]] = {}
        self._wake = asyncio.Event()
        self._closes: dict[UUID, asyncio.Task[None]] = {}
        self._turn = asyncio.Semaphore(CLOSES_AT_ONCE)
        self._failed: dict[UUID, Failure] = {}
        self.failures = 0
        """Settles and renewals that failed so far; the reaper watches it (money 21)."""

    @property
    def is_failing(self) -> bool:
        """Whether the database does not take settles or closes now: what begins now could not be booked."""
        self._forget_old_failures()
        return any(failure.general for failure in self._failed.values())

    def settle(self, settlement: Settlement, happen: Happen) -> None:
        """Has it settled soon; answered by SettleAnswered or SettleFailed."""
        self._due[settlement.session_id] = (settlement, happen, asyncio.get_running_loop().time())
        self._wake.set()

    def close(self, closing: Closing, happen: Happen) -> None:
        """Has the session closed, however long it takes; answered by CloseCommitted."""
        self._due.pop(closing.session_id, None)  # the close states more
        self._closes[closing.session_id] = task = asyncio.create_task(self._close(closing, happen))
        task.add_done_callback(lambda _: self._closes.pop(closing.session_id))

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

    async def keep_leases(self) -> None:
        """Renews, for ever, the leases of sessions that are live and cannot renew them by a settle (money 21)."""
        while True:
            await asyncio.sleep(RENEW_EVERY_SECONDS)
            if unbooked := self._unbooked():
                await self._renew(unbooked)

    async def _renew(self, sessions: list[UUID]) -> None:
        try:
            await self._books.renew_leases(sessions)
        except Exception as error:  # noqa: BLE001 - whatever it was, the next renewal may succeed
            self.failures += 1
            log.warning("leases_not_renewed", sessions=len(sessions), error=str(error))

    def _unbooked(self) -> list[UUID]:
        """Sessions that are closing, whose settle waits for long, or whose last one failed."""
        self._forget_old_failures()
        waiting = [session for session in self._due if self._waits_long(session)]
        return list({*self._closes, *waiting, *self._failed})

    def _forget_old_failures(self) -> None:
        old = asyncio.get_running_loop().time() - FAILED_SECONDS
        for session in [session for session, failure in self._failed.items() if failure.at < old]:
            del self._failed[session]

    async def finish(self, within: float) -> int:
        """Waits for the closes under way, some seconds; how many are left."""
        if self._closes:
            await asyncio.wait(self._closes.values(), timeout=within)
        return len(self._closes)

    def _batches(self) -> list[list[Settlement]]:
        pending = iter([settlement for settlement, _, _ in self._due.values()])
        return list(iter(lambda: list(islice(pending, BATCH)), []))

    async def _settle(self, batch: list[Settlement]) -> None:
        try:
            answers = await self._books.settle(batch)
        except Exception as error:  # whatever it was: a session that is never answered would hang for ever
            if not isinstance(error, Unavailable):
                log.exception("settle_broke")
            elif not self.is_failing:
                log.warning("settles_fail", error=str(error))
            self._fail(batch, general=True)
            if isinstance(error, TooSlow):  # it locked these rows all the while, and soon the next settle does
                await self._renew([settlement.session_id for settlement in batch])
            return
        for count, answer in enumerate(answers):
            self._failed.pop(answer.session_id, None)
            self._report(answer.session_id, answer.number, ev.SettleAnswered(answer))
            if count % ANSWERS_AT_ONCE == ANSWERS_AT_ONCE - 1:
                await asyncio.sleep(0)
        locked = [settlement for settlement in batch if self._waits_long(settlement.session_id)]
        if locked:
            self._fail(locked, general=False)

    def _waits_long(self, session_id: UUID) -> bool:
        entry = self._due.get(session_id)
        return entry is not None and asyncio.get_running_loop().time() - entry[2] > LEFT_LOCKED

    def _fail(self, batch: list[Settlement], *, general: bool) -> None:
        self.failures += 1
        for settlement in batch:
            entry = self._due.get(settlement.session_id)
            if entry is not None and entry[0] is settlement:
                self._failed[settlement.session_id] = Failure(asyncio.get_running_loop().time(), general)
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
                general = isinstance(error, Unavailable) and not isinstance(error, TooSlow)
                self._failed[closing.session_id] = Failure(asyncio.get_running_loop().time(), general)
                if isinstance(error, TooSlow):
                    await self._renew([closing.session_id])
                await asyncio.sleep(delay)
                delay = min(RETRY_MOST, 2 * delay)
            else:
                self._failed.pop(closing.session_id, None)
                happen(ev.CloseCommitted(closed))
                return

"""Books the settles and closes of all live sessions of a process in the ledger, in one statement a tick.

While they fail, the settler renews the sessions' leases apart from them, and counts the failures."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol
from uuid import UUID

import structlog

from transcription_proxy import metrics
from transcription_proxy.backoff import Backoff
from transcription_proxy.errors import TooSlow, Unavailable
from transcription_proxy.stream import events as ev
from transcription_proxy.values import Closed, Closing, Settled, Settlement

TICK_SECONDS: Final = 0.25
"""Seconds between batches, in which settles collect: a statement costs PostgreSQL as much as booking 30 sessions. With
10,000 sessions twice the pause saves 6 % of PostgreSQL's CPU, and answers later."""
BATCH_SESSIONS: Final = 500
"""Sessions settled in one statement, at most (money 19)."""
MAX_LOCKED_SECONDS: Final = 5.0
"""Seconds after which a settle whose row stays locked counts as failed."""
ANSWERS_AT_ONCE: Final = 16
"""Answers reported before other tasks get a turn of the event loop: about a millisecond."""
CLOSES_AT_ONCE: Final = 4
"""Closes that use the database at the same time, at most."""
RENEW_EVERY_SECONDS: Final = 10.0
"""Seconds between renewals of the leases of sessions whose settle or close has not succeeded."""
FAILURE_SECONDS: Final = 30.0
"""Seconds that a failed settle counts as failing: a live session sends the next one long before."""
CLOSE_BACKOFF: Final = Backoff(first=0.5, longest=5.0)
"""Pauses between tries to commit a close."""

Report = Callable[[ev.Event], None]
log = structlog.get_logger()


class SessionLedger(Protocol):
    """The part of the ledger that a settler needs."""

    async def settle(self, batch: Sequence[Settlement]) -> list[Settled]: ...

    async def renew_leases(self, sessions: Mapping[UUID, UUID]) -> None: ...

    async def close(self, closing: Closing) -> Closed: ...


@dataclass(frozen=True, slots=True)
class Failure:
    """When a session's last settle or close failed. `general`: because of the database, not of a locked row."""

    at: float
    general: bool
    user_id: UUID


class Settler:
    """Sends sessions' settles and closes to the ledger. `run` and `keep_leases` must run as background tasks."""

    def __init__(self, ledger: SessionLedger) -> None:
        self._ledger = ledger
        self._due: dict[UUID, tuple[Settlement, Report, float]] = {}
        self._wake = asyncio.Event()
        self._closes: dict[asyncio.Task[None], Closing] = {}
        self._close_slots = asyncio.Semaphore(CLOSES_AT_ONCE)
        self._failed: dict[UUID, Failure] = {}
        self.failures = 0
        """Settles and renewals that failed so far. The reaper compares it (money 21)."""

    @property
    def is_failing(self) -> bool:
        """Whether the database takes no settles or closes now, so that a new session could not be booked."""
        self._forget_old_failures()
        return any(failure.general for failure in self._failed.values())

    def settle(self, settlement: Settlement, report: Report) -> None:
        """Queue a settle. `report` gets SettleAnswered or SettleFailed."""
        self._due[settlement.session_id] = (settlement, report, asyncio.get_running_loop().time())
        self._wake.set()

    def close(self, closing: Closing, report: Report) -> None:
        """Close a session, however many tries it takes. `report` gets CloseCommitted."""
        self._due.pop(closing.session_id, None)  # the close supersedes the settle
        task = asyncio.create_task(self._close(closing, report))
        self._closes[task] = closing
        task.add_done_callback(self._closes.pop)

    async def run(self) -> None:
        """Settle until cancelled: a single settle at once, many in batches, one batch a tick."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            for batch in self._batches():
                await self._settle(batch)
            await asyncio.sleep(TICK_SECONDS)
            if self._due:
                self._wake.set()

    async def keep_leases(self) -> None:
        """Renew the leases of live sessions whose settles do not renew them, until cancelled (money 21)."""
        while True:
            await asyncio.sleep(RENEW_EVERY_SECONDS)
            if unbooked := self._unbooked():
                await self._renew(unbooked)

    async def _renew(self, sessions: Mapping[UUID, UUID]) -> None:
        """`sessions`: the user of each session."""
        try:
            await self._ledger.renew_leases(sessions)
        except Exception as error:  # noqa: BLE001 - the next renewal may succeed
            self.failures += 1
            log.warning("lease_renewal_failed", sessions=len(sessions), error=str(error))

    def _unbooked(self) -> dict[UUID, UUID]:
        """Return the users of sessions that are closing, whose settle is overdue, or whose last settle failed."""
        self._forget_old_failures()
        closing = {closing.session_id: closing.user_id for closing in self._closes.values()}
        waiting = {session: due[0].user_id for session, due in self._due.items() if self._is_overdue(session)}
        return closing | waiting | {session: failure.user_id for session, failure in self._failed.items()}

    def _forget_old_failures(self) -> None:
        old = asyncio.get_running_loop().time() - FAILURE_SECONDS
        for session in [session for session, failure in self._failed.items() if failure.at < old]:
            del self._failed[session]

    async def finish(self, within: float) -> int:
        """Wait for the closes under way, `within` seconds at most. Return how many are left."""
        if self._closes:
            await asyncio.wait(self._closes, timeout=within)
        return len(self._closes)

    def _batches(self) -> list[list[Settlement]]:
        pending = iter([settlement for settlement, _, _ in self._due.values()])
        return list(iter(lambda: list(islice(pending, BATCH_SESSIONS)), []))

    async def _settle(self, batch: list[Settlement]) -> None:
        try:
            answers = await self._ledger.settle(batch)
        except Exception as error:  # every settle needs an answer, or its session hangs
            if not isinstance(error, Unavailable):
                log.exception("settle_failed")
            elif not self.is_failing:
                log.warning("settles_failing", error=str(error))
            self._fail(batch, general=True)
            if isinstance(error, TooSlow):  # it held the rows locked, and the next settle will
                await self._renew({settlement.session_id: settlement.user_id for settlement in batch})
            return
        metrics.SETTLES.labels("booked").inc(len(answers))
        for count, answer in enumerate(answers):
            self._failed.pop(answer.session_id, None)
            self._report(answer.session_id, answer.number, ev.SettleAnswered(answer))
            if count % ANSWERS_AT_ONCE == ANSWERS_AT_ONCE - 1:
                await asyncio.sleep(0)
        locked = [settlement for settlement in batch if self._is_overdue(settlement.session_id)]
        if locked:
            self._fail(locked, general=False)

    def _is_overdue(self, session_id: UUID) -> bool:
        entry = self._due.get(session_id)
        return entry is not None and asyncio.get_running_loop().time() - entry[2] > MAX_LOCKED_SECONDS

    def _fail(self, batch: list[Settlement], *, general: bool) -> None:
        self.failures += 1
        metrics.SETTLES.labels("failed").inc(len(batch))
        for settlement in batch:
            entry = self._due.get(settlement.session_id)
            if entry is not None and entry[0] is settlement:
                now = asyncio.get_running_loop().time()
                self._failed[settlement.session_id] = Failure(now, general, settlement.user_id)
                self._report(settlement.session_id, settlement.number, ev.SettleFailed())

    def _report(self, session_id: UUID, number: int, event: ev.Event) -> None:
        entry = self._due.get(session_id)
        if entry is not None and entry[0].number == number:
            del self._due[session_id]
            entry[1](event)

    async def _close(self, closing: Closing, report: Report) -> None:
        failures = 0
        while True:
            try:
                async with self._close_slots:
                    closed = await self._ledger.close(closing)
            except Exception as error:  # retried without limit: a close is the bill
                if not isinstance(error, Unavailable):
                    log.exception("close_failed", session=str(closing.session_id))
                general = isinstance(error, Unavailable) and not isinstance(error, TooSlow)
                now = asyncio.get_running_loop().time()
                self._failed[closing.session_id] = Failure(now, general, closing.user_id)
                if isinstance(error, TooSlow):
                    await self._renew({closing.session_id: closing.user_id})
                metrics.SETTLES.labels("failed").inc()
                failures += 1
                await asyncio.sleep(CLOSE_BACKOFF.pause(failures))
            else:
                metrics.SETTLES.labels("booked").inc()
                self._failed.pop(closing.session_id, None)
                report(ev.CloseCommitted(closed))
                return

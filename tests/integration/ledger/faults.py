"""Faults that break a part of a database, and live sessions that settle on it meanwhile."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Self
from uuid import UUID

import psycopg
from psycopg import sql

from tests.integration.ledger.harness import LedgerHarness, opening
from transcription_proxy.errors import Unavailable
from transcription_proxy.ledger.reaper import Reaper
from transcription_proxy.metering import rates
from transcription_proxy.relay.settler import Settler
from transcription_proxy.stream import events as ev
from transcription_proxy.stream import options
from transcription_proxy.stream.session import Session

OPTIONS = options.read(None, rates.load())
SECOND = OPTIONS.audio.bytes_per_second
REAP_EVERY_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Fault:
    """SQL that breaks a database and mends it. `{victim}` in it: the id of the user who stops during the fault.

    `cut`: whose connections are closed after each, so that new ones see the change: "", "all" or only "ours".
    `kept`: leases can be renewed meanwhile, so the reaper ends no live session.
    """

    breaks: str
    mends: str = "ROLLBACK"
    cut: str = ""
    kept: bool = True


def trigger(table: str, event: str, action: str, when: str = "true") -> Fault:
    """Return a fault that makes statements on a table fail, or take long, for rows that meet a condition."""
    function = f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {action}; RETURN NEW; END $$"
    made = f"CREATE TRIGGER fails BEFORE {event} ON {table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION fail()"
    return Fault(f"{function}; {made}", "DROP FUNCTION fail CASCADE")


DISK_FULL = "RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100'"
RENEWAL = "NEW.number = OLD.number AND NEW.lease_until > OLD.lease_until"
READ_ONLY = ("ALTER DATABASE {database} SET default_transaction_read_only = on", "ALTER DATABASE {database} RESET ALL")
FAULTS = {
    "a locked ledger": Fault("BEGIN; LOCK TABLE usage_ledger IN SHARE MODE"),
    "locked balances": Fault("BEGIN; LOCK TABLE credit_balance IN SHARE MODE"),
    "a locked row": Fault("BEGIN; SELECT FROM credit_balance WHERE user_id = '{victim}' FOR UPDATE"),
    "a disk that is full for the ledger": trigger("usage_ledger", "INSERT", DISK_FULL),
    "a disk that is full for all that settles write": Fault(
        f"{trigger('usage_ledger', 'INSERT', DISK_FULL).breaks};"
        f" CREATE TRIGGER fails BEFORE UPDATE ON transcription_sessions FOR EACH ROW WHEN ({RENEWAL})"
        " EXECUTE FUNCTION fail()",
        "DROP FUNCTION fail CASCADE",
        kept=False,
    ),
    "a statement timeout": trigger("usage_ledger", "INSERT", "PERFORM pg_sleep(5)"),
    "a single row": trigger(
        "usage_ledger", "INSERT", "RAISE EXCEPTION 'not this one'", "NEW.user_id = '{victim}'::uuid"
    ),
    "closes": trigger("transcription_sessions", "UPDATE", DISK_FULL, "NEW.ended_at IS NOT NULL"),
    "renewals": trigger("transcription_sessions", "UPDATE", DISK_FULL, RENEWAL),
    "a read-only database": Fault(*READ_ONLY, cut="all"),
    "a database that is read-only for our connections": Fault(*READ_ONLY, cut="ours", kept=False),
}


class LiveSession:
    """A live session with its state machine and timer, and the parts of a client and an upstream that matter here."""

    def __init__(self, session: Session, settler: Settler) -> None:
        self.session = session
        self._settler = settler
        self._timer: asyncio.TimerHandle | None = None
        self.end: dict[str, Any] | None = None
        self.over = asyncio.Event()

    @classmethod
    async def open(cls, harness: LedgerHarness, settler: Settler, user: UUID) -> Self:
        opened = await harness.ledger.open_session(opening(user))
        live = cls(Session(opened, OPTIONS, 900, monotonic()), settler)
        live.handle(ev.UpstreamOpened())
        return live

    def handle(self, event: ev.Event) -> None:
        for action in self.session.handle(event, monotonic()):
            self._perform(action)
        if self._timer is not None:
            self._timer.cancel()
        at = self.session.deadline
        if at is not None:
            delay = max(at - monotonic(), 0.001)
            self._timer = asyncio.get_running_loop().call_later(delay, self.handle, ev.TimePassed())

    def _perform(self, action: ev.Action) -> None:
        match action:
            case ev.Settle(settlement):
                self._settler.settle(settlement, self.handle)
            case ev.Close(closing):
                self._settler.close(closing, self.handle)
            case ev.SendClient(text) if b"session_end" in text:
                self.end = json.loads(text)
            case ev.SendUpstream(text) if b"CloseStream" in text:
                asyncio.get_running_loop().call_soon(self._answer)
            case ev.Finish():
                self.over.set()

    async def stream(self) -> None:
        while not self.over.is_set():
            self.handle(ev.AudioArrived(bytes(SECOND // 2)))
            self._send_results()
            await asyncio.sleep(0.1)

    def _send_results(self) -> None:
        """Handle Results of the upstream without words, up to the end of the audio."""
        heard = {"type": "Results", "start": 0.0, "duration": self.session.meter.forwarded / SECOND, "is_final": True}
        nothing = {"channel_index": [0, 1], "channel": {"alternatives": [{"transcript": "", "confidence": 0.0}]}}
        self.handle(ev.UpstreamSentText(json.dumps(heard | nothing).encode()))

    def _answer(self) -> None:
        """Handle the upstream's answer to CloseStream."""
        self._send_results()
        closing = {"type": "Metadata", "duration": self.session.meter.forwarded / SECOND}
        self.handle(ev.UpstreamSentText(json.dumps(closing).encode()))


@dataclass
class Hosts:
    """Two hosts on one database: ours runs the sessions, the other one also reaps. `name`: the database's name."""

    ours: LedgerHarness
    theirs: LedgerHarness
    url: str
    name: str
    settler: Settler = field(init=False)
    sessions: dict[str, LiveSession] = field(default_factory=dict)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        """Open a session for each of four users. The other host opens them, because its timeouts are longer."""
        self.settler = Settler(self.ours.ledger)
        here = Reaper(self.ours.ledger, monotonic, monotonic, lambda: self.settler.failures)
        there = Reaper(self.theirs.ledger, monotonic, monotonic)
        for work in (self.settler.run(), self.settler.keep_leases(), _reap(here), _reap(there)):
            self._start(work)
        self._users = {name: await self.theirs.user(1000) for name in ("talks", "stops", "leaves", "is mute")}
        for name, user in self._users.items():
            live = self.sessions[name] = await LiveSession.open(self.theirs, self.settler, user)
            if name != "is mute":
                self._start(live.stream())
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def apply_fault(self, fault: Fault, seconds: float) -> None:
        """Apply a fault for some seconds. During it one client stops and one leaves."""
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as admin:
            await self._sql(admin, fault.breaks)
            await self._cut(admin, fault)
            await asyncio.sleep(seconds / 4)
            self.sessions["stops"].handle(ev.ClientSentText(b'{"type":"stop"}'))
            self.sessions["leaves"].handle(ev.ClientLost())
            await asyncio.sleep(seconds * 3 / 4)
            await self._sql(admin, fault.mends)
            await self._cut(admin, fault)

    async def finish(self) -> None:
        """Stop the remaining sessions, and wait until everything is booked."""
        await until(lambda: not self.settler.is_failing)
        for name in ("talks", "is mute"):
            self.sessions[name].handle(ev.ClientSentText(b'{"type":"stop"}'))
        async with asyncio.timeout(20):
            for live in self.sessions.values():
                await live.over.wait()

    async def _sql(self, admin: psycopg.AsyncConnection, statement: str) -> None:
        names = {"database": self.name, "victim": str(self._users["stops"])}
        for name, value in names.items():
            statement = statement.replace(f"{{{name}}}", value)
        await admin.execute(sql.SQL(statement))

    async def _cut(self, admin: psycopg.AsyncConnection, fault: Fault) -> None:
        if fault.cut:
            spared = await self.theirs.sql("SELECT pg_backend_pid()") if fault.cut == "ours" else []
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid <> ALL (%s)",
                [[pid for (pid,) in spared]],
            )

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))


async def _reap(reaper: Reaper) -> None:
    while True:
        with suppress(Unavailable):
            await reaper.tick()
        await asyncio.sleep(REAP_EVERY_SECONDS)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)

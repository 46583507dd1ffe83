"""Ways in which only a part of a database works, and live sessions that settle on it meanwhile."""

import asyncio
import json
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Self
from uuid import UUID

import psycopg
from psycopg import sql

from tests.integration.ledger.harness import LedgerHarness, opening
from tests.waiting import until
from transcription_proxy.errors import Unavailable
from transcription_proxy.ledger.reaper import Reaper
from transcription_proxy.metering import rates
from transcription_proxy.relay.settler import Settler
from transcription_proxy.stream import events as ev
from transcription_proxy.stream import options
from transcription_proxy.stream.session import Session
from transcription_wire.messages import SessionEnd, encode

OPTIONS = options.read(None, rates.load())
SECOND = OPTIONS.audio.bytes_per_second
REAP_EVERY_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Fault:
    """SQL that breaks a database and mends it. `victim`: id of the user who stops in the middle of it.

    `cut`: whose connections are ended after each, so that new ones see it: "", "all", or "ours" alone.
    `kept`: leases can be renewed meanwhile, so that no session is lost sight of.
    """

    breaks: str
    mends: str = "ROLLBACK"
    cut: str = ""
    kept: bool = True


def trigger(table: str, event: str, action: str, when: str = "true") -> Fault:
    """Statements on a table fail, or take long, where a condition about the row holds."""
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


class Talker:
    """A live session with its machine and a clock, and a client and an upstream that are told only what matters."""

    def __init__(self, session: Session, settler: Settler) -> None:
        self.session = session
        self._settler = settler
        self._timer: asyncio.TimerHandle | None = None
        self.end: dict[str, Any] | None = None
        self.over = asyncio.Event()

    @classmethod
    async def open(cls, harness: LedgerHarness, settler: Settler, user: UUID) -> Self:
        opened = await harness.ledger.open_session(opening(user))
        talker = cls(Session(opened, OPTIONS, 900, monotonic()), settler)
        talker.happen(ev.UpstreamOpened())
        return talker

    def happen(self, event: ev.Event) -> None:
        for action in self.session.handle(event, monotonic()):
            self._perform(action)
        if self._timer is not None:
            self._timer.cancel()
        at = self.session.deadline
        if at is not None:
            delay = max(at - monotonic(), 0.001)
            self._timer = asyncio.get_running_loop().call_later(delay, self.happen, ev.TimePassed())

    def _perform(self, action: ev.Action) -> None:
        match action:
            case ev.Settle(settlement):
                self._settler.settle(settlement, self.happen)
            case ev.Close(closing):
                self._settler.close(closing, self.happen)
            case ev.SendClient(SessionEnd() as end):
                self.end = json.loads(encode(end))
            case ev.SendUpstream(text) if b"CloseStream" in text:
                asyncio.get_running_loop().call_soon(self._answer)
            case ev.Finish():
                self.over.set()

    async def talk(self) -> None:
        while not self.over.is_set():
            self.happen(ev.AudioArrived(bytes(SECOND // 2)))
            self._hear()
            await asyncio.sleep(0.1)

    def _hear(self) -> None:
        """The upstream has heard all that went up, and found no words in it."""
        heard = {"type": "Results", "start": 0.0, "duration": self.session.credit.forwarded / SECOND, "is_final": True}
        nothing = {"channel_index": [0, 1], "channel": {"alternatives": [{"transcript": "", "confidence": 0.0}]}}
        self.happen(ev.UpstreamSentText(json.dumps(heard | nothing).encode()))

    def _answer(self) -> None:
        """The upstream answers CloseStream."""
        self._hear()
        closing = {"type": "Metadata", "duration": self.session.credit.forwarded / SECOND}
        self.happen(ev.UpstreamSentText(json.dumps(closing).encode()))


@dataclass
class Hosts:
    """Ours, whose sessions these are, and another one that reaps on the same database. `name`: the database's."""

    ours: LedgerHarness
    theirs: LedgerHarness
    url: str
    name: str
    settler: Settler = field(init=False)
    talkers: dict[str, Talker] = field(default_factory=dict)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        """Four users with a session each. They are made by the other host, which has more patience."""
        self.settler = Settler(self.ours.ledger)
        here = Reaper(self.ours.ledger, monotonic, monotonic, lambda: self.settler.failures)
        there = Reaper(self.theirs.ledger, monotonic, monotonic)
        for work in (self.settler.run(), self.settler.keep_leases(), _reap(here), _reap(there)):
            self._start(work)
        self._users = {name: await self.theirs.user(1000) for name in ("talks", "stops", "leaves", "is mute")}
        for name, user in self._users.items():
            talker = self.talkers[name] = await Talker.open(self.theirs, self.settler, user)
            if name != "is mute":
                self._start(talker.talk())
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def suffer(self, fault: Fault, seconds: float) -> None:
        """The fault lasts so long; in the middle of it one client stops and one leaves."""
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as admin:
            await self._sql(admin, fault.breaks)
            await self._cut(admin, fault)
            await asyncio.sleep(seconds / 4)
            self.talkers["stops"].happen(ev.ClientSentText(b'{"type":"stop"}'))
            self.talkers["leaves"].happen(ev.ClientLost())
            await asyncio.sleep(seconds * 3 / 4)
            await self._sql(admin, fault.mends)
            await self._cut(admin, fault)

    async def finish(self) -> None:
        """Those who are still there stop, and all is booked."""
        await until(lambda: not self.settler.is_failing)
        for name in ("talks", "is mute"):
            self.talkers[name].happen(ev.ClientSentText(b'{"type":"stop"}'))
        async with asyncio.timeout(20):
            for talker in self.talkers.values():
                await talker.over.wait()

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

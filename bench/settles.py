"""What settling costs: live sessions that settle every ten seconds, on a ledger with years of history.

The service's own settler and ledger run here without sockets, so that nothing else keeps the event loop busy. The
sessions and the history are written with SQL."""

import asyncio
import os
from array import array
from collections.abc import Callable
from contextlib import closing
from time import perf_counter
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import uvloop

from bench import database, kernel, processes, subjects
from bench.figures import latency
from bench.machine import now, revision
from bench.pacer import Pacer
from bench.probe import TurnProbe
from bench.results import Settles
from transcription_proxy.accounts.store import may_open
from transcription_proxy.db.embedded import Embedded
from transcription_proxy.db.migrate import migrate
from transcription_proxy.db.pool import Database
from transcription_proxy.ledger.service import Ledger
from transcription_proxy.process.worker import spare_collector
from transcription_proxy.relay.settler import Settler
from transcription_proxy.stream import events as ev
from transcription_proxy.values import Settlement

PERIOD_SECONDS = 10
"""Between two settles of a session."""
CREDITS_PER_SETTLE = 8
IDLE_SECONDS = 3
BATCH_ROWS = 1_000_000
ROWS_PER_SESSION = 100
"""Ledger rows of a session in the history: sessions of a quarter of an hour."""
USERS: LiteralString = """
  INSERT INTO users (email, password_hash)
    SELECT 'bench-' || n || '@example.org', '' FROM generate_series(1, %(sessions)s) n;
  INSERT INTO credit_balance (user_id, seconds_remaining, seconds_held) SELECT id, 1000000, 45 FROM users"""
PAST: LiteralString = """
  INSERT INTO transcription_sessions
    (user_id, mode, started_at, ended_at, seconds_used, deepgram_model, engine, language, status, reason, ready_at)
  SELECT id, 'managed', at, at + interval '15 minutes', 800, 'nova-2', 'deepgram', 'en-US', 'completed', 'client_stop',
    at
  FROM (
    SELECT id, clock_timestamp() - make_interval(mins => 16 * n) AS at
    FROM users, generate_series(1, %(each)s) n
  ) past"""
HISTORY: LiteralString = """
  INSERT INTO usage_ledger (user_id, session_id, recorded_at, seconds, description, balance_after)
  SELECT user_id, id, started_at + make_interval(secs => 8 * n), -8, 'session_usage', 1000000
  FROM (
    SELECT user_id, id, started_at FROM transcription_sessions WHERE status = 'completed'
    ORDER BY started_at, id OFFSET %(begin)s LIMIT %(count)s
  ) past, generate_series(1, %(each)s) n"""
LIVE: LiteralString = """
  INSERT INTO transcription_sessions
    (user_id, mode, started_at, deepgram_model, engine, language, hold, life, lease_until, ready_at)
  SELECT id, 'managed', clock_timestamp(), 'nova-2', 'deepgram', 'en-US', 45, gen_random_uuid(),
    clock_timestamp() + interval '60 seconds', clock_timestamp()
  FROM users RETURNING id, user_id"""
INDEXES: LiteralString = """
  SELECT 'DROP INDEX ' || indexname, indexdef FROM pg_indexes
  WHERE tablename = 'usage_ledger' AND schemaname = current_schema()
    AND indexname NOT IN (SELECT conname FROM pg_constraint)
  UNION ALL
  SELECT 'ALTER TABLE usage_ledger DROP CONSTRAINT ' || conname,
    'ALTER TABLE usage_ledger ADD CONSTRAINT ' || conname || ' ' || pg_get_constraintdef(oid)
  FROM pg_constraint WHERE conrelid = 'usage_ledger'::regclass AND contype IN ('p', 'u')"""
"""Statements that drop each index of the ledger and create it again."""
FILLING = {"max_wal_size": "4GB", "maintenance_work_mem": "512MB", "fsync": "off"}
"""PostgreSQL's settings while the history is written."""
SETTLING = {"shared_buffers": "128MB"}
"""PostgreSQL's settings while settles are measured: its own default. The bundled server, made for 512 MB, has 16 MB,
which cannot hold the pages that entries of 10,000 users go to."""


def measure(sessions: int, history_rows: int, seconds: float, report: Callable[[str], None]) -> Settles:
    """Fill a database, then settle. `report` gets a sentence for each step."""
    with processes.folder("settles") as parent:
        home = subjects.data_folder(parent / "data")
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, processes.load_cores())  # PostgreSQL inherits it
        try:
            with Embedded.acquire(home, settings=FILLING) as server:
                report(f"writing {history_rows:,} rows of history")
                ids = _fill(server.url, sessions, history_rows)
            with Embedded.acquire(home, settings=SETTLING) as server:
                report(f"settling {sessions:,} sessions")
                os.sched_setaffinity(0, processes.RELAY_CORE)
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    return runner.run(_settle(server.url, subjects.postmaster(home), ids, history_rows, seconds))
        finally:
            os.sched_setaffinity(0, cores)


def _fill(url: str, sessions: int, history_rows: int) -> list[tuple[UUID, UUID]]:
    """Write accounts, history and live sessions. Return the ids of the live ones, each with its user's."""
    asyncio.run(migrate(url))
    with closing(database.connect(url)) as connection:
        connection.execute("SET session_replication_role = replica")  # no checks of foreign keys: they are right
        for statement in USERS.split(";"):
            connection.execute(statement, {"sessions": sessions})
        _write_history(connection, sessions, history_rows)
        live = [(row[0], row[1]) for row in connection.execute(LIVE)]
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")
    return live


def _write_history(connection: "psycopg.Connection[Any]", sessions: int, rows: int) -> None:
    """Write the rows in the order of time, without the indexes, which are made again afterwards."""
    indexes: list[tuple[LiteralString, LiteralString]] = connection.execute(INDEXES).fetchall()
    for drop, _ in indexes:
        connection.execute(drop)
    connection.execute(PAST, {"each": -(-rows // (sessions * ROWS_PER_SESSION))})
    for begin in range(0, rows, BATCH_ROWS):
        count = min(BATCH_ROWS, rows - begin) // ROWS_PER_SESSION
        connection.execute(HISTORY, {"begin": begin // ROWS_PER_SESSION, "count": count, "each": ROWS_PER_SESSION})
    for _, make in indexes:
        connection.execute(make)


async def _settle(url: str, server: int, ids: list[tuple[UUID, UUID]], history_rows: int, seconds: float) -> Settles:
    """Settle each session every ten seconds, evenly over time, and measure database and event loop."""
    spare_collector()
    pool = Database(url)
    await pool.open()
    settler = Settler(Ledger(pool, may_open, max_sessions=2, max_streams=100_000))
    task = asyncio.create_task(settler.run())
    probe = TurnProbe()
    await asyncio.sleep(IDLE_SECONDS)
    idle = probe.take()
    clients = _Sessions(settler, ids)
    pacer = Pacer(PERIOD_SECONDS / len(ids), clients.settle)
    pacer.start()
    await asyncio.sleep(PERIOD_SECONDS)  # the first round warms the database's cache
    with closing(database.connect(url)) as connection:
        before, cpu, began = database.active_ms(connection), _server_cpu(server), perf_counter()
        clients.begin()
        probe.take()  # asking the database and the kernel took a while, too
        await asyncio.sleep(seconds)
        longest, took = probe.take(), perf_counter() - began
        spent, cpu = database.active_ms(connection) - before, _server_cpu(server) - cpu
    pacer.stop()
    probe.stop()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await pool.close()
    return Settles(
        sessions=len(ids),
        history_rows=history_rows,
        seconds=seconds,
        measured_at=now(),
        revision=revision(),
        database_ms=spent / took,
        database_cpu_ms=1000 * cpu / took,
        answered=len(clients.times),
        failed=clients.failed,
        settle=latency(clients.times),
        longest_turn_ms=longest,
        idle_turn_ms=idle,
    )


class _Sessions:
    """The live sessions, as far as the settler knows them."""

    def __init__(self, settler: Settler, ids: list[tuple[UUID, UUID]]) -> None:
        self._settler = settler
        self._ids = ids
        self.begin()

    def begin(self) -> None:
        """Begin to count."""
        self.times = array("d")
        self.failed = 0

    def settle(self, slot: int) -> None:
        """Settle one session, which has used as much as in each settle before."""
        number, index = divmod(slot, len(self._ids))
        asked = perf_counter()

        def report(event: ev.Event) -> None:
            if isinstance(event, ev.SettleAnswered):
                self.times.append(perf_counter() - asked)
            else:
                self.failed += 1

        total = CREDITS_PER_SETTLE * (number + 1)
        self._settler.settle(Settlement(*self._ids[index], number + 1, total), report)


def _server_cpu(server: int) -> float:
    return kernel.cpu_of([server, *kernel.descendants(server)])

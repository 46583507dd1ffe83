"""`python -m bench.settle_cost`: what a settle costs PostgreSQL, in CPU, log and disk. The figures of docs/scale.md."""

import asyncio
import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from bench.kernel import cpu_of
from bench.small import POSTGRES, family, postmaster
from tests.standin.postgres import debian_postgres
from transcription_proxy.accounts.store import may_open
from transcription_proxy.db.migrate import migrate
from transcription_proxy.db.pool import Database
from transcription_proxy.ledger.service import Ledger
from transcription_proxy.values import Settlement

SESSIONS, ROUNDS = 2000, 15
PEOPLE = """
WITH made AS (
  INSERT INTO users (email, password_hash) SELECT gen_random_uuid() || '@example.org', '' FROM generate_series(1, %s)
  RETURNING id
), paid AS (
  INSERT INTO usage_ledger (user_id, seconds, description, balance_after) SELECT id, 100000, 'trial', 100000 FROM made
), balances AS (
  INSERT INTO credit_balance (user_id, seconds_remaining, seconds_held) SELECT id, 100000, 30 FROM made
), life AS (SELECT %s::uuid AS life)
INSERT INTO transcription_sessions (user_id, mode, hold, lease_until, life, rate_micro, channels)
SELECT made.id, 'managed', 30, now() + interval '1 hour', life, 1000000, 1 FROM made, life RETURNING id, user_id
"""
SIZES = "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn, pg_total_relation_size('usage_ledger')"


async def measure(url: str) -> None:
    await migrate(url)
    database = Database(url, max_size=2, timeout=60)
    await database.open()
    ledger = Ledger(database, may_open, max_sessions=2, max_streams=100_000)
    sessions = [(row[0], row[1]) for row in await rows(database, PEOPLE, SESSIONS, uuid4())]
    pids = postmaster(url)
    await rounds(ledger, sessions, 1, 3)  # the first ones read the tables
    [before] = await rows(database, SIZES)
    cpu, began = cpu_of(family(pids)), time.monotonic()
    settled = await rounds(ledger, sessions, 4, ROUNDS)
    took, used = time.monotonic() - began, cpu_of(family(pids)) - cpu
    [after] = await rows(database, SIZES)
    log, ledger_bytes = [float(new - old) / settled for new, old in zip(after, before, strict=True)]
    print(
        f"{settled} settles of {SESSIONS} sessions in {took:.1f} s: {used / settled * 1e6:.0f} µs of PostgreSQL's CPU, "
        f"{log:.0f} bytes of log and {ledger_bytes:.0f} of ledger each"
    )
    await database.close()


async def rounds(ledger: Ledger, sessions: list[tuple[UUID, UUID]], first: int, count: int) -> int:
    """Settle all sessions again and again, 8 s of audio each time, and return how many settles that was."""
    settled = 0
    for number in range(first, first + count):
        batch = [Settlement(*session, number, number * 8) for session in sessions]
        settled += len(await ledger.settle(batch))
    return settled


async def rows(database: Database, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    async with database.transaction() as connection:
        return await (await connection.execute(statement.encode(), values)).fetchall()


if __name__ == "__main__":
    print(Path("/proc/version").read_text().split(" (")[0])
    with debian_postgres(POSTGRES) as url:
        asyncio.run(measure(url))

"""The settle for a batch with one session of each user does exactly what the general one does."""

from random import Random
from typing import Any, LiteralString
from uuid import UUID

import pytest

from tests.integration.ledger.harness import LedgerHarness, closing, settlement
from transcription_proxy.db.pool import Database
from transcription_proxy.ledger import store
from transcription_proxy.values import Settled, Settlement
from transcription_wire.codes import Reason

USERS = 12
STATE: LiteralString = """
SELECT u.id, blocked_at IS NOT NULL, b.seconds_remaining, b.seconds_held, number, s.seconds_used, hold, status,
  ending, reason, muted_at IS NOT NULL, ready_at IS NOT NULL, k.seconds_used, k.seconds_held,
  (SELECT json_agg(json_build_array(session_id, seconds, balance_after) ORDER BY seq)::text FROM usage_ledger l
   WHERE l.user_id = u.id)
FROM users u JOIN credit_balance b ON b.user_id = u.id JOIN transcription_sessions s ON s.user_id = u.id
  LEFT JOIN key_spending k ON k.user_id = u.id
ORDER BY u.id"""


class Undone(Exception):
    """Rolls a transaction back."""


async def sessions(harness: LedgerHarness, random: Random) -> list[UUID]:
    """Open a session for each of several users, in every state that a settle can find."""
    opened = []
    for _ in range(USERS):
        user = await harness.user(random.choice([1, 5, 40, 400, 4000]))
        key = (await harness.sql("SELECT gen_random_uuid()"))[0][0]
        session = await harness.open(user)
        opened.append(session)
        held = (await harness.row(session, "hold"))[0]
        if random.random() < 0.6:
            limit, used, day = random.choice([None, held, 60]), random.randrange(9), random.randrange(2)
            await harness.sql(
                "INSERT INTO key_spending (key_id, user_id, limit_seconds, daily, day, seconds_used, seconds_held)"
                " VALUES (%s, %s, %s, %s, CURRENT_DATE - %s, %s, %s)",
                *(key, user, limit, random.random() < 0.5, day, used, held),
            )
            await harness.sql("UPDATE transcription_sessions SET key_id = %s WHERE id = %s", key, session)
        if random.random() < 0.2:
            await harness.mark_ending(session, Reason.REPLACED)
        if random.random() < 0.2:
            await harness.sql("UPDATE users SET blocked_at = now() WHERE id = %s", user)
        if random.random() < 0.2:
            await harness.claw_back(user, random.choice([1, 300]))
        if random.random() < 0.1:
            await harness.ledger.close(closing(session, 3, 0))
    return opened


async def settled(
    database: Database, batch: list[Settlement], statement: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[Settled], list[tuple[Any, ...]]]:
    """Settle with one of the statements, and take it back. Return the answers and what stood in the tables."""
    monkeypatch.setattr(store, "SETTLE_ONE_EACH", statement)
    try:
        async with database.transaction() as connection:
            answers = await store.settle(connection, batch, 2)
            rows = await (await connection.execute(STATE)).fetchall()
            raise Undone
    except Undone:
        return sorted(answers, key=lambda one: one.session_id), rows


@pytest.mark.parametrize("seed", range(12))
async def test_one_session_of_each_user(database: Database, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(seed)
    batch = [
        settlement(
            session,
            random.choice([1, 2, 9]),
            random.choice([0, 1, 8, 40, 500]),
            keep=random.choice([None, None, 0, 20]),
            extend=random.random() < 0.8,
            ready=random.random() < 0.5,
        )
        for session in await sessions(LedgerHarness(database), random)
    ]
    quick = store.SETTLE_ONE_EACH
    assert "OVER" not in quick
    found = await settled(database, batch, quick, monkeypatch)
    assert found == await settled(database, batch, store.SQL["settle"], monkeypatch)
    assert any(one.grant > one.seconds_used for one in found[0])

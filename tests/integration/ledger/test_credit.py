import asyncio
from uuid import uuid4

import pytest

from tests.integration.ledger.harness import LedgerHarness
from transcription_proxy.errors import Refusal
from transcription_proxy.ledger import store
from transcription_proxy.ledger.entries import MAX_CREDITS, Balance, Description


async def test_a_credit_records_its_actor_and_reason(harness: LedgerHarness) -> None:
    user = await harness.user(100)
    adjust = Description.MANUAL_ADJUSTMENT
    assert await harness.ledger.credit(user, 50, adjust, reason="sorry", actor="operator") == 150
    assert await harness.ledger.credit(user, -150, adjust) == 0
    rows = await harness.sql("SELECT seconds, description, balance_after, reason, actor FROM usage_ledger ORDER BY seq")
    assert rows == [
        (100, "credit_purchase", 100, None, None),
        (50, "manual_adjustment", 150, "sorry", "operator"),
        (-150, "manual_adjustment", 0, None, None),
    ]


async def test_a_debit_takes_at_most_what_is_available(harness: LedgerHarness) -> None:
    user = await harness.user(100)
    await harness.open(user)
    with pytest.raises(Refusal, match="75") as refusal:
        await harness.ledger.credit(user, -76, Description.MANUAL_ADJUSTMENT)
    assert refusal.value.code == "insufficient_credits"
    assert await harness.ledger.credit(user, -75, Description.MANUAL_ADJUSTMENT) == 25


async def test_amounts_are_bounded(harness: LedgerHarness) -> None:
    user = await harness.user(MAX_CREDITS)
    for seconds in (1, MAX_CREDITS + 1, 2**70):
        with pytest.raises(Refusal) as refusal:
            await harness.ledger.credit(user, seconds, Description.MANUAL_ADJUSTMENT)
        assert refusal.value.code == "amount_too_large"
    assert await harness.ledger.balance(user) == Balance(MAX_CREDITS, 0, 0)


async def test_an_unknown_user_is_refused(harness: LedgerHarness) -> None:
    with pytest.raises(Refusal) as refusal:
        await harness.ledger.credit(uuid4(), 1, Description.TRIAL)
    assert refusal.value.code == "unknown_user"
    assert await harness.ledger.balance(uuid4()) == Balance()


async def test_a_trial_of_zero_creates_only_the_balance_row(harness: LedgerHarness) -> None:
    user = await harness.user()
    assert await harness.sql("SELECT user_id FROM credit_balance") == [(user,)]
    assert await harness.sql("SELECT 1 FROM usage_ledger") == []


async def test_a_credit_belongs_to_its_callers_transaction(harness: LedgerHarness) -> None:
    with pytest.raises(LookupError):
        async with harness.database.transaction() as connection:
            [(user,)] = await (
                await connection.execute("INSERT INTO users (email, password_hash) VALUES ('a@b.c', '') RETURNING id")
            ).fetchall()
            balance = await store.lock_or_add_balance(connection, user)
            assert await store.credit(connection, user, balance, 600, Description.TRIAL) == Balance(600)
            raise LookupError
    assert await harness.sql("SELECT 1 FROM usage_ledger") == []


async def test_concurrent_credits_all_count(harness: LedgerHarness) -> None:
    user = await harness.user()
    await asyncio.gather(*(harness.ledger.credit(user, 1, Description.CREDIT_PURCHASE) for _ in range(50)))
    assert await harness.rows(user, "credit_purchase") == [(1, after) for after in range(1, 51)]

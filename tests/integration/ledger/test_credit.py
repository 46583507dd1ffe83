import asyncio
from uuid import uuid4

import pytest

from tests.integration.ledger.books import Books
from transcription_proxy.errors import Refusal
from transcription_proxy.ledger import store
from transcription_proxy.ledger.entries import MAX_CREDITS, Balance, Description


async def test_a_credit_records_its_actor_and_reason(books: Books) -> None:
    user = await books.user(100)
    adjust = Description.MANUAL_ADJUSTMENT
    assert await books.ledger.credit(user, 50, adjust, reason="sorry", actor="operator") == 150
    assert await books.ledger.credit(user, -150, adjust) == 0
    rows = await books.sql("SELECT seconds, description, balance_after, reason, actor FROM usage_ledger ORDER BY seq")
    assert rows == [
        (100, "credit_purchase", 100, None, None),
        (50, "manual_adjustment", 150, "sorry", "operator"),
        (-150, "manual_adjustment", 0, None, None),
    ]


async def test_a_debit_takes_at_most_what_is_available(books: Books) -> None:
    user = await books.user(100)
    await books.open(user)
    with pytest.raises(Refusal, match="75") as refusal:
        await books.ledger.credit(user, -76, Description.MANUAL_ADJUSTMENT)
    assert refusal.value.code == "insufficient_credits"
    assert await books.ledger.credit(user, -75, Description.MANUAL_ADJUSTMENT) == 25


async def test_amounts_are_bounded(books: Books) -> None:
    user = await books.user(MAX_CREDITS)
    for seconds in (1, MAX_CREDITS + 1, 2**70):
        with pytest.raises(Refusal) as refusal:
            await books.ledger.credit(user, seconds, Description.MANUAL_ADJUSTMENT)
        assert refusal.value.code == "amount_too_large"
    assert await books.ledger.balance(user) == Balance(MAX_CREDITS, 0, 0)


async def test_an_unknown_user_is_refused(books: Books) -> None:
    with pytest.raises(Refusal) as refusal:
        await books.ledger.credit(uuid4(), 1, Description.TRIAL)
    assert refusal.value.code == "unknown_user"
    assert await books.ledger.balance(uuid4()) == Balance()


async def test_a_trial_of_zero_creates_only_the_balance_row(books: Books) -> None:
    user = await books.user()
    assert await books.sql("SELECT user_id FROM credit_balance") == [(user,)]
    assert await books.sql("SELECT 1 FROM usage_ledger") == []


async def test_a_credit_belongs_to_its_callers_transaction(books: Books) -> None:
    with pytest.raises(LookupError):
        async with books.database.transaction() as connection:
            [(user,)] = await (
                await connection.execute("INSERT INTO users (email, password_hash) VALUES ('a@b.c', '') RETURNING id")
            ).fetchall()
            balance = await store.lock_or_add_balance(connection, user)
            assert await store.credit(connection, user, balance, 600, Description.TRIAL) == Balance(600)
            raise LookupError
    assert await books.sql("SELECT 1 FROM usage_ledger") == []


async def test_concurrent_credits_all_count(books: Books) -> None:
    user = await books.user()
    await asyncio.gather(*(books.ledger.credit(user, 1, Description.CREDIT_PURCHASE) for _ in range(50)))
    assert await books.rows(user, "credit_purchase") == [(1, after) for after in range(1, 51)]

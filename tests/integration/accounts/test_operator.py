"""The operator's commands on accounts, on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.integration.ledger.harness import LedgerHarness, opening
from transcription_proxy.accounts import operator as module
from transcription_proxy.accounts.operator import Operator
from transcription_proxy.accounts.service import Accounts
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Refusal
from transcription_proxy.ledger.entries import Balance

SECRET = "a secret of the tests, 32 bytes and more"
DAY = timedelta(days=1)


@pytest.fixture
async def harness(database: Database) -> AsyncIterator[LedgerHarness]:
    """LedgerHarness that must balance at the end of the test."""
    harness = LedgerHarness(database)
    yield harness
    assert await harness.ledger.audit() == []


@pytest.fixture
def operator(database: Database) -> Operator:
    return Operator(database)


@pytest.fixture
def accounts(database: Database) -> Accounts:
    return Accounts(database, secret=SECRET, expiry=DAY)


async def email_of(harness: LedgerHarness, user: UUID) -> str:
    [(email,)] = await harness.sql("SELECT email FROM users WHERE id = %s", user)
    return str(email)


async def test_users_are_listed_newest_first_up_to_the_limit(harness: LedgerHarness, operator: Operator) -> None:
    assert await operator.users(10) == []
    made = [await harness.user() for _ in range(4)]
    await harness.sql("UPDATE users SET created_at = now() + interval '1 hour' WHERE id = %s", made[0])
    assert [user.id for user in await operator.users(10)] == [made[0], made[3], made[2], made[1]]
    assert [user.id for user in await operator.users(1)] == [made[0]]


async def test_a_user_is_found_by_the_email_in_any_case(harness: LedgerHarness, operator: Operator) -> None:
    user = await harness.user()
    email = await email_of(harness, user)
    assert (await operator.user(f" {email.upper()} ")).id == user


async def test_users_are_listed_with_balance_live_sessions_and_state(
    harness: LedgerHarness, operator: Operator
) -> None:
    user = await harness.user(1000)
    expired, _ = await harness.open(user), await harness.open(user)
    await harness.expire(expired)
    await harness.ledger.open_session(opening(user, replaces=expired))  # not ready yet
    [listed] = await operator.users(10)
    assert (listed.seconds_remaining, listed.live_sessions, listed.blocked) == (1000, 1, False)
    await operator.block(listed.email)
    [listed] = await operator.users(10)
    assert listed.blocked


@pytest.mark.parametrize(("email", "code"), [("nobody@example.org", "unknown_user"), ("nobody", "invalid_email")])
async def test_an_unknown_email_is_refused(operator: Operator, email: str, code: str) -> None:
    for call in (operator.user, operator.block, operator.unblock):
        with pytest.raises(Refusal) as refusal:
            await call(email)
        assert refusal.value.code == code


async def test_block_refuses_tokens_at_once_and_ends_live_sessions(harness: LedgerHarness, operator: Operator) -> None:
    user, other = await harness.user(1000), await harness.user(1000)
    mine = [await harness.open(user), await harness.open(user)]
    foreign = await harness.open(other)
    email = await email_of(harness, user)
    assert await operator.block(email) == 2
    for session in mine:
        assert await harness.row(session, "status, ending") == ("active", "ended_by_operator")
    assert await harness.row(foreign, "ending") == (None,)
    with pytest.raises(Refusal) as refusal:
        await harness.ledger.open_session(opening(user))
    assert refusal.value.code == "unauthorized"
    [(first,)] = await harness.sql("SELECT blocked_at FROM users WHERE id = %s", user)
    await operator.block(email)
    assert await harness.sql("SELECT blocked_at FROM users WHERE id = %s", user) == [(first,)]


async def test_after_an_unblock_the_same_token_works_again(
    harness: LedgerHarness, operator: Operator, accounts: Accounts
) -> None:
    [(email, token)] = await operator.create_many(1, 60, secret=SECRET, expiry=DAY, actor="ann")
    await operator.block(email)
    with pytest.raises(Refusal) as refusal:
        await accounts.authenticate(token)
    assert refusal.value.code == "unauthorized"
    await operator.unblock(email)
    assert (await accounts.authenticate(token)).email == email
    await operator.unblock(email)


async def test_a_session_opened_during_a_block_is_refused_or_ended(harness: LedgerHarness, operator: Operator) -> None:
    """A session opened before the block is marked to end; one opened after it is refused."""
    user = await harness.user(1000)
    email = await email_of(harness, user)
    opened, told = await asyncio.gather(
        harness.ledger.open_session(opening(user)), operator.block(email), return_exceptions=True
    )
    if isinstance(opened, BaseException):
        assert isinstance(opened, Refusal)
        assert (opened.code, told) == ("unauthorized", 0)
    else:
        assert told == 1
        assert await harness.row(opened.session_id, "ending") == ("ended_by_operator",)


async def test_throwaway_accounts_have_credit_and_a_working_token(
    harness: LedgerHarness, operator: Operator, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 3)
    made = await operator.create_many(7, 90, secret=SECRET, expiry=DAY, actor="ann")
    assert len({email for email, _ in made}) == len({token for _, token in made}) == 7
    for email, token in made:
        user = await accounts.authenticate(token)
        assert user.email == email
        assert await harness.ledger.balance(user.id) == Balance(90)
    rows = await harness.sql("SELECT DISTINCT seconds, description, reason, actor FROM usage_ledger")
    assert rows == [(90, "manual_adjustment", "throwaway account", "ann")]
    assert len(await harness.sql("SELECT DISTINCT password_hash FROM users")) == 1


async def test_throwaway_accounts_can_have_no_credit(harness: LedgerHarness, operator: Operator) -> None:
    [(email, _)] = await operator.create_many(1, 0, secret=SECRET, expiry=DAY, actor="ann")
    assert await harness.ledger.balance((await operator.user(email)).id) == Balance()
    assert await harness.sql("SELECT 1 FROM usage_ledger") == []


async def test_too_much_credit_creates_no_throwaway_account(harness: LedgerHarness, operator: Operator) -> None:
    with pytest.raises(Refusal) as refusal:
        await operator.create_many(2, 1_000_000_001, secret=SECRET, expiry=DAY, actor="ann")
    assert refusal.value.code == "amount_too_large"
    assert await operator.users(10) == []


async def test_the_table_accepts_only_lower_case_emails(harness: LedgerHarness) -> None:
    """The table enforces this, because two spellings of one email would be two accounts."""
    with pytest.raises(psycopg.errors.CheckViolation):
        await harness.sql("INSERT INTO users (email, password_hash) VALUES (%s, '')", f"Ann-{uuid4()}@example.org")

"""What ends with one login or with all logins of an account: live sessions, and the right to open new ones."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from tests.integration.ledger.harness import LedgerHarness, opening
from transcription_proxy.accounts import reset
from transcription_proxy.accounts.hasher import Hasher
from transcription_proxy.accounts.logins import IssuedTokens
from transcription_proxy.accounts.operator import Operator
from transcription_proxy.accounts.service import Accounts
from transcription_proxy.accounts.trial import Trial
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Refusal
from transcription_proxy.values import Opened

SECRET = "a secret of the tests, 32 bytes and more"
OLD, NEW = "correct horse", "battery staple"


@pytest.fixture
async def harness(database: Database) -> AsyncIterator[LedgerHarness]:
    """LedgerHarness that must balance at the end of the test."""
    harness = LedgerHarness(database)
    yield harness
    assert await harness.ledger.audit() == []


@pytest.fixture
def accounts(database: Database) -> Accounts:
    return Accounts(database, secret=SECRET, expiry=timedelta(days=1), trial=Trial(1000), hasher=Hasher(cost=4))


async def register(accounts: Accounts) -> IssuedTokens:
    return await accounts.register(f"{uuid4().hex}@example.org", OLD)


async def link(harness: LedgerHarness, issued: IssuedTokens) -> str:
    async with harness.database.transaction() as connection:
        return await reset.make(connection, issued.user.id, datetime.now(UTC))


async def open_with(harness: LedgerHarness, accounts: Accounts, token: str) -> Opened:
    """Open a session with an access token."""
    who = accounts.verify_token(token)
    return await harness.ledger.open_session(opening(who.user_id, token_version=who.token_version, login=who.login))


async def refused(harness: LedgerHarness, accounts: Accounts, token: str) -> str:
    with pytest.raises(Refusal) as refusal:
        await open_with(harness, accounts, token)
    return refusal.value.code


async def endings(harness: LedgerHarness, user: UUID) -> set[str | None]:
    rows = await harness.sql("SELECT ending FROM transcription_sessions WHERE user_id = %s", user)
    return {ending for (ending,) in rows}


@pytest.mark.parametrize("how", ["change", "reset"])
async def test_a_new_password_ends_live_sessions_and_their_tokens(
    harness: LedgerHarness, accounts: Accounts, how: str
) -> None:
    login, other = await register(accounts), await register(accounts)
    for issued in (login, login, other):
        await open_with(harness, accounts, issued.token)
    if how == "change":
        fresh = await accounts.change_password(login.user, OLD, NEW)
    else:
        await accounts.reset(await link(harness, login), NEW)
        fresh = await accounts.login(login.user.email, NEW)
    assert await endings(harness, login.user.id) == {"signed_out"}
    assert await endings(harness, other.user.id) == {None}
    assert await refused(harness, accounts, login.token) == "unauthorized"
    await open_with(harness, accounts, fresh.token)


async def test_a_failed_password_change_ends_nothing(harness: LedgerHarness, accounts: Accounts) -> None:
    login = await register(accounts)
    await open_with(harness, accounts, login.token)
    token = await link(harness, login)
    await link(harness, login)  # voids the earlier link
    for attempt in (
        accounts.reset(token, NEW),
        accounts.change_password(login.user, "wrong password", NEW),
        accounts.change_password(login.user, OLD, "password"),
    ):
        with pytest.raises(Refusal):
            await attempt
    assert await endings(harness, login.user.id) == {None}
    assert (await accounts.authenticate(login.token)).id == login.user.id


async def test_an_ended_login_opens_no_session_but_its_live_ones_continue(
    harness: LedgerHarness, accounts: Accounts
) -> None:
    login = await register(accounts)
    other = await accounts.login(login.user.email, OLD)
    await open_with(harness, accounts, login.token)
    await accounts.logout(login.refresh_token)
    assert await refused(harness, accounts, login.token) == "unauthorized"
    assert await endings(harness, login.user.id) == {None}
    await open_with(harness, accounts, other.token)


async def test_a_session_opened_during_a_password_change_is_refused_or_ended(
    harness: LedgerHarness, accounts: Accounts
) -> None:
    """A session opened before the change is marked to end; one opened after it is refused."""
    for _ in range(5):
        login = await register(accounts)
        opened, changed = await asyncio.gather(
            open_with(harness, accounts, login.token),
            accounts.change_password(login.user, OLD, NEW),
            return_exceptions=True,
        )
        assert isinstance(changed, IssuedTokens)
        if isinstance(opened, BaseException):
            assert isinstance(opened, Refusal)
            assert opened.code == "unauthorized"
        else:
            assert await endings(harness, login.user.id) == {"signed_out"}


async def test_concurrent_changes_of_one_account_do_not_deadlock(harness: LedgerHarness, accounts: Accounts) -> None:
    login = await register(accounts)
    session = (await open_with(harness, accounts, login.token)).session_id
    operator = Operator(harness.database)
    work = [
        accounts.change_password(login.user, OLD, NEW),
        accounts.reset(await link(harness, login), NEW),
        *(open_with(harness, accounts, login.token) for _ in range(3)),
        *(harness.settle(session, number, number) for number in range(2, 6)),
        *(accounts.login(login.user.email, OLD) for _ in range(3)),
        *(accounts.refresh(login.refresh_token) for _ in range(3)),
        operator.block(login.user.email),
    ]
    answers = await asyncio.gather(*work, return_exceptions=True)
    errors = [answer for answer in answers if isinstance(answer, BaseException)]
    assert all(isinstance(error, Refusal) for error in errors), errors

"""Ends that come from outside a session: marks, the reaper, dead processes."""

import asyncio
from decimal import Decimal
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.integration.ledger.harness import LIFE, LedgerHarness, closing, opening
from transcription_proxy.errors import Unavailable
from transcription_proxy.ledger import service
from transcription_proxy.ledger.entries import Balance, Ended
from transcription_wire.codes import Reason


async def test_a_mark_notifies_and_keeps_hold_and_first_reason(harness: LedgerHarness, database_url: str) -> None:
    user = await harness.user(100)
    session = await harness.open(user)
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as listener:
        await listener.execute("LISTEN session_ending")
        assert await harness.ledger.mark_ending(session, user, Reason.ENDED_BY_USER)
        assert await harness.mark_ending(session, Reason.ENDED_BY_OPERATOR)
        heard = [note.payload async for note in listener.notifies(timeout=5, stop_after=2)]
    assert heard == [str(session)] * 2
    assert await harness.row(session, "ending, hold, status") == ("ended_by_user", 25, "active")


async def test_only_the_owners_active_session_can_be_marked(harness: LedgerHarness) -> None:
    user = await harness.user(100)
    session = await harness.open(user)
    assert not await harness.ledger.mark_ending(session, uuid4(), Reason.ENDED_BY_USER)
    assert not await harness.ledger.mark_ending(uuid4(), user, Reason.ENDED_BY_USER)
    await harness.ledger.close(closing(session, 2, 0))
    assert not await harness.ledger.mark_ending(session, user, Reason.ENDED_BY_USER)
    assert await harness.row(session, "ending") == (None,)


async def test_all_sessions_of_a_user_can_be_marked(harness: LedgerHarness) -> None:
    user, other = await harness.user(100), await harness.user(100)
    mine = [await harness.open(user), await harness.open(user)]
    others = await harness.open(other)
    assert await harness.ledger.mark_user_ending(user, Reason.ENDED_BY_OPERATOR) == 2
    assert [await harness.row(session, "ending") for session in mine] == [("ended_by_operator",)] * 2
    assert await harness.row(others, "ending") == (None,)


async def test_the_reaper_ends_expired_sessions_and_bills_what_was_settled(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    gone, alive = await harness.open(user, rate_micro=1_200_000, channels=2), await harness.open(user)
    await harness.settle(gone, 2, 12)
    await harness.mark_ending(gone, Reason.REPLACED)
    await harness.expire(gone)
    assert await harness.ledger.reap() == [Ended(gone, user, 12, 45)]
    assert await harness.ledger.reap() == []
    columns = "status, reason, seconds_used, hold, audio_seconds"
    assert await harness.row(gone, columns) == ("terminated", "lease_expired", 12, 0, Decimal("5.0"))
    assert await harness.ledger.balance(user) == Balance(988, 45, 0)
    assert await harness.row(alive, "status") == ("active",)


async def test_the_reaper_ends_several_of_one_user_and_more_than_a_batch(
    harness: LedgerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "REAP_BATCH", 3)
    users = [await harness.user(100) for _ in range(5)]
    sessions = {await harness.open(user) for user in users * 2}
    for session in sessions:
        await harness.expire(session)
    assert {ended.session_id for ended in await harness.ledger.reap()} == sessions
    assert [(await harness.ledger.balance(user)).seconds_held for user in users] == [0] * 5


async def test_a_locked_user_does_not_stop_the_reaper(harness: LedgerHarness) -> None:
    users = [await harness.user(100), await harness.user(100)]
    sessions = [await harness.open(user) for user in users]
    for session in sessions:
        await harness.expire(session)
    async with harness.database.transaction() as connection:
        await connection.execute("SELECT FROM credit_balance WHERE user_id = %s FOR UPDATE", (users[0],))
        assert [ended.session_id for ended in await harness.ledger.reap()] == [sessions[1]]
    assert [ended.session_id for ended in await harness.ledger.reap()] == [sessions[0]]


async def test_concurrent_reapers_and_settles_keep_the_books_balanced(harness: LedgerHarness) -> None:
    users = [await harness.user(100) for _ in range(10)]
    sessions = [await harness.open(user) for user in users * 2]
    for session in sessions:
        await harness.expire(session)
    settling = asyncio.gather(*(harness.settle(session, 2, 5) for session in sessions))
    batches = await asyncio.gather(*(harness.ledger.reap() for _ in range(5)))
    reaped = [ended.session_id for batch in batches for ended in batch]
    assert len(reaped) == len(set(reaped))
    gone = {answer.session_id for answer in await settling if answer.gone}
    assert gone <= set(reaped)


async def test_leases_that_end_too_late_are_cut(harness: LedgerHarness) -> None:
    session = await harness.open(await harness.user(100))
    assert await harness.ledger.cut_leases() == 0
    await harness.sql("UPDATE transcription_sessions SET lease_until = lease_until + interval '1 hour'")
    assert await harness.ledger.cut_leases() == 1
    assert await harness.row(session, "lease_until <= clock_timestamp() + interval '60 s'") == (True,)


async def test_only_the_sessions_of_a_dead_process_end_at_once(harness: LedgerHarness) -> None:
    user = await harness.user(100)
    dead, alive = await harness.open(user, life=UUID(int=1)), await harness.open(user)
    await harness.settle(dead, 2, 4)
    unready = (await harness.ledger.open_session(opening(await harness.user(100), life=UUID(int=1)))).session_id
    ended = await harness.ledger.end_life(UUID(int=1))
    assert {one.session_id: one.seconds_used for one in ended} == {dead: 4, unready: 0}
    assert await harness.row(dead, "status, reason") == ("terminated", "service_restart")
    assert await harness.row(alive, "status, life") == ("active", LIFE)
    assert await harness.ledger.end_life(UUID(int=1)) == []


async def test_a_locked_session_of_a_dead_process_ends_once_it_is_unlocked(
    harness: LedgerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "END_LIFE_TRIES", 2)
    user = await harness.user(100)
    session = await harness.open(user)
    async with harness.database.transaction() as connection:
        await connection.execute("SELECT FROM transcription_sessions WHERE id = %s FOR UPDATE", (session,))
        with pytest.raises(Unavailable):
            await harness.ledger.end_life(LIFE)
    assert [ended.session_id for ended in await harness.ledger.end_life(LIFE)] == [session]

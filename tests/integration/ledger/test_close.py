import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from tests.integration.ledger.harness import LedgerHarness, closing, opening
from transcription_proxy.errors import Unavailable
from transcription_proxy.ledger.entries import Balance, Description
from transcription_proxy.ledger.upstream_sessions import upstream_sessions
from transcription_proxy.values import Closed, UpstreamConnection
from transcription_wire.codes import Reason

NEVER = datetime.max.replace(tzinfo=UTC)


async def test_a_close_books_the_rest_and_releases_the_hold(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    session = await harness.open(user)
    await harness.settle(session, 2, 8)
    ended = closing(
        session,
        3,
        12,
        reason=Reason.UPSTREAM_CLOSED,
        audio_ms=11_850,
        sent_ms=12_001,
        upstream_ms=12_345,
        request_id="r\0-1",
        connections=(UpstreamConnection("r\0-0", 9_000, 8_000), UpstreamConnection("r\0-1", 5_000, 4_001, 12_345)),
    )
    assert await harness.ledger.close(ended) == Closed(session, 12, Reason.UPSTREAM_CLOSED, 988)
    assert await harness.ledger.balance(user) == Balance(988, 0, 0)
    assert await harness.rows(user) == [(-8, 992), (-4, 988)]
    columns = "status, reason, seconds_used, hold, audio_seconds, sent_seconds, upstream_seconds, upstream_request_id"
    assert await harness.row(session, columns) == (
        "terminated",
        "upstream_closed",
        12,
        0,
        Decimal("11.9"),
        Decimal("12.001"),
        Decimal("12.345"),
        "r-1",
    )
    assert await harness.row(session, "ended_at >= started_at") == (True,)
    [found] = await upstream_sessions(harness.database, NEVER, [session])
    assert (found.id, found.user_id, found.audio_seconds) == (session, user, Decimal("11.9"))
    assert found.connections == [
        UpstreamConnection("r-0", 9_000, 8_000),
        UpstreamConnection("r-1", 5_000, 4_001, 12_345),
    ]


async def test_sessions_are_found_by_their_start_and_by_their_id(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    old = await harness.open(user)
    await harness.ledger.close(closing(old, 3, 1))
    live, builtin = await harness.open(user), await harness.open(user, engine="builtin")
    since = datetime.now(UTC) - timedelta(hours=1)
    await harness.sql("UPDATE transcription_sessions SET started_at = now() - interval '2 h' WHERE id = %s", old)

    async def ids(*named: UUID) -> set[UUID]:
        found = await upstream_sessions(harness.database, since, named)
        return {one.id for one in found if one.user_id == user}

    assert await ids() == {live}
    assert await ids(old, builtin, uuid4()) == {live, old}
    [row] = [one for one in await upstream_sessions(harness.database, since, []) if one.id == live]
    assert (row.ended_at, row.connections) == (None, [])


async def test_a_session_older_than_the_list_of_connections_has_its_last_one(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    session = await harness.open(user)
    ended = closing(session, 3, 12, sent_ms=12_001, upstream_ms=12_345, request_id="r-1")
    await harness.ledger.close(ended)
    [found] = await upstream_sessions(harness.database, NEVER, [session])
    assert found.connections == [UpstreamConnection("r-1", None, 12_001, 12_345)]


async def test_a_lower_total_gives_the_difference_back_in_one_row(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    session = await harness.open(user)
    await harness.settle(session, 2, 30)
    assert await harness.ledger.close(closing(session, 3, 21)) == Closed(session, 21, Reason.CLIENT_STOP, 979)
    assert await harness.rows(user) == [(-30, 970), (9, 979)]


async def test_a_close_books_at_least_zero_and_at_most_the_grant(harness: LedgerHarness) -> None:
    user = await harness.user(100)
    one, two = await harness.open(user), await harness.open(user)
    assert (await harness.ledger.close(closing(one, 2, 10**6))).seconds_used == 25
    assert (await harness.ledger.close(closing(two, 2, -5))).seconds_used == 0


async def test_a_close_without_new_usage_writes_no_row(harness: LedgerHarness) -> None:
    user = await harness.user(100)
    session = await harness.open(user)
    await harness.settle(session, 2, 5)
    await harness.ledger.close(closing(session, 3, 5))
    assert await harness.rows(user) == [(-5, 95)]


async def test_a_repeated_close_returns_what_is_stored(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    session = await harness.open(user)
    first = await harness.ledger.close(closing(session, 3, 21))
    again = closing(session, 3, 30, reason=Reason.INTERNAL)
    answers = await asyncio.gather(*(harness.ledger.close(again) for _ in range(10)))
    assert answers == [first] * 10
    assert await harness.rows(user) == [(-21, 979)]


async def test_concurrent_closes_close_once(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    session = await harness.open(user)
    answers = await asyncio.gather(*(harness.ledger.close(closing(session, 3, 21)) for _ in range(10)))
    assert answers == [Closed(session, 21, Reason.CLIENT_STOP, 979)] * 10
    assert await harness.rows(user) == [(-21, 979)]


async def test_an_outdated_number_does_not_close_a_session(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    session = await harness.open(user)
    await harness.settle(session, 5, 10)
    assert await harness.ledger.close(closing(session, 5, 30)) == Closed(session, 10, Reason.CLIENT_STOP, 990)
    assert await harness.row(session, "status") == ("active",)


async def reaped(harness: LedgerHarness, user: UUID, settled: int) -> UUID:
    """Return a session that settled this total and was ended by the reaper."""
    session = await harness.open(user)
    await harness.settle(session, 2, settled)
    await harness.expire(session)
    await harness.ledger.reap()
    return session


async def test_a_close_after_the_reaper_books_what_the_hold_covered_once(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    session = await reaped(harness, user, 10)
    with capture_logs() as logs:
        first, *others = [await harness.ledger.close(closing(session, 3, 30)) for _ in range(3)]
        others.append(await harness.ledger.close(closing(session, 4, 40)))
    assert [first, *others] == [Closed(session, 30, Reason.CLIENT_STOP, 970)] * 4
    assert await harness.rows(user) == [(-10, 990), (-20, 970)]
    assert await harness.row(session, "status, reason, hold, hold_released") == ("completed", "client_stop", 0, None)
    assert await harness.row(session, "audio_seconds") == (Decimal("30.0"),)
    assert await harness.ledger.balance(user) == Balance(970, 0, 0)
    told = [(entry["event"], entry["billed"], entry["unbilled"]) for entry in logs]
    assert told == [("late_close", 20, 0), ("late_close", 0, 10)]


async def test_a_close_after_the_reaper_books_no_more_than_the_hold(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    session = await reaped(harness, user, 10)
    with capture_logs() as logs:
        assert (await harness.ledger.close(closing(session, 3, 100))).seconds_used == 55
    assert [(entry["billed"], entry["unbilled"]) for entry in logs] == [(45, 45)]


async def test_a_close_after_the_reaper_takes_no_credit_that_is_held_or_spent(harness: LedgerHarness) -> None:
    user = await harness.user(40)
    session = await reaped(harness, user, 0)
    other = await harness.open(user, hold_cap=60)  # holds 10 of the 40
    await harness.ledger.credit(user, -26, Description.MANUAL_ADJUSTMENT)
    with capture_logs() as logs:
        assert await harness.ledger.close(closing(session, 3, 9)) == Closed(session, 4, Reason.CLIENT_STOP, 10)
    assert [(entry["billed"], entry["unbilled"]) for entry in logs] == [(4, 5)]
    assert (await harness.ledger.close(closing(other, 2, 10))).seconds_used == 10
    assert await harness.ledger.balance(user) == Balance(0, 0, 0)


async def test_a_close_after_the_reaper_and_a_claw_back_bills_what_was_settled(harness: LedgerHarness) -> None:
    user = await harness.user(100)
    session = await reaped(harness, user, 10)
    await harness.claw_back(user, 100)
    assert await harness.ledger.close(closing(session, 3, 20)) == Closed(session, 10, Reason.CLIENT_STOP, -10)


async def test_a_close_after_the_reaper_may_refund(harness: LedgerHarness) -> None:
    user = await harness.user(100)
    session = await reaped(harness, user, 10)
    assert await harness.ledger.close(closing(session, 3, 8)) == Closed(session, 8, Reason.CLIENT_STOP, 92)


async def test_concurrent_closes_and_reapers_keep_the_books_balanced(harness: LedgerHarness) -> None:
    users = [await harness.user(100) for _ in range(10)]
    sessions = [await harness.open(user) for user in users]
    for session in sessions:
        await harness.expire(session)
    closes = asyncio.gather(*(harness.ledger.close(closing(session, 2, 7)) for session in sessions * 2))
    await asyncio.gather(*(harness.ledger.reap() for _ in range(5)))
    assert {closed.seconds_used for closed in await closes} == {7}
    assert [await harness.ledger.balance(user) for user in users] == [Balance(93, 0, 0)] * 10


async def test_a_session_that_never_became_ready_is_free_and_not_listed(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    session = (await harness.ledger.open_session(opening(user))).session_id
    ended = closing(session, 1, 7, ready=False, reason=Reason.UPSTREAM_CLOSED)
    assert await harness.ledger.close(ended) == Closed(session, 0, Reason.UPSTREAM_CLOSED, 1000)
    assert await harness.ledger.balance(user) == Balance(1000, 0, 0)
    assert await harness.ledger.sessions(user) == []


async def test_a_session_that_ended_before_its_first_settle_is_listed(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    session = (await harness.ledger.open_session(opening(user))).session_id
    await harness.ledger.close(closing(session, 1, 2))
    [row] = await harness.ledger.sessions(user)
    assert (row.id, row.seconds_used) == (session, 2)


async def test_an_unknown_session_used_nothing(harness: LedgerHarness) -> None:
    session = uuid4()
    with capture_logs() as logs:
        assert await harness.ledger.close(closing(session, 1, 9)) == Closed(session, 0, Reason.INTERNAL, 0)
    assert logs[0]["unbilled"] == 9


async def test_a_close_waits_for_a_locked_balance_and_then_reads_it(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    session = await harness.open(user)
    async with harness.database.transaction() as connection:
        await connection.execute("SELECT FROM credit_balance WHERE user_id = %s FOR UPDATE", (user,))
        close = asyncio.create_task(harness.ledger.close(closing(session, 2, 10)))
        while not await harness.sql("SELECT 1 FROM pg_locks WHERE NOT granted"):
            assert not close.done()
        await connection.execute(
            "WITH e AS (INSERT INTO usage_ledger (user_id, seconds, description, balance_after)"
            " VALUES (%(u)s, 500, 'trial', 1500)) UPDATE credit_balance SET seconds_remaining = 1500"
            " WHERE user_id = %(u)s",
            {"u": user},
        )
    assert (await close).seconds_remaining == 1490


async def test_a_close_without_a_database_raises_unavailable(harness: LedgerHarness, database_url: str) -> None:
    from transcription_proxy.db.pool import Database

    away = Database("postgresql://127.0.0.1:9/none", timeout=0.3)
    await away.open()
    with pytest.raises(Unavailable):
        await LedgerHarness(away).ledger.close(closing(uuid4(), 1, 1))
    await away.close()

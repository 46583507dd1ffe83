import asyncio
import random
from uuid import UUID, uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.ledger.harness import LedgerHarness, closing, opening, settlement
from transcription_proxy.db.pool import Database
from transcription_proxy.ledger.entries import Balance, Description, new_hold
from transcription_proxy.values import Settled
from transcription_wire.codes import Reason


async def test_a_settle_books_renews_and_extends(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    session = await harness.open(user)
    await harness.sql("UPDATE transcription_sessions SET lease_until = clock_timestamp()")
    assert await harness.settle(session, 2, 8) == Settled(session, 2, 53, 8, 992, 0)
    assert await harness.ledger.balance(user) == Balance(992, 45, 0)
    assert await harness.rows(user) == [(-8, 992)]
    row = await harness.row(
        session, "number, seconds_used, hold, extract(epoch FROM lease_until - clock_timestamp()) > 58"
    )
    assert row == (2, 8, 45, True)


async def test_without_extend_the_hold_only_shrinks(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    session = await harness.open(user)
    assert await harness.settle(session, 2, 8, extend=False) == Settled(session, 2, 45, 8, 992, 0)
    assert await harness.ledger.balance(user) == Balance(992, 37, 0)


async def test_a_settle_without_usage_writes_no_row(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    session = await harness.open(user)
    await harness.settle(session, 2, 0)
    assert await harness.rows(user) == []


async def test_the_time_of_ready_is_set_once(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    session = (await harness.ledger.open_session(opening(user))).session_id
    assert await harness.ledger.sessions(user) == []
    await harness.settle(session, 1, 0, ready=True)
    began = await harness.row(session, "ready_at, started_at")
    assert abs((began[0] - began[1]).total_seconds()) < 0.01
    await harness.settle(session, 2, 0, ready=True)
    assert await harness.row(session, "ready_at, started_at") == began


async def test_a_settle_books_at_most_the_grant(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    session = await harness.open(user)
    assert await harness.settle(session, 2, 500) == Settled(session, 2, 90, 45, 955, 0)


async def test_a_lower_live_total_books_nothing(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    session = await harness.open(user)
    await harness.settle(session, 2, 20)
    assert (await harness.settle(session, 3, 5)).seconds_used == 20


async def test_repeated_and_outdated_numbers_change_nothing(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    session = await harness.open(user)
    await harness.settle(session, 3, 10)
    for number in (3, 2, 0, -1):
        assert await harness.settle(session, number, 40, keep=11) == Settled(session, number, 55, 10, 990, 0)
    assert await harness.rows(user) == [(-10, 990)]


async def test_after_the_close_repeats_are_answered_and_new_settles_are_gone(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    session = await harness.open(user)
    await harness.ledger.close(closing(session, 5, 12))
    stored = Settled(session, 5, 12, 12, 988, 0, gone=False, ending=Reason.CLIENT_STOP)
    assert await harness.settle(session, 5, 30) == stored
    assert await harness.settle(session, 6, 30) == Settled(session, 6, 12, 12, 988, 0, True, Reason.CLIENT_STOP)
    assert await harness.ledger.balance(user) == Balance(988, 0, 0)


async def test_a_settle_after_the_reaper_is_gone(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    session = await harness.open(user)
    await harness.settle(session, 2, 9)
    await harness.expire(session)
    await harness.ledger.reap()
    assert await harness.settle(session, 3, 30) == Settled(session, 3, 9, 9, 991, 0, True, Reason.LEASE_EXPIRED)


async def test_an_expired_lease_that_was_not_reaped_is_renewed(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    session = await harness.open(user)
    await harness.expire(session)
    assert not (await harness.settle(session, 2, 9)).gone
    assert await harness.ledger.reap() == []


async def test_keep_releases_credit_and_the_next_settle_extends_again(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    session = await harness.open(user)
    assert await harness.settle(session, 2, 10, keep=12) == Settled(session, 2, 12, 10, 990, 0)
    assert await harness.ledger.balance(user) == Balance(990, 2, 0)
    assert (await harness.settle(session, 3, 10, extend=False)).grant == 12
    assert (await harness.settle(session, 4, 10, keep=99)).grant == 12  # keep never raises
    assert (await harness.settle(session, 5, 10, keep=3)).grant == 10  # nor takes what is used
    assert (await harness.settle(session, 6, 10)).grant == 55


async def test_an_ending_session_is_booked_but_not_extended(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    session = await harness.open(user)
    await harness.mark_ending(session, Reason.ENDED_BY_OPERATOR)
    answer = await harness.settle(session, 2, 10)
    assert answer == Settled(session, 2, 45, 10, 990, 0, ending=Reason.ENDED_BY_OPERATOR)


async def test_a_settle_of_a_blocked_account_reports_the_block(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    session = await harness.open(user)
    await harness.sql("UPDATE users SET blocked_at = now() WHERE id = %s", user)
    answer = await harness.settle(session, 2, 10)
    assert answer == Settled(session, 2, 45, 10, 990, 0, ending=Reason.ENDED_BY_OPERATOR, blocked=True)


async def test_one_batch_may_settle_two_sessions_of_a_user(harness: LedgerHarness) -> None:
    user, other = await harness.user(100), await harness.user(50)
    one, two = sorted([await harness.open(user), await harness.open(user)])
    alone = await harness.open(other)
    holds = {one: (await harness.row(one, "hold"))[0], two: (await harness.row(two, "hold"))[0]}
    assert sorted(holds.values()) == [19, 25]
    answers = await harness.ledger.settle([settlement(two, 2, 5), settlement(alone, 2, 1), settlement(one, 2, 7)])
    by_id = {answer.session_id: answer for answer in answers}
    assert await harness.rows(user) == [(-7, 93), (-5, 88)]
    assert await harness.rows(other) == [(-1, 49)]
    free = 100 - 44
    first = new_hold(free, holds[one] - 7, 45, 2)
    second = new_hold(free, holds[two] - 5, 45, 2, taken=first - (holds[one] - 7))
    assert by_id[one] == Settled(one, 2, 7 + first, 7, 88, second)
    assert by_id[two] == Settled(two, 2, 5 + second, 5, 88, first)
    assert await harness.ledger.balance(user) == Balance(88, first + second, 0)


async def test_one_batch_never_grants_more_than_is_available(harness: LedgerHarness) -> None:
    user = await harness.user(3)
    sessions = [await harness.open(user), await harness.open(user)]
    answers = await harness.ledger.settle([settlement(session, 2, 1) for session in sessions])
    assert sorted(answer.grant for answer in answers) == [1, 2]
    assert await harness.ledger.balance(user) == Balance(1, 1, 0)


async def test_credit_released_in_a_batch_can_be_granted_in_the_same_batch(harness: LedgerHarness) -> None:
    user = await harness.user(2)
    one, two = await harness.open(user), await harness.open(user)
    answers = await harness.ledger.settle([settlement(one, 2, 0, keep=0), settlement(two, 2, 1)])
    grants = {answer.session_id: (answer.grant, answer.elsewhere) for answer in answers}
    assert grants == {one: (0, 1), two: (2, 0)}


async def test_concurrent_settles_of_one_user_all_count(harness: LedgerHarness) -> None:
    user = await harness.user(200)
    sessions = [await harness.open(user), await harness.open(user)]

    async def stream(session: UUID) -> None:
        for number in range(2, 40):
            await harness.settle(session, number, number)

    await asyncio.gather(*(stream(session) for session in sessions * 3))
    assert [(await harness.row(session, "seconds_used"))[0] for session in sessions] == [39, 39]
    assert (await harness.ledger.balance(user)).seconds_remaining == 200 - 78


async def test_two_sessions_drain_the_last_credits_to_exactly_zero(harness: LedgerHarness) -> None:
    """Money 13: each session uses its grant and asks for more, and waits while the other one holds the rest."""
    user = await harness.user(20)
    live = {await harness.open(user): 0, await harness.open(user): 0}
    numbers = dict.fromkeys(live, 1)
    spent = random.Random(3)
    while live:
        for session in list(live):
            numbers[session] += 1
            answer = await harness.settle(session, numbers[session], live[session])
            if answer.grant == live[session] and answer.elsewhere == 0:
                await harness.ledger.close(closing(session, numbers[session] + 1, live.pop(session)))
            else:
                live[session] += spent.randint(0, answer.grant - live[session])
    assert await harness.ledger.balance(user) == Balance(0, 0, 0)


async def test_a_purchase_extends_a_live_session(harness: LedgerHarness) -> None:
    user = await harness.user(1)
    session = await harness.open(user)
    assert await harness.settle(session, 2, 1) == Settled(session, 2, 1, 1, 0, 0)
    await harness.ledger.credit(user, 100, Description.CREDIT_PURCHASE)
    assert (await harness.settle(session, 3, 1)).grant == 1 + 25


async def test_a_claw_back_ends_the_session_and_its_held_audio_is_billed(harness: LedgerHarness) -> None:
    user = await harness.user(100)
    session = await harness.open(user)
    await harness.claw_back(user, 100)
    answer = await harness.settle(session, 2, 10)
    assert answer == Settled(session, 2, 25, 10, -10, 0, ending=Reason.INSUFFICIENT_CREDITS)
    await harness.ledger.close(closing(session, 3, 25))
    assert await harness.ledger.balance(user) == Balance(-25, 0, 0)


async def test_frozen_credit_ends_a_session_too(harness: LedgerHarness) -> None:
    user = await harness.user(100)
    session = await harness.open(user)
    await harness.sql("UPDATE credit_balance SET seconds_frozen = 90 WHERE user_id = %s", user)
    assert (await harness.settle(session, 2, 1)).ending is Reason.INSUFFICIENT_CREDITS


async def test_locked_rows_are_left_for_the_next_tick(harness: LedgerHarness) -> None:
    users = [await harness.user(100) for _ in range(4)]
    sessions = [await harness.open(user) for user in users]
    batch = [settlement(session, 2, 3) for session in sessions]
    async with harness.database.transaction() as connection:
        await connection.execute("SELECT FROM credit_balance WHERE user_id = %s FOR UPDATE", (users[0],))
        await connection.execute("SELECT FROM transcription_sessions WHERE id = %s FOR UPDATE", (sessions[1],))
        answered = {answer.session_id for answer in await harness.ledger.settle(batch)}
    assert answered == set(sessions[2:])
    answers = await harness.ledger.settle(batch)
    assert {answer.seconds_used for answer in answers} == {3}
    assert len(answers) == 4


async def test_a_failing_row_does_not_fail_the_rest_of_its_batch(harness: LedgerHarness) -> None:
    sessions = [await harness.open(await harness.user(100)) for _ in range(9)]
    await harness.sql(f"ALTER TABLE transcription_sessions ADD CHECK (id <> '{sessions[4]}' OR seconds_used = 0)")
    answers = await harness.ledger.settle([settlement(session, 2, 3) for session in sessions])
    assert {answer.session_id for answer in answers} == set(sessions) - {sessions[4]}
    assert await harness.row(sessions[4], "number, seconds_used, hold") == (1, 0, 25)


async def test_a_session_listed_twice_in_a_batch_is_settled_once(harness: LedgerHarness) -> None:
    user = await harness.user(100)
    session = await harness.open(user)
    batch = [settlement(session, 3, 6), settlement(session, 2, 5), settlement(session, 3, 6)]
    [answer] = await harness.ledger.settle(batch)
    assert (answer.number, answer.seconds_used) == (3, 6)
    assert await harness.rows(user) == [(-6, 94)]


async def test_unknown_sessions_and_empty_batches_are_answered(harness: LedgerHarness) -> None:
    assert await harness.ledger.settle([]) == []
    assert await harness.ledger.settle([settlement(uuid4(), 1, 1)]) == []


async def test_more_settlements_than_a_batch_are_all_booked(harness: LedgerHarness) -> None:
    user = await harness.user(100)
    session = await harness.open(user)
    batch = [settlement(uuid4(), 1, 1) for _ in range(1200)] + [settlement(session, 2, 1)]
    [answer] = await harness.ledger.settle(batch)
    assert answer.session_id == session


rows_of_two = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 60), st.integers(0, 80), st.booleans()), min_size=2, max_size=2
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(available=st.integers(-50, 300), rows=rows_of_two)
async def test_the_settle_statement_computes_holds_as_new_hold_does(
    database: Database, available: int, rows: list[tuple[int, int, int, bool]]
) -> None:
    """The batch has two sessions with random holds, caps and totals."""
    harness = LedgerHarness(database, max_streams=10_000)
    user = await harness.user(1000)
    sessions = sorted([await harness.open(user), await harness.open(user)])
    for session, (hold, cap, _, _) in zip(sessions, rows, strict=True):
        await harness.sql(
            "UPDATE transcription_sessions SET hold = %s, hold_cap = %s WHERE id = %s", hold, cap, session
        )
    held = sum(hold for hold, *_ in rows)
    change = "UPDATE credit_balance SET seconds_held = %s, seconds_remaining = %s WHERE user_id = %s"
    await harness.sql(change, held, available + held, user)
    batch = [settlement(session, 2, row[2], extend=row[3]) for session, row in zip(sessions, rows, strict=True)]
    answers = {answer.session_id: answer for answer in await harness.ledger.settle(batch)}
    taken = 0
    for session, (hold, cap, total, extend) in zip(sessions, rows, strict=True):
        left = hold - min(total, hold)
        expected = new_hold(available, left, cap, 2, taken) if extend else left
        assert answers[session].grant == hold - left + expected
        taken += expected - left

import asyncio
from contextlib import suppress
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.integration.ledger.books import LIFE, Books, closing, opening
from transcription_proxy.errors import Refusal, Unavailable
from transcription_proxy.ledger.entries import Balance
from transcription_proxy.values import Opened
from transcription_wire.codes import Reason


async def refused(books: Books, user: UUID, **changes: object) -> str:
    with pytest.raises(Refusal) as refusal:
        await books.ledger.open_session(opening(user, **changes))
    return refusal.value.code


async def test_opening_a_session_takes_a_hold(books: Books) -> None:
    user = await books.user(1000)
    opened = await books.ledger.open_session(opening(user))
    assert (opened.grant, opened.seconds_remaining) == (45, 1000)
    assert await books.ledger.balance(user) == Balance(1000, 45, 0)
    columns = "user_id, mode, status, hold, hold_cap, life, deepgram_model, language, rate_micro, cost_micro"
    row = await books.row(opened.session_id, columns)
    assert row == (user, "managed", "active", 45, 45, LIFE, "nova-2", "en-US", 1_000_000, 6_000)
    assert await books.row(opened.session_id, "channels, ready_at") == (1, None)
    [(lease,)] = await books.sql(
        "SELECT extract(epoch FROM lease_until - clock_timestamp()) FROM transcription_sessions"
    )
    assert 58 < lease <= 60


async def test_an_unknown_or_blocked_user_or_void_token_is_refused(books: Books) -> None:
    user = await books.user(1000)
    assert await refused(books, uuid4()) == "unauthorized"
    assert await refused(books, user, token_version=1) == "unauthorized"
    await books.sql("UPDATE users SET blocked_at = now() WHERE id = %s", user)
    assert await refused(books, user) == "unauthorized"


async def test_without_credit_no_session_opens(books: Books) -> None:
    assert await refused(books, await books.user(0)) == "insufficient_credits"


async def test_a_user_without_a_balance_row_has_no_credit(books: Books) -> None:
    user = await books.user(0)
    await books.sql("DELETE FROM credit_balance WHERE user_id = %s", user)
    assert await refused(books, user) == "insufficient_credits"


async def test_credit_held_by_another_session_is_not_available(books: Books) -> None:
    user = await books.user(1)
    await books.open(user)
    assert await refused(books, user) == "insufficient_credits"


async def test_frozen_credit_is_not_available(books: Books) -> None:
    user = await books.user(100)
    await books.sql("UPDATE credit_balance SET seconds_frozen = 150 WHERE user_id = %s", user)
    assert await refused(books, user) == "insufficient_credits"


async def test_the_session_limit_is_checked_before_the_credit(books: Books) -> None:
    user = await books.user(2)
    first, _ = await books.open(user), await books.open(user)
    assert await refused(books, user) == "too_many_connections"
    await books.ledger.close(closing(first, 2, 0))
    await books.open(user)


async def test_ending_sessions_and_expired_leases_do_not_count(books: Books) -> None:
    user = await books.user(1000)
    first, second = await books.open(user), await books.open(user)
    await books.ledger.mark_ending(first, Reason.ENDED_BY_USER)
    await books.expire(second)
    await books.open(user)
    await books.open(user)


async def test_replaces_makes_room_for_a_client_that_lost_its_connection(books: Books) -> None:
    user = await books.user(1000)
    first, _ = await books.open(user), await books.open(user)
    await books.open(user, replaces=first)
    assert await books.row(first, "status, ending, hold") == ("active", "replaced", 45)
    answer = await books.settle(first, 2, 3)
    assert (answer.ending, answer.seconds_used) == (Reason.REPLACED, 3)


async def test_replaces_of_others_unknown_or_ended_sessions_is_ignored(books: Books) -> None:
    user, other = await books.user(1000), await books.user(1000)
    foreign, ended = await books.open(other), await books.open(user)
    await books.ledger.close(closing(ended, 2, 0))
    for replaces in (foreign, ended):
        await books.open(user, replaces=replaces)
    assert await refused(books, user, replaces=uuid4()) == "too_many_connections"
    assert await books.row(foreign, "ending") == (None,)
    assert await books.row(ended, "ending, reason") == (None, "client_stop")


async def test_a_replaced_session_is_marked_even_if_its_successor_is_refused(books: Books) -> None:
    user = await books.user(1)
    ghost = await books.open(user)
    assert await refused(books, user, replaces=ghost) == "insufficient_credits"
    assert await books.row(ghost, "ending") == ("replaced",)


async def test_a_refused_token_marks_nothing(books: Books) -> None:
    user = await books.user(10)
    session = await books.open(user)
    assert await refused(books, user, replaces=session, token_version=4) == "unauthorized"
    assert await books.row(session, "ending") == (None,)


async def test_streams_are_limited_over_all_users(books: Books) -> None:
    few = Books(books.database, max_streams=2)
    users = [await few.user(100) for _ in range(3)]
    first = await few.open(users[0])
    await few.open(users[1])
    assert await refused(few, users[2]) == "busy"
    assert await few.ledger.balance(users[2]) == Balance(100, 0, 0)
    await few.ledger.mark_ending(first, Reason.ENDED_BY_USER)
    assert await refused(few, users[2]) == "busy"  # it counts until it has ended
    await few.open(users[0], replaces=first)  # but its successor may open


async def test_concurrent_openings_never_exceed_max_streams(books: Books) -> None:
    few = Books(books.database, max_streams=5)
    users = [await few.user(100) for _ in range(30)]
    answers = await asyncio.gather(*(few.ledger.open_session(opening(user)) for user in users), return_exceptions=True)
    assert sum(isinstance(answer, Opened) for answer in answers) == 5
    assert {answer.code for answer in answers if isinstance(answer, Refusal)} == {"busy"}


async def test_concurrent_openings_never_exceed_max_sessions(books: Books) -> None:
    user = await books.user(20)
    answers = await asyncio.gather(
        *(books.ledger.open_session(opening(user)) for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(answer, Opened) for answer in answers) == 2
    assert {answer.code for answer in answers if isinstance(answer, Refusal)} == {"too_many_connections"}
    assert await books.ledger.balance(user) == Balance(20, 5 + 4, 0)


async def test_concurrent_openings_never_hold_more_than_the_balance(books: Books) -> None:
    """Money 9: a sum over the sessions' holds instead of the locked balance would grant 30 of 20."""
    user = await books.user(20)

    async def run() -> None:
        with suppress(Refusal):
            session = (await books.ledger.open_session(opening(user))).session_id
            answers = [await books.settle(session, number, number * 3) for number in range(1, 4)]
            await books.ledger.close(closing(session, 9, answers[-1].grant))

    await asyncio.gather(*(run() for _ in range(20)))
    balance = await books.ledger.balance(user)
    assert balance.seconds_held == 0
    assert 0 <= balance.seconds_remaining < 20


@pytest.mark.parametrize("table", ["usage_ledger", "credit_balance", "transcription_sessions"])
async def test_no_session_opens_while_its_end_could_not_be_booked(books: Books, database_url: str, table: str) -> None:
    user = await books.user(100)
    async with await psycopg.AsyncConnection.connect(database_url) as operator:
        await operator.execute(f"LOCK TABLE {table} IN SHARE MODE".encode())
        with pytest.raises(Unavailable):
            await books.ledger.open_session(opening(user))
    assert await books.ledger.balance(user) == Balance(100, 0, 0)
    await books.ledger.open_session(opening(user))

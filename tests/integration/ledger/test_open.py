import asyncio
from contextlib import suppress
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.integration.ledger.harness import LIFE, LedgerHarness, closing, opening
from tests.waiting import until
from transcription_proxy.errors import Refusal, Unavailable
from transcription_proxy.ledger.entries import Balance
from transcription_proxy.values import Opened
from transcription_wire.codes import Reason


async def refused(harness: LedgerHarness, user: UUID, **changes: object) -> str:
    with pytest.raises(Refusal) as refusal:
        await harness.ledger.open_session(opening(user, **changes))
    return refusal.value.code


async def test_opening_a_session_takes_a_hold(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    opened = await harness.ledger.open_session(opening(user))
    assert (opened.grant, opened.seconds_remaining) == (45, 1000)
    assert await harness.ledger.balance(user) == Balance(1000, 45, 0)
    columns = "user_id, mode, status, hold, hold_cap, life, deepgram_model, language, rate_micro, cost_micro"
    row = await harness.row(opened.session_id, columns)
    assert row == (user, "managed", "active", 45, 45, LIFE, "nova-2", "en-US", 1_000_000, 6_000)
    assert await harness.row(opened.session_id, "channels, ready_at") == (1, None)
    [(lease,)] = await harness.sql(
        "SELECT extract(epoch FROM lease_until - clock_timestamp()) FROM transcription_sessions"
    )
    assert 58 < lease <= 60


async def test_an_unknown_or_blocked_user_or_void_token_is_refused(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    assert await refused(harness, uuid4()) == "unauthorized"
    assert await refused(harness, user, token_version=1) == "unauthorized"
    await harness.sql("UPDATE users SET blocked_at = now() WHERE id = %s", user)
    assert await refused(harness, user) == "unauthorized"


async def test_without_credit_no_session_opens(harness: LedgerHarness) -> None:
    assert await refused(harness, await harness.user(0)) == "insufficient_credits"


async def test_a_user_without_a_balance_row_has_no_credit(harness: LedgerHarness) -> None:
    user = await harness.user(0)
    await harness.sql("DELETE FROM credit_balance WHERE user_id = %s", user)
    assert await refused(harness, user) == "insufficient_credits"


async def test_credit_held_by_another_session_is_not_available(harness: LedgerHarness) -> None:
    user = await harness.user(1)
    await harness.open(user)
    assert await refused(harness, user) == "insufficient_credits"


async def test_frozen_credit_is_not_available(harness: LedgerHarness) -> None:
    user = await harness.user(100)
    await harness.sql("UPDATE credit_balance SET seconds_frozen = 150 WHERE user_id = %s", user)
    assert await refused(harness, user) == "insufficient_credits"


async def test_the_session_limit_is_checked_before_the_credit(harness: LedgerHarness) -> None:
    user = await harness.user(2)
    first, _ = await harness.open(user), await harness.open(user)
    assert await refused(harness, user) == "too_many_connections"
    await harness.ledger.close(closing(first, 2, 0))
    await harness.open(user)


async def test_ending_sessions_and_expired_leases_do_not_count(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    first, second = await harness.open(user), await harness.open(user)
    await harness.mark_ending(first, Reason.ENDED_BY_USER)
    await harness.expire(second)
    await harness.open(user)
    await harness.open(user)


async def test_replaces_makes_room_for_a_client_that_lost_its_connection(harness: LedgerHarness) -> None:
    user = await harness.user(1000)
    first, _ = await harness.open(user), await harness.open(user)
    await harness.open(user, replaces=first)
    assert await harness.row(first, "status, ending, hold") == ("active", "replaced", 45)
    answer = await harness.settle(first, 2, 3)
    assert (answer.ending, answer.seconds_used) == (Reason.REPLACED, 3)


async def test_replaces_of_others_unknown_or_ended_sessions_is_ignored(harness: LedgerHarness) -> None:
    user, other = await harness.user(1000), await harness.user(1000)
    foreign, ended = await harness.open(other), await harness.open(user)
    await harness.ledger.close(closing(ended, 2, 0))
    for replaces in (foreign, ended):
        await harness.open(user, replaces=replaces)
    assert await refused(harness, user, replaces=uuid4()) == "too_many_connections"
    assert await harness.row(foreign, "ending") == (None,)
    assert await harness.row(ended, "ending, reason") == (None, "client_stop")


async def test_a_replaced_session_is_marked_even_if_its_successor_is_refused(harness: LedgerHarness) -> None:
    user = await harness.user(1)
    ghost = await harness.open(user)
    assert await refused(harness, user, replaces=ghost) == "insufficient_credits"
    assert await harness.row(ghost, "ending") == ("replaced",)


async def test_a_refused_token_marks_nothing(harness: LedgerHarness) -> None:
    user = await harness.user(10)
    session = await harness.open(user)
    assert await refused(harness, user, replaces=session, token_version=4) == "unauthorized"
    assert await harness.row(session, "ending") == (None,)


async def test_streams_are_limited_over_all_users(harness: LedgerHarness) -> None:
    few = LedgerHarness(harness.database, max_streams=2)
    users = [await few.user(100) for _ in range(3)]
    first = await few.open(users[0])
    await few.open(users[1])
    assert await refused(few, users[2]) == "busy"
    assert await few.ledger.balance(users[2]) == Balance(100, 0, 0)
    await few.mark_ending(first, Reason.ENDED_BY_USER)
    assert await refused(few, users[2]) == "busy"  # it counts until it has ended
    await few.open(users[0], replaces=first)  # but its successor may open


async def test_streams_with_speaker_labels_have_a_limit_of_their_own(harness: LedgerHarness) -> None:
    few = LedgerHarness(harness.database, max_diarized=1)
    users = [await few.user(100) for _ in range(3)]
    session = await few.open(users[0], addons=("diarize", "keyterm"))
    assert await refused(few, users[1], addons=("diarize",)) == "busy"
    await few.open(users[1], addons=("keyterm",))
    await few.open(users[2])
    assert await few.row(session, "addons") == (["diarize", "keyterm"],)


async def test_concurrent_openings_never_exceed_max_streams(harness: LedgerHarness) -> None:
    few = LedgerHarness(harness.database, max_streams=5)
    users = [await few.user(100) for _ in range(30)]
    answers = await asyncio.gather(*(few.ledger.open_session(opening(user)) for user in users), return_exceptions=True)
    assert sum(isinstance(answer, Opened) for answer in answers) == 5
    assert {answer.code for answer in answers if isinstance(answer, Refusal)} == {"busy"}


async def mute(harness: LedgerHarness, session: UUID, seconds: int) -> None:
    """Give the session's hold back, as its relay does 5 s after the last audio, and let `seconds` pass."""
    await harness.settle(session, 2, 0, extend=False, keep=0)
    await harness.sql(
        "UPDATE transcription_sessions SET muted_at = muted_at - make_interval(secs => %s) WHERE id = %s",
        seconds,
        session,
    )


async def close_when_marked(harness: LedgerHarness, session: UUID) -> None:
    """End the session as its relay does once it is told."""

    async def is_marked() -> bool:
        return (await harness.row(session, "ending"))[0] is not None

    await until(is_marked)
    await harness.ledger.close(closing(session, 3, 0, reason=Reason.IDLE))


async def test_the_session_that_is_muted_for_the_longest_time_gives_its_stream_up(harness: LedgerHarness) -> None:
    few = LedgerHarness(harness.database, max_streams=3)
    users = [await few.user(100) for _ in range(5)]
    speaking, longest, shorter = [await few.open(user) for user in users[:3]]
    await mute(few, longest, 60)
    await mute(few, shorter, 30)
    opened, _ = await asyncio.gather(few.ledger.open_session(opening(users[3])), close_when_marked(few, longest))
    assert opened.grant > 0
    assert await few.row(longest, "status, reason") == ("completed", "idle")
    assert [await few.row(session, "ending") for session in (speaking, shorter)] == [(None,)] * 2


async def test_a_session_that_speaks_again_or_was_muted_just_now_keeps_its_stream(harness: LedgerHarness) -> None:
    few = LedgerHarness(harness.database, max_streams=2)
    users = [await few.user(100) for _ in range(3)]
    again, pausing = [await few.open(user) for user in users[:2]]
    await mute(few, again, 60)
    await few.settle(again, 3, 1)
    await mute(few, pausing, 10)
    assert await refused(few, users[2]) == "busy"
    assert [await few.row(session, "ending") for session in (again, pausing)] == [(None,)] * 2


async def test_a_muted_session_gives_way_only_where_its_end_helps(harness: LedgerHarness) -> None:
    """A stream with speaker labels that is refused for their limit is not helped by the end of one without."""
    few = LedgerHarness(harness.database, max_streams=4, max_diarized=1)
    users = [await few.user(100) for _ in range(3)]
    plain, labelled = await few.open(users[0]), await few.open(users[1], addons=("diarize",))
    await mute(few, plain, 60)
    assert await refused(few, users[2], addons=("diarize",)) == "busy"
    assert [await few.row(session, "ending") for session in (plain, labelled)] == [(None,)] * 2
    await mute(few, labelled, 30)
    opened, _ = await asyncio.gather(
        few.ledger.open_session(opening(users[2], addons=("diarize",))), close_when_marked(few, labelled)
    )
    assert opened.grant > 0
    assert await few.row(plain, "ending") == (None,)


async def test_concurrent_openings_never_exceed_max_sessions(harness: LedgerHarness) -> None:
    user = await harness.user(20)
    answers = await asyncio.gather(
        *(harness.ledger.open_session(opening(user)) for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(answer, Opened) for answer in answers) == 2
    assert {answer.code for answer in answers if isinstance(answer, Refusal)} == {"too_many_connections"}
    assert await harness.ledger.balance(user) == Balance(20, 5 + 4, 0)


async def test_concurrent_openings_never_hold_more_than_the_balance(harness: LedgerHarness) -> None:
    """Money 9: a sum over the sessions' holds instead of the locked balance would grant 30 of 20."""
    user = await harness.user(20)

    async def run() -> None:
        with suppress(Refusal):
            session = (await harness.ledger.open_session(opening(user))).session_id
            answers = [await harness.settle(session, number, number * 3) for number in range(1, 4)]
            await harness.ledger.close(closing(session, 9, answers[-1].grant))

    await asyncio.gather(*(run() for _ in range(20)))
    balance = await harness.ledger.balance(user)
    assert balance.seconds_held == 0
    assert 0 <= balance.seconds_remaining < 20


@pytest.mark.parametrize("table", ["usage_ledger", "credit_balance", "transcription_sessions"])
async def test_no_session_opens_while_its_end_could_not_be_booked(
    harness: LedgerHarness, database_url: str, table: str
) -> None:
    user = await harness.user(100)
    async with await psycopg.AsyncConnection.connect(database_url) as operator:
        await operator.execute(f"LOCK TABLE {table} IN SHARE MODE".encode())
        with pytest.raises(Unavailable):
            await harness.ledger.open_session(opening(user))
    assert await harness.ledger.balance(user) == Balance(100, 0, 0)
    await harness.ledger.open_session(opening(user))

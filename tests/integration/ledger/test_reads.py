from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tests.integration.ledger.harness import OWNERS, LedgerHarness, closing
from transcription_proxy.errors import Refusal
from transcription_proxy.ledger.audit import AUDIT_SECONDS, audit
from transcription_proxy.ledger.entries import Audit, Day, Description
from transcription_wire.codes import Reason, Status


async def entry(harness: LedgerHarness, user: UUID, seconds: int, description: str, at: datetime) -> None:
    """Add a ledger entry of the past, and update the balance."""
    await harness.ledger.credit(user, seconds, Description.TRIAL)
    await harness.sql(
        "UPDATE usage_ledger SET recorded_at = %s, description = %s WHERE seq = (SELECT max(seq) FROM usage_ledger)",
        at,
        description,
    )


@pytest.mark.parametrize("tz", ["UTC", "Europe/Berlin", "Pacific/Auckland", "America/Los_Angeles", "Asia/Kathmandu"])
async def test_days_begin_at_midnight_of_the_time_zone(harness: LedgerHarness, tz: str) -> None:
    user = await harness.user()
    today = datetime.now(ZoneInfo(tz)).date()
    first = today - timedelta(days=29)
    midnight = datetime.combine(first, datetime.min.time(), ZoneInfo(tz))
    await entry(harness, user, 1000, "credit_purchase", midnight - timedelta(microseconds=1))
    await entry(harness, user, 600, "trial", midnight)
    await entry(harness, user, -7, "session_usage", midnight + timedelta(hours=23, minutes=59))
    await entry(harness, user, -8, "session_usage", midnight + timedelta(days=1, hours=2))
    days = await harness.ledger.usage_days(user, tz)
    assert [day.date for day in days] == [first + timedelta(days=ago) for ago in range(30)]
    assert days[0] == Day(first, 7, 0, 600)
    assert days[1] == Day(first + timedelta(days=1), 8, 0, 0)
    assert days[2:] == [Day(first + timedelta(days=ago), 0, 0, 0) for ago in range(2, 30)]


async def test_each_kind_of_entry_has_its_column(harness: LedgerHarness) -> None:
    user = await harness.user()
    now = datetime.now(UTC)
    for seconds, description in [
        (1000, "credit_purchase"),
        (-200, "refund"),
        (-100, "dispute"),
        (40, "trial"),
        (-15, "manual_adjustment"),
        (-9, "session_usage"),
        (2, "session_usage"),
    ]:
        await entry(harness, user, seconds, description, now)
    assert await harness.ledger.usage_days(user, days=1) == [Day(now.date(), 7, 700, 25)]


@pytest.mark.parametrize("tz", ["", "Mars/Base", "Mars/Base1", "EST5XYZ6", "a\0b", "'; --", "+02", "x" * 500])
async def test_an_unknown_time_zone_is_refused(harness: LedgerHarness, tz: str) -> None:
    with pytest.raises(Refusal) as refusal:
        await harness.ledger.usage_days(await harness.user(), tz)
    assert refusal.value.code == "invalid_timezone"


async def test_a_live_session_is_found_by_a_prefix_of_its_id(harness: LedgerHarness) -> None:
    user, other = await harness.user(1000), await harness.user(1000)
    ids = [UUID(f"abcd{n}000-0000-4000-8000-000000000000") for n in range(2)]
    for session, name in zip([await harness.open(user), await harness.open(other)], ids, strict=True):
        await harness.sql("UPDATE transcription_sessions SET id = %s WHERE id = %s", name, session)
        OWNERS[name] = OWNERS[session]
    assert await harness.ledger.live_session("abcd1") == (ids[1], other)
    for prefix, code in [("abcd", "ambiguous"), ("abce", "not_found"), ("%", "not_found")]:
        with pytest.raises(Refusal) as refusal:
            await harness.ledger.live_session(prefix)
        assert refusal.value.code == code
    await harness.ledger.close(closing(ids[1], 2, 1))
    assert await harness.ledger.live_session("abcd") == (ids[0], user)


async def test_the_audit_reports_how_many_entries_it_checked(harness: LedgerHarness) -> None:
    await harness.user(100)
    await harness.user(200)
    async with harness.database.snapshot(AUDIT_SECONDS) as connection:
        assert await audit(connection) == Audit(entries=2, findings=[])


async def test_sessions_are_listed_newest_first(harness: LedgerHarness) -> None:
    user, other = await harness.user(1000), await harness.user(1000)
    first = await harness.open(user, model="nova-3")
    await harness.ledger.close(closing(first, 2, 10, audio_ms=9960))
    second = await harness.open(other)
    third = await harness.open(user)
    assert [row.id for row in await harness.ledger.sessions()] == [third, second, first]
    assert [row.id for row in await harness.ledger.sessions(limit=1)] == [third]
    live, ended = await harness.ledger.sessions(user)
    assert (live.id, live.user_id, live.status, live.reason) == (third, user, Status.ACTIVE, None)
    assert (live.ended_at, live.audio_seconds) == (None, None)
    assert (ended.id, ended.model, ended.status, ended.reason) == (
        first,
        "nova-3",
        Status.COMPLETED,
        Reason.CLIENT_STOP,
    )
    assert ended.ended_at is not None
    assert ended.started_at < ended.ended_at
    assert (ended.seconds_used, ended.audio_seconds) == (10, 10.0)
    assert ended.email.endswith("@example.org")


async def test_live_sessions_are_listed(harness: LedgerHarness) -> None:
    user, other = await harness.user(1000), await harness.user(1000)
    lost, live, foreign = await harness.open(user), await harness.open(user), await harness.open(other)
    await harness.expire(lost)
    await harness.mark_ending(live, Reason.IDLE)
    assert [(row.id, row.reason) for row in await harness.ledger.sessions(user, live=True)] == [(live, Reason.IDLE)]
    assert [row.id for row in await harness.ledger.sessions(live=True)] == [foreign, live]
    assert await harness.ledger.live_count() == 2
    assert isinstance((await harness.ledger.usage_days(user))[0].date, date)

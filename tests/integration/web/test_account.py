"""What a user sees of the account: balance, days, sessions; and how a live session is ended from there."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.integration.ledger.harness import LedgerHarness, closing
from tests.integration.web.site import Site, bearer, code
from transcription_proxy.db.pool import Database
from transcription_proxy.ledger.entries import Description
from transcription_wire.codes import Reason

UNKNOWN_SESSION = "207f2304-c101-4f1e-be5d-df2dd6f8a87f"
"""A session that there is not."""


@pytest.fixture
def harness(database: Database) -> LedgerHarness:
    return LedgerHarness(database)


class Account:
    """A user who has just registered, with the trial."""

    def __init__(self, http: httpx.AsyncClient, login: dict[str, Any]) -> None:
        self.id = UUID(login["user"]["id"])
        self.email: str = login["user"]["email"]
        self.headers = bearer(login)
        self._http = http

    async def get(self, path: str) -> Any:
        answer = await self._http.get(path, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def code(self, path: str, method: str = "GET") -> tuple[int, str]:
        return code(await self._http.request(method, path, headers=self.headers))


@pytest.fixture
async def ann(site: Site, http: httpx.AsyncClient) -> Account:
    return Account(http, await site.register("Ann@example.org"))


async def entry(site: Site, user: UUID, seconds: int, description: Description, at: datetime) -> None:
    """A row of the past."""
    await site.ledger.credit(user, seconds, Description.TRIAL)
    newest = "(SELECT max(seq) FROM usage_ledger)"
    statement = f"UPDATE usage_ledger SET recorded_at = %s, description = %s WHERE seq = {newest}"
    await site.sql(statement, at, description)


async def test_me_returns_email_and_credits(ann: Account) -> None:
    me = await ann.get("/account/me")
    assert set(me) == {"email", "credits", "created_at"}
    assert (me["email"], me["credits"]) == ("ann@example.org", {"seconds_remaining": 600, "minutes_remaining": 10})
    created = datetime.fromisoformat(me["created_at"])
    assert created.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - created) < timedelta(minutes=5)


@pytest.mark.parametrize(("seconds", "minutes"), [(59, 0), (60, 1), (119, 1), (3600, 60), (0, 0)])
async def test_minutes_are_rounded_down(site: Site, ann: Account, seconds: int, minutes: int) -> None:
    await site.ledger.credit(ann.id, seconds - 600, Description.MANUAL_ADJUSTMENT)
    balance = await ann.get("/billing/balance")
    assert (balance["seconds_remaining"], balance["minutes_remaining"]) == (seconds, minutes)
    assert (await ann.get("/account/me"))["credits"] == {"seconds_remaining": seconds, "minutes_remaining": minutes}


async def test_minutes_are_never_below_zero_but_seconds_may_be(harness: LedgerHarness, ann: Account) -> None:
    await harness.claw_back(ann.id, 1000)
    assert await ann.get("/billing/balance") == {
        "seconds_remaining": -400,
        "minutes_remaining": 0,
        "seconds_held": 0,
        "seconds_frozen": 0,
        "low_at_seconds": 120,
    }


async def test_the_balance_shows_held_and_frozen_seconds(site: Site, harness: LedgerHarness, ann: Account) -> None:
    await harness.open(ann.id)
    await site.sql("UPDATE credit_balance SET seconds_frozen = 7 WHERE user_id = %s", ann.id)
    assert await ann.get("/billing/balance") == {
        "seconds_remaining": 600,
        "minutes_remaining": 10,
        "seconds_held": 45,
        "seconds_frozen": 7,
        "low_at_seconds": 120,
    }


@pytest.mark.parametrize(
    ("seconds", "description", "mark"),
    [
        (30_000, Description.CREDIT_PURCHASE, 600),
        (1000, Description.MANUAL_ADJUSTMENT, 200),
        (-300, Description.MANUAL_ADJUSTMENT, 120),
        (-300, Description.SESSION_USAGE, 120),
        (5000, Description.REFUND, 120),
    ],
)
async def test_the_low_mark_depends_on_the_last_purchase_or_grant(
    site: Site, ann: Account, seconds: int, description: Description, mark: int
) -> None:
    await entry(site, ann.id, seconds, description, datetime.now(UTC))
    assert (await ann.get("/billing/balance"))["low_at_seconds"] == mark


async def test_usage_has_thirty_days_up_to_today_with_empty_ones(site: Site, ann: Account) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    await entry(site, ann.id, -9, Description.SESSION_USAGE, today - timedelta(days=29))
    await entry(site, ann.id, 30_000, Description.CREDIT_PURCHASE, today - timedelta(days=1))
    await entry(site, ann.id, -500, Description.REFUND, today - timedelta(days=1))
    await entry(site, ann.id, 77, Description.CREDIT_PURCHASE, today - timedelta(days=30))
    usage = await ann.get("/account/usage")
    assert set(usage) == {"days", "sessions", "totals"}
    days = usage["days"]
    assert [day["date"] for day in days] == [
        (today.date() - timedelta(days=ago)).isoformat() for ago in reversed(range(30))
    ]
    assert days[0] == {**nothing(days[0]), "seconds_used": 9}
    assert days[28] == {**nothing(days[28]), "seconds_purchased": 29_500}
    assert days[29] == {**nothing(days[29]), "seconds_adjusted": 600}
    assert days[1:28] == [nothing(day) for day in days[1:28]]
    assert await ann.get("/account/usage?tz=UTC") == usage


def nothing(day: dict[str, Any]) -> dict[str, Any]:
    return {"date": day["date"], "seconds_used": 0, "seconds_purchased": 0, "seconds_adjusted": 0}


@pytest.mark.parametrize("tz", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Berlin", "Asia/Kathmandu"])
async def test_days_follow_the_time_zone(site: Site, ann: Account, tz: str) -> None:
    before = datetime.now(ZoneInfo(tz)).date()
    days = (await ann.get(f"/account/usage?tz={tz}"))["days"]
    after = datetime.now(ZoneInfo(tz)).date()
    assert before <= date.fromisoformat(days[-1]["date"]) <= after
    first = date.fromisoformat(days[0]["date"])
    midnight = datetime.combine(first, datetime.min.time(), ZoneInfo(tz))
    await entry(site, ann.id, -1, Description.SESSION_USAGE, midnight - timedelta(seconds=1))
    await entry(site, ann.id, -2, Description.SESSION_USAGE, midnight)
    assert (await ann.get(f"/account/usage?tz={tz}"))["days"][0]["seconds_used"] == 2


@pytest.mark.parametrize("tz", ["", "Mars/Base", "+02", "%00", "%ff", "UTC%27--", "a" * 5000])
async def test_an_invalid_time_zone_is_refused(ann: Account, tz: str) -> None:
    assert await ann.code(f"/account/usage?tz={tz}") == (422, "invalid_timezone")


async def test_a_session_is_listed_with_its_cost_and_reason(harness: LedgerHarness, ann: Account) -> None:
    session = await harness.open(ann.id, model="nova-3")
    await harness.ledger.close(closing(session, 2, 12, audio_ms=11_300))
    [row] = (await ann.get("/account/usage"))["sessions"]
    times = [datetime.fromisoformat(row.pop(name)) for name in ("started_at", "ended_at")]
    assert row == {
        "id": str(session),
        "seconds_used": 12,
        "audio_seconds": 11.3,
        "model": "nova-3",
        "engine": "Nova-3",
        "status": "completed",
        "reason": "client_stop",
    }
    assert [time.utcoffset() for time in times] == [timedelta(0)] * 2
    assert times[0] < times[1]


async def test_usage_lists_the_last_ten_sessions_newest_first(harness: LedgerHarness, ann: Account) -> None:
    made = []
    for _ in range(12):
        made.append(str(await harness.open(ann.id)))
        await harness.ledger.close(closing(UUID(made[-1]), 2, 1))
    for path in ("/account/usage", "/account/sessions", "/account/sessions?live=false"):
        assert [row["id"] for row in (await ann.get(path))["sessions"]] == made[:1:-1], path


async def test_the_live_list_has_only_active_sessions(harness: LedgerHarness, ann: Account) -> None:
    ended, live = await harness.open(ann.id), await harness.open(ann.id)
    await harness.ledger.close(closing(ended, 2, 1))
    [row] = (await ann.get("/account/sessions?live=true"))["sessions"]
    assert (row["id"], row["status"]) == (str(live), "active")
    assert (row["ended_at"], row["audio_seconds"], row["reason"]) == (None, None, None)
    assert len((await ann.get("/account/sessions"))["sessions"]) == 2


async def test_a_session_that_never_became_ready_is_not_listed(harness: LedgerHarness, ann: Account) -> None:
    unready = await harness.open(ann.id)
    await harness.sql("UPDATE transcription_sessions SET ready_at = NULL WHERE id = %s", unready)
    for path in ("/account/usage", "/account/sessions", "/account/sessions?live=true"):
        assert (await ann.get(path))["sessions"] == []


async def test_users_cannot_see_or_end_another_users_session(
    site: Site, http: httpx.AsyncClient, harness: LedgerHarness, ann: Account
) -> None:
    session = await harness.open(ann.id)
    eve = Account(http, await site.register())
    for path in ("/account/usage", "/account/sessions", "/account/sessions?live=true"):
        assert (await eve.get(path))["sessions"] == []
    assert await eve.code(f"/account/sessions/{session}", "DELETE") == (404, "not_found")
    assert await harness.row(session, "status, ending") == ("active", None)


async def test_a_live_session_can_be_marked_to_end_twice(
    http: httpx.AsyncClient, harness: LedgerHarness, ann: Account
) -> None:
    """It keeps its hold until its own relay closes it with the true total."""
    session = await harness.open(ann.id)
    for _ in range(2):
        answer = await http.delete(f"/account/sessions/{session}", headers=ann.headers)
        assert (answer.status_code, answer.content) == (204, b"")
    assert await harness.row(session, "status, ending, hold") == ("active", "ended_by_user", 45)
    [row] = (await ann.get("/account/sessions?live=true"))["sessions"]
    assert row["reason"] == "ended_by_user"
    await harness.ledger.close(closing(session, 2, 3, reason=Reason.ENDED_BY_USER))
    assert await ann.code(f"/account/sessions/{session}", "DELETE") == (404, "not_found")
    assert (await ann.get("/billing/balance"))["seconds_held"] == 0


@pytest.mark.parametrize("session", [UNKNOWN_SESSION, "nonsense", "%00", "%ff", "9" * 5000, "null"])
async def test_ending_an_unknown_session_is_not_found(ann: Account, session: str) -> None:
    assert await ann.code(f"/account/sessions/{session}", "DELETE") == (404, "not_found")


@pytest.mark.parametrize("live", ["", "maybe", "2", "%00"])
async def test_live_must_be_a_boolean(ann: Account, live: str) -> None:
    assert await ann.code(f"/account/sessions?live={live}") == (422, "invalid_request")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/account/me"),
        ("GET", "/account/usage"),
        ("GET", "/account/usage?tz=Mars/Base"),
        ("GET", "/account/sessions"),
        ("DELETE", f"/account/sessions/{UNKNOWN_SESSION}"),
        ("GET", "/billing/balance"),
        ("POST", "/account/password"),
    ],
)
@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Bearer x", "Basic eDp5", "x.y.z"])
async def test_without_a_token_every_route_is_unauthorized(
    http: httpx.AsyncClient, method: str, path: str, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    body = {"current": "x", "new": "y"} if method == "POST" else None
    answer = await http.request(method, path, headers=headers, json=body)
    assert code(answer) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_bearer_may_be_in_any_case(site: Site, http: httpx.AsyncClient) -> None:
    login = await site.register()
    for scheme in ("Bearer", "bearer", "BEARER"):
        answer = await http.get("/account/me", headers={"Authorization": f"{scheme} {login['token']}"})
        assert answer.status_code == 200


async def test_a_token_of_a_deleted_account_is_unauthorized(site: Site, ann: Account) -> None:
    for table, column in [("refresh_tokens", "user_id"), ("usage_ledger", "user_id"), ("users", "id")]:
        await site.sql(f"DELETE FROM {table} WHERE {column} = %s", ann.id)
    assert await ann.code("/account/me") == (401, "unauthorized")

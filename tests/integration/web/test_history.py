"""All sessions and purchases of an account: page by page, as CSV, and in the days of a chart."""

import csv
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.integration.web.site import Site, bearer, code
from transcription_proxy.ledger import store as ledger
from transcription_proxy.payments import store as payments
from transcription_proxy.web import exports

THEN = datetime(2026, 3, 1, 12, 0, 0, 250_000, UTC)
SESSIONS = """INSERT INTO transcription_sessions
  (user_id, mode, status, reason, started_at, ready_at, ended_at, deepgram_model, engine, seconds_used, audio_seconds)
SELECT %s, 'managed', 'completed', 'client_stop', t, t, t + interval '9 s', 'nova-2', 'builtin', 9, 8.4
FROM (SELECT %s::timestamptz - n / 2 * interval '1 s' AS t FROM generate_series(1, %s) n) times"""
PURCHASES = """INSERT INTO purchases (user_id, package_id, label, seconds, amount_cents, currency, status, created_at)
SELECT %s, 'pack_500', %s, 30000, 305, 'usd', (ARRAY['pending', 'failed', 'open', 'expired'])[1 + n %% 4],
  %s::timestamptz - n / 2 * interval '1 s'
FROM generate_series(1, %s) n"""

ENTRIES = """INSERT INTO usage_ledger (user_id, recorded_at, seconds, description, balance_after)
SELECT %s, now() - n * interval '1 hour', 0, 'session_usage', 0 FROM generate_series(1, %s) n"""


@pytest.fixture
async def ann(site: Site) -> dict[str, Any]:
    return await site.register("ann@example.org")


async def get(http: httpx.AsyncClient, login: dict[str, Any], path: str) -> Any:
    answer = await http.get(path, headers=bearer(login))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def pages(http: httpx.AsyncClient, login: dict[str, Any], name: str, limit: int) -> list[list[dict[str, Any]]]:
    """Every page of /account/`name`, by its own cursors."""
    found, cursor = [], ""
    while True:
        page = await get(http, login, f"/account/{name}?limit={limit}{cursor}")
        assert set(page) == {name, "next"}
        found.append(page[name])
        if page["next"] is None:
            return found
        cursor = f"&before={page['next']}"


async def test_every_session_is_on_exactly_one_page(site: Site, ann: dict[str, Any]) -> None:
    await site.sql(SESSIONS, ann["user"]["id"], THEN, 25)
    found = await pages(site.http, ann, "sessions", 7)
    assert [len(page) for page in found] == [7, 7, 7, 4]
    rows = [row for page in found for row in page]
    assert len({row["id"] for row in rows}) == 25
    assert [row["started_at"] for row in rows] == sorted((row["started_at"] for row in rows), reverse=True)
    assert {(row["engine"], row["model"]) for row in rows} == {("Built-in", "nova-2")}
    assert (await get(site.http, ann, "/account/sessions"))["sessions"] == rows[:10]
    assert (await get(site.http, ann, "/account/sessions?live=true")) == {"sessions": [], "next": None}


async def test_a_new_session_does_not_shift_pages(site: Site, ann: dict[str, Any]) -> None:
    await site.sql(SESSIONS, ann["user"]["id"], THEN, 4)
    first = await get(site.http, ann, "/account/sessions?limit=2")
    await site.sql(SESSIONS, ann["user"]["id"], THEN + timedelta(hours=1), 3)
    second = await get(site.http, ann, f"/account/sessions?limit=2&before={first['next']}")
    assert len({row["id"] for page in (first, second) for row in page["sessions"]}) == 4
    assert second["next"] is None


async def test_abandoned_checkouts_are_not_listed(site: Site, ann: dict[str, Any]) -> None:
    await site.sql(PURCHASES, ann["user"]["id"], "500 minutes", THEN, 12)
    found = await pages(site.http, ann, "purchases", 4)
    assert [len(page) for page in found] == [4, 2]
    rows = [row for page in found for row in page]
    assert [row["status"] for row in rows].count("pending") == [row["status"] for row in rows].count("failed") == 3
    assert await get(site.http, ann, "/account/purchases") == {"purchases": rows, "next": None}


async def test_users_cannot_page_through_another_users_rows(site: Site, ann: dict[str, Any]) -> None:
    await site.sql(SESSIONS, ann["user"]["id"], THEN, 3)
    theirs = (await get(site.http, ann, "/account/sessions?limit=1"))["next"]
    eve = await site.register()
    assert await get(site.http, eve, f"/account/sessions?before={theirs}") == {"sessions": [], "next": None}
    assert (await site.http.get("/account/sessions.csv", headers=bearer(eve))).text.count("\r\n") == 1


@pytest.mark.parametrize("path", ["sessions", "purchases"])
@pytest.mark.parametrize("query", ["before=x", "before=", "before=%00", "limit=0", "limit=101", "limit=x"])
async def test_an_invalid_cursor_is_refused(site: Site, ann: dict[str, Any], path: str, query: str) -> None:
    answer = await site.http.get(f"/account/{path}?{query}", headers=bearer(ann))
    assert code(answer) == (422, "invalid_request")


async def rows_of(site: Site, login: dict[str, Any], name: str) -> list[dict[str, str]]:
    """The CSV file of that name, of which the head is checked."""
    answer = await site.http.get(f"/account/{name}.csv", headers=bearer(login))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}-{today}.csv"'
    assert answer.headers["cache-control"] == "no-store"
    return list(csv.DictReader(StringIO(answer.text, newline="")))


async def test_the_csv_has_all_sessions(site: Site, ann: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "ROWS_PER_READ", 4)
    for count in (8, 2):
        await site.sql(SESSIONS, ann["user"]["id"], THEN, count)
        rows = await rows_of(site, ann, "sessions")
        listed = [row for page in await pages(site.http, ann, "sessions", 100) for row in page]
        assert [row["id"] for row in rows] == [row["id"] for row in listed]
    assert {name: rows[0][name] for name in rows[0] if name != "id"} == {
        "started_at": "2026-03-01T12:00:00Z",
        "ended_at": "2026-03-01T12:00:09Z",
        "status": "completed",
        "reason": "client_stop",
        "engine": "Built-in",
        "model": "nova-2",
        "audio_seconds": "8.4",
        "seconds_used": "9",
    }


async def test_the_csv_has_all_purchases_and_no_formulas(site: Site, ann: dict[str, Any]) -> None:
    await site.sql(PURCHASES, ann["user"]["id"], '=HYPERLINK("x", 1)', THEN, 1)
    assert await rows_of(site, ann, "purchases") == [
        {
            "date": "2026-03-01T12:00:00Z",
            "label": '\'=HYPERLINK("x", 1)',
            "amount": "3.05",
            "currency": "USD",
            "seconds": "30000",
            "status": "failed",
            "receipt_url": "",
        }
    ]


@pytest.mark.parametrize("path", ["/account/sessions.csv", "/account/purchases.csv", "/account/purchases"])
async def test_without_a_token_every_route_is_unauthorized(site: Site, path: str) -> None:
    assert code(await site.http.get(path)) == (401, "unauthorized")


@pytest.mark.parametrize(("query", "count"), [("", 30), ("?days=7", 7), ("?days=30", 30), ("?days=90", 90)])
async def test_usage_returns_days_and_totals(site: Site, ann: dict[str, Any], query: str, count: int) -> None:
    await site.sql("UPDATE usage_ledger SET recorded_at = now() - interval '60 days'")
    usage = await get(site.http, ann, f"/account/usage{query}")
    assert len(usage["days"]) == count
    assert usage["totals"] == {
        "seconds_used": 0,
        "seconds_purchased": 0,
        "seconds_adjusted": 600 if count == 90 else 0,
        "sessions": 0,
        "spent_cents": 0,
        "currency": "usd",
    }


PAID = """INSERT INTO purchases
  (user_id, package_id, label, seconds, amount_cents, paid_cents, refunded_cents, currency, status, paid_at, created_at)
SELECT %s, 'pack_500', 'x', 30000, 305, 300, %s, 'usd', 'paid', now(), now() - %s * interval '1 day'"""


async def test_totals_count_sessions_and_payments_less_refunds(site: Site, ann: dict[str, Any]) -> None:
    user = ann["user"]["id"]
    await site.sql(PURCHASES, user, "never paid", datetime.now(UTC), 8)
    for refunded, ago in [(0, 1), (100, 3), (0, 20), (0, 60)]:
        await site.sql(PAID, user, refunded, ago)
    for count, ago in [(2, 1), (3, 20), (4, 60)]:
        await site.sql(SESSIONS, user, datetime.now(UTC) - timedelta(days=ago), count)
    found = {}
    for days in (7, 30, 90):
        totals = (await get(site.http, ann, f"/account/usage?days={days}"))["totals"]
        found[days] = (totals["sessions"], totals["spent_cents"])
    assert found == {7: (2, 500), 30: (5, 800), 90: (9, 1100)}


@pytest.mark.parametrize("days", ["", "0", "8", "365", "x", "30.5", "-7"])
async def test_other_numbers_of_days_are_refused(site: Site, ann: dict[str, Any], days: str) -> None:
    answer = await site.http.get(f"/account/usage?days={days}", headers=bearer(ann))
    assert code(answer) == (422, "invalid_request")


async def test_a_deep_page_is_found_by_an_index(site: Site, ann: dict[str, Any]) -> None:
    """A page in the middle of 2,000 rows of one account, among 40,000 of others, reads a handful of rows."""
    user = UUID(ann["user"]["id"])
    for owner in (user, *[UUID((await site.register())["user"]["id"]) for _ in range(5)]):
        count = 2_000 if owner == user else 8_000
        await site.sql(SESSIONS, owner, THEN, count)
        await site.sql(PURCHASES, owner, "x", THEN, count)
    await site.sql("ANALYZE transcription_sessions, purchases, users")
    values = {"user_id": user, "live": False, "limit": 100, "before_at": THEN - timedelta(seconds=500)}
    for statement, index in [
        (ledger.SQL["sessions"], "sessions_user_recent"),
        (payments.SQL["purchases"], "purchases_user"),
    ]:
        scan = await used(site, statement, {**values, "before_id": user}, index)
        assert scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0) < 500, scan


async def test_the_days_of_a_chart_are_found_by_an_index(site: Site, ann: dict[str, Any]) -> None:
    """A week of one account, among a year of it and the year of others."""
    user = UUID(ann["user"]["id"])
    for owner in (user, *[UUID((await site.register())["user"]["id"]) for _ in range(5)]):
        await site.sql(ENTRIES, owner, 365 * 24)
    await site.sql("ANALYZE usage_ledger")
    scan = await used(
        site, ledger.SQL["usage_days"], {"user_id": user, "tz": "Asia/Kathmandu", "days": 7}, "usage_ledger_hour"
    )
    assert 6 * 24 < scan["Actual Rows"] <= 7 * 24 + 1, scan


async def used(site: Site, statement: str, values: dict[str, Any], index: str) -> dict[str, Any]:
    """Run a statement, and return the part of its plan that uses an index. The statement uses it once."""
    async with site.database.transaction() as connection:
        explained = await connection.execute(
            f"EXPLAIN (ANALYZE, BUFFERS OFF, FORMAT JSON) {statement}".encode(), values
        )
        [(plan,)] = await explained.fetchall()
    [scan] = [node for node in nodes(plan[0]["Plan"]) if node.get("Index Name") == index]
    return scan


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for inner in plan.get("Plans", []) for node in nodes(inner))]

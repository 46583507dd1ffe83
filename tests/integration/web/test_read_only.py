"""A database that answers and cannot be written to: health says so, and whatever would write is told to come back."""

import time
from collections.abc import AsyncIterator

import httpx
import psycopg
import pytest

from tests.integration.payments.events import event, session, signed
from tests.integration.web.site import PASSWORD, Site, bearer, code
from transcription_proxy.ledger import watch
from transcription_wire.version import VERSION

HEALTHY = (200, {"status": "ok", "db": "connected", "version": VERSION})
SICK = (503, {"status": "degraded", "db": "disconnected", "version": VERSION})
DISK_FULL = (
    "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100'; END $$"
)
TABLES = ("users", "refresh_tokens", "purchases", "stripe_events", "usage_ledger", "write_probe")


@pytest.fixture(autouse=True)
def ask_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "FRESH_SECONDS", 0.0)


@pytest.fixture
async def admin(database_url: str) -> AsyncIterator[psycopg.AsyncConnection]:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as admin:
        yield admin


async def health(http: httpx.AsyncClient) -> tuple[int, object]:
    answer = await http.get("/health")
    return answer.status_code, answer.json()


async def set_read_only(admin: psycopg.AsyncConnection, value: str) -> None:
    """For new connections."""
    await admin.execute(f"ALTER DATABASE {admin.info.dbname} SET default_transaction_read_only = {value}".encode())


async def end_connections(admin: psycopg.AsyncConnection) -> None:
    await admin.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


async def fill_disk(admin: psycopg.AsyncConnection) -> None:
    await admin.execute(DISK_FULL)
    for table in TABLES:
        made = f"CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON {table} EXECUTE FUNCTION full_disk()"
        await admin.execute(made.encode())


async def assert_told_to_come_back(site: Site, login: dict[str, str]) -> None:
    """By every request that writes; Stripe is told so too, and sends its event again."""
    http, credentials = site.http, {"email": "ann@example.org", "password": PASSWORD}
    payload, signature = signed(event("checkout.session.completed", session("cs_1")), "whsec_tests", time.time())
    answers = [
        await http.post("/auth/register", json=credentials | {"email": "new@example.org"}),
        await http.post("/auth/login", json=credentials),
        await http.post("/auth/refresh", json={"refresh_token": login["refresh_token"]}),
        await http.post("/billing/checkout", json={"package_id": "pack_500"}, headers=bearer(login)),
        await http.post("/webhooks/stripe", content=payload, headers={"Stripe-Signature": signature}),
    ]
    for answer in answers:
        assert code(answer) == (503, "service_unavailable"), (answer.url, answer.text)
        assert int(answer.headers["retry-after"]) > 0


async def test_a_read_only_database_makes_health_degraded(
    site: Site, http: httpx.AsyncClient, admin: psycopg.AsyncConnection
) -> None:
    login = await site.register("ann@example.org")
    assert await health(http) == HEALTHY
    await set_read_only(admin, "on")
    await end_connections(admin)
    assert await health(http) == SICK
    await assert_told_to_come_back(site, login)
    assert (await http.get("/account/me", headers=bearer(login))).status_code == 200
    await set_read_only(admin, "off")
    assert await health(http) == SICK  # as its old connections are, which it replaces now
    assert await health(http) == HEALTHY
    assert (await http.post("/auth/refresh", json={"refresh_token": login["refresh_token"]})).status_code == 200


async def test_a_full_disk_makes_health_degraded(
    site: Site, http: httpx.AsyncClient, admin: psycopg.AsyncConnection
) -> None:
    login = await site.register("ann@example.org")
    await fill_disk(admin)
    assert await health(http) == SICK
    await assert_told_to_come_back(site, login)
    await admin.execute("DROP FUNCTION full_disk CASCADE")
    assert await health(http) == HEALTHY


@pytest.mark.parametrize("table", ["usage_ledger", "credit_balance", "transcription_sessions"])
async def test_a_locked_table_makes_health_degraded(site: Site, database_url: str, table: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url) as operator:
        await operator.execute(f"LOCK TABLE {table} IN SHARE MODE".encode())
        assert await health(site.http) == SICK
        await operator.rollback()
    assert await health(site.http) == HEALTHY


async def test_a_locked_row_does_not_affect_health(site: Site, database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url) as frozen:
        await frozen.execute("UPDATE write_probe SET written_at = now()")
        assert await health(site.http) == HEALTHY


async def test_failing_settles_and_missing_tables_make_health_degraded(
    site: Site, admin: psycopg.AsyncConnection
) -> None:
    site.settles_fail = True
    assert await health(site.http) == SICK
    site.settles_fail = False
    assert await health(site.http) == HEALTHY
    await admin.execute("ALTER TABLE write_probe RENAME TO gone")
    assert await health(site.http) == SICK

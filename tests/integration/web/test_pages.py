"""The pages, and the OpenAPI document, which must say what the service does."""

import re
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from fastapi.openapi.models import OpenAPI
from fastapi.routing import APIRoute

from tests.integration.web.site import PASSWORD, Site, bearer
from transcription_proxy import web
from transcription_proxy.web.pages import PAGES as PLACES
from transcription_proxy.web.pages import RETURNS, STATIC
from transcription_proxy.web.places import GUESSED

PAGES = [*PLACES, "/docs", "/status"]
METHODS = {"get", "post", "put", "patch", "delete"}
FOR_PEOPLE = {
    *PLACES,
    *GUESSED,
    "/docs",
    "/favicon.ico",
    "/robots.txt",
    "/site",
    "/site.webmanifest",
    "/static/shared-sentences.js",
    "/status",
} - set(RETURNS)
HTML = {"Accept": "text/html,application/xhtml+xml"}
ELSEWHERE = re.compile(
    r"https?://(?!www\.w3\.org/)|url\(|@import|innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\("
)


@pytest.fixture
async def document(http: httpx.AsyncClient) -> dict[str, Any]:
    answer = await http.get("/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    found: dict[str, Any] = answer.json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from ([value["$ref"]] if "$ref" in value else [])
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def routed() -> set[tuple[str, str]]:
    """Every path and method in a file of `web`."""
    modules = [import_module(f"{web.__name__}.{module.name}") for module in iter_modules(web.__path__)]
    routers: list[APIRouter] = [module.router for module in modules if hasattr(module, "router")]
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    return {(route.path, method.lower()) for route in routes for method in route.methods or ()}


def test_the_openapi_document_is_valid(document: dict[str, Any]) -> None:
    OpenAPI.model_validate(document)
    assert document["openapi"].startswith("3.")
    assert document["servers"] == [{"url": "https://captions.example.org"}]
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) <= known
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    for path, method, operation in operations(document):
        assert method in METHODS
        named = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path))
        assert [status for status in operation["responses"] if status.startswith("2")], (path, method)


def test_the_document_covers_every_route(document: dict[str, Any]) -> None:
    said = {(path, method) for path, method, _ in operations(document)}
    assert said | {(path, "get") for path in FOR_PEOPLE} == routed()
    assert not {path for path, _ in said} & FOR_PEOPLE


def test_every_operation_is_described_for_people(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        assert operation["summary"], (path, method)
        assert operation["tags"], (path, method)


async def test_the_document_says_which_routes_need_a_token(http: httpx.AsyncClient, document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    for path, method, operation in operations(document):
        body = {"current": "", "new": ""} if "requestBody" in operation else None
        answer = await http.request(method, path.replace("{session_id}", "x"), json=body)
        needed = (answer.status_code, answer.headers.get("www-authenticate")) == (401, "Bearer")
        assert ({"HTTPBearer": []} in operation.get("security", [])) is needed, (path, method)
        assert not needed or "401" in operation["responses"]


def test_every_error_is_documented_in_our_own_shape(document: dict[str, Any]) -> None:
    assert "HTTPValidationError" not in document["components"]["schemas"]
    ours = {"$ref": "#/components/schemas/ErrorBody"}
    for path, _, operation in operations(document):
        for status, answer in operation["responses"].items():
            if int(status) >= 400 and path != "/health":
                assert answer["content"]["application/json"]["schema"] == ours, (path, status)


async def test_answers_match_the_document(site: Site, http: httpx.AsyncClient, document: dict[str, Any]) -> None:
    """Each success has all fields that are required, and none that is not documented."""
    headers = bearer(await site.register("ann@example.org"))
    login = {"email": "ann@example.org", "password": PASSWORD}
    refresh = {"refresh_token": (await http.post("/auth/login", json=login)).json()["refresh_token"]}
    calls: list[tuple[str, str, Any]] = [
        ("get", "/health", None),
        ("get", "/ready", None),
        ("get", "/live", None),
        ("post", "/auth/register", {**login, "email": "bob@example.org"}),
        ("post", "/auth/login", login),
        ("post", "/auth/refresh", refresh),
        ("get", "/account/me", None),
        ("get", "/account/usage", None),
        ("get", "/account/sessions", None),
        ("get", "/billing/balance", None),
        ("post", "/account/password", {"current": PASSWORD, "new": "another password"}),
    ]
    for method, path, body in calls:
        answer = await http.request(method, path, json=body, headers=headers)
        content = document["paths"][path][method]["responses"][str(answer.status_code)]["content"]["application/json"]
        schema = document["components"]["schemas"][content["schema"]["$ref"].rsplit("/", 1)[1]]
        assert set(schema["required"]) <= set(answer.json()) <= set(schema["properties"]), path


@pytest.mark.parametrize("path", PAGES)
async def test_pages_load_only_files_of_this_site_that_exist(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    links = set(re.findall(r'(?:src|href|action)="([^"]*)"', answer.text))
    assert links
    for link in links:
        assert re.match(r"/(?!/)|#", link), link
        assert (await http.get(link)).status_code == 200, link
    for forbidden in ("<style", "style=", "javascript:", "url(", "@import"):
        assert forbidden not in answer.text
    assert not re.search(r"<script(?![^>]*\ssrc=)|\son\w+=", answer.text)


@pytest.mark.parametrize("name", sorted(path.name for path in STATIC.iterdir() if path.suffix in (".js", ".css")))
async def test_scripts_and_styles_load_nothing_external_and_write_no_markup(http: httpx.AsyncClient, name: str) -> None:
    answer = await http.get(f"/static/{name}")
    assert answer.headers["content-type"].startswith(("text/css", "text/javascript"))
    assert answer.headers["cache-control"] == "no-cache"
    assert not ELSEWHERE.search(answer.text)
    for imported in re.findall(r'(?:from|import) "([^"]*)"', answer.text):
        assert imported.startswith("./")
        assert (await http.get(f"/static/{imported[2:]}")).status_code == 200


@pytest.mark.parametrize("path", ["/nothing", "/static/nothing.js", "/account/"])
async def test_an_unknown_path_is_a_page_for_people_and_json_for_programs(http: httpx.AsyncClient, path: str) -> None:
    page = await http.get(path, headers=HTML)
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert page.headers["cache-control"] == "no-store"
    assert "Page not found" in page.text
    for answer in (await http.get(path), await http.head(path), await http.post(path, headers=HTML)):
        assert answer.headers["content-type"] != page.headers["content-type"]


async def test_the_not_found_page_is_never_cached(http: httpx.AsyncClient) -> None:
    first = await http.get("/nothing", headers=HTML)
    again = await http.get("/nothing", headers={**HTML, "If-None-Match": "*"})
    assert (again.status_code, again.content) == (404, first.content)
    assert "etag" not in first.headers


async def test_the_header_marks_the_current_page(http: httpx.AsyncClient) -> None:
    for path in PLACES:
        here = re.findall(r'<a href="([^"]*)" aria-current="page">', (await http.get(path)).text)
        members = ("/captions", "/overlay/setup", "/dashboard", "/account")
        assert here == ([path] if path in members else [])


async def test_site_describes_the_installation(site: Site, http: httpx.AsyncClient) -> None:
    assert (await http.get("/site")).json() == {
        "name": "Live Captions",
        "public_url": "https://captions.example.org",
        "trial_seconds": 0,
        "trial_needs_confirmation": False,
        "sandbox": False,
        "support_email": None,
        "terms_url": None,
        "privacy_url": None,
        "refunds_url": None,
        "status_url": None,
        "source_url": None,
        "sessions_per_user": 2,
    }


async def test_answers_to_users_are_not_stored(site: Site, http: httpx.AsyncClient, document: dict[str, Any]) -> None:
    headers = bearer(await site.register())
    for path, method, operation in operations(document):
        body = {"email": "a@b.example", "password": PASSWORD} if "requestBody" in operation else None
        answer = await http.request(method, path.replace("{session_id}", "x"), json=body, headers=headers)
        kept = "no-cache" if path in RETURNS else "no-store"
        assert answer.headers["cache-control"] == kept, (path, method)


@pytest.mark.parametrize("path", [*PLACES, "/favicon.ico"])
async def test_a_page_is_sent_again_only_after_a_change(http: httpx.AsyncClient, path: str) -> None:
    first = await http.get(path)
    assert first.headers["cache-control"] == "no-cache"
    for tags in (first.headers["etag"], f'"x", W/{first.headers["etag"]}'):
        again = await http.get(path, headers={"If-None-Match": tags})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    assert (await http.get(path, headers={"If-None-Match": '"x"'})).status_code == 200


async def test_the_api_page_shows_every_operation(http: httpx.AsyncClient, document: dict[str, Any]) -> None:
    html = (await http.get("/docs")).text
    for path, method, _ in operations(document):
        assert f"<code>{method.upper()} {path}</code>" in html


async def test_the_landing_page_links_to_the_api(http: httpx.AsyncClient) -> None:
    assert 'href="/docs"' in (await http.get("/")).text


async def test_browsers_find_an_icon(http: httpx.AsyncClient) -> None:
    assert (await http.get("/favicon.ico")).headers["content-type"] == "image/svg+xml"


async def test_an_asset_is_sent_again_only_after_a_change(http: httpx.AsyncClient) -> None:
    first = await http.get("/static/page.css")
    again = await http.get("/static/page.css", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")

"""The status page, and the small answers that browsers, phones and search engines ask for."""

from html import unescape

import httpx
import pytest

from tests.integration.web.site import PUBLIC_URL, Site
from transcription_proxy.web.services import Site as Installation

JSON = {"Accept": "application/json"}


async def test_the_status_is_a_page_for_people_and_json_for_programs(http: httpx.AsyncClient) -> None:
    """The tests' Stripe is nowhere."""
    page = await http.get("/status")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-store"
    assert "Some things aren't working right now." in unescape(page.text)
    assert page.text.count("Working</span>") == page.text.count("Not working</span>") == 1
    assert "{{" not in page.text
    answer = await http.get("/status", headers=JSON)
    body = answer.json()
    assert set(body) == {"status", "parts", "checked_at"}
    assert body["status"] == "degraded"
    assert body["parts"] == [
        {"id": "database", "name": "Accounts and balances", "status": "operational"},
        {"id": "payments", "name": "Payments", "status": "down"},
    ]


@pytest.mark.parametrize("accept", ["*/*", "text/html,application/json", ""])
async def test_browsers_get_the_status_page(http: httpx.AsyncClient, accept: str) -> None:
    assert (await http.get("/status", headers={"Accept": accept})).text.startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        ("/login", "/#log-in"),
        ("/login?from=mail&x=%20", "/?from=mail&x=%20#log-in"),
        ("/signup?ref=a", "/register?ref=a"),
        ("/pricing", "/#prices"),
        ("/try", "/captions"),
        ("/try?from=mail", "/captions?from=mail"),
    ],
)
async def test_guessed_paths_redirect(http: httpx.AsyncClient, asked: str, place: str) -> None:
    answer = await http.get(asked)
    assert (answer.status_code, answer.headers["location"]) == (308, place)
    there = await http.get(place)
    assert there.status_code == 200
    fragment = place.partition("#")[2]
    assert not fragment or f'id="{fragment}"' in there.text


async def test_robots_txt_excludes_private_paths(http: httpx.AsyncClient) -> None:
    answer = await http.get("/robots.txt")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = answer.text.splitlines()
    assert lines[0] == "User-agent: *"
    assert "Disallow: /dashboard" in lines
    assert "Disallow: /" not in lines


async def test_the_web_app_manifest_names_the_site(site: Site, http: httpx.AsyncClient) -> None:
    answer = await http.get("/site.webmanifest")
    assert answer.headers["content-type"] == "application/manifest+json"
    manifest = answer.json()
    assert manifest["name"] == "Live Captions"
    for icon in manifest["icons"]:
        found = await http.get(icon["src"])
        assert (found.status_code, found.headers["content-type"]) == (200, icon["type"])
    assert "manifest-src 'self'" in (await http.get("/")).headers["content-security-policy"]


async def test_the_preview_picture_may_be_embedded_by_other_sites(http: httpx.AsyncClient) -> None:
    for name, policy in [("preview.png", "cross-origin"), ("touch-icon.png", "same-origin")]:
        answer = await http.get(f"/static/{name}")
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["cross-origin-resource-policy"] == policy
        assert len(answer.content) < 300_000


async def test_every_page_shows_the_installations_name(site: Site) -> None:
    site.installation = Installation(name="Caf\u00e9 <Live>", public_url=PUBLIC_URL, refunds_url="https://x.example/r")
    site.build(auth_rate=1000)
    async with site.client() as http:
        for path in ("/", "/dashboard", "/docs", "/status"):
            html = (await http.get(path)).text
            assert "Caf\u00e9 &lt;Live&gt;</title>" in html, path
            assert 'href="https://x.example/r"' in html, path
        assert (await http.get("/openapi.json")).json()["info"]["title"] == "Caf\u00e9 <Live>"
        assert (await http.get("/site.webmanifest")).json()["name"] == "Caf\u00e9 <Live>"

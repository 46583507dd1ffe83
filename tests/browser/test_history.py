"""All sessions and purchases: in pages whose URL holds the position, and as a file."""

import csv
from io import StringIO
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from playwright.async_api import Route, expect

from tests.browser.lives import session
from tests.browser.states import BOUGHT
from tests.browser.visitor import Visitor
from tests.e2e.client import sound
from tests.e2e.service import Service

LAST = 60
KINDS = [("sessions", "Sessions"), ("purchases", "Purchases")]


def row(name: str, number: int) -> dict[str, Any]:
    if name == "sessions":
        return session(number, engine=f"Engine {number}.")
    return {**BOUGHT, "label": f"Engine {number}."}


async def paged(visitor: Visitor, name: str, rows: int = LAST) -> None:
    """Answer with `rows` rows from now on. A cursor is the number of the last row."""

    async def answer(route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        before, limit = int(query.get("before", ["0"])[0]), int(query.get("limit", ["100"])[0])
        page = [row(name, number) for number in range(before + 1, min(before + limit, rows) + 1)]
        following = str(before + limit) if before + limit < rows else None
        await route.fulfill(json={name: page, "next": following})

    await visitor.context.route(lambda url: urlsplit(url).path == f"/account/{name}", answer)


async def shows(visitor: Visitor, first: int, last: int) -> None:
    rows = visitor.page.get_by_role("table").get_by_role("row")
    await expect(rows).to_have_count(last - first + 2)
    await expect(rows.nth(1)).to_contain_text(f"Engine {first}.")
    await expect(rows.last).to_contain_text(f"Engine {last}.")


@pytest.mark.parametrize(("name", "title"), KINDS)
async def test_pages_lead_forward_and_back(visitor: Visitor, service: Service, name: str, title: str) -> None:
    await visitor.become(await service.user())
    await paged(visitor, name)
    page = visitor.page
    await visitor.goto("/dashboard")
    await page.get_by_role("link", name=f"All {name}").click()
    await visitor.is_at(f"/{name}")
    await expect(page.get_by_role("heading", level=1)).to_have_text(title)
    newer, older = (page.get_by_role("link", name=link) for link in ("Newer", "Older"))
    await shows(visitor, 1, 25)
    await expect(newer).to_be_hidden()
    await older.focus()
    await page.keyboard.press("Enter")
    await shows(visitor, 26, 50)
    await visitor.is_at(f"/{name}?before=25")
    await expect(older).to_be_focused()
    await page.keyboard.press("Enter")
    await shows(visitor, 51, 60)
    await expect(older).to_be_hidden()
    await expect(newer).to_be_focused()
    await page.reload()
    await shows(visitor, 51, 60)
    await newer.click()
    await shows(visitor, 26, 50)
    await newer.click()
    await shows(visitor, 1, 25)
    await visitor.is_at(f"/{name}")
    await page.go_back()
    await shows(visitor, 26, 50)
    await page.go_forward()
    await shows(visitor, 1, 25)


async def test_a_page_opened_by_its_url_leads_to_the_newest(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    await paged(visitor, "sessions")
    await visitor.goto("/sessions?before=50")
    await shows(visitor, 51, 60)
    await visitor.page.get_by_role("link", name="Newer").click()
    await shows(visitor, 1, 25)


async def test_a_url_with_an_invalid_cursor_shows_the_newest(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    await visitor.goto("/sessions?before=nonsense")
    await visitor.is_at("/sessions")
    await visitor.says("No sessions yet.")


@pytest.mark.parametrize(
    ("name", "sentence", "link", "href"),
    [
        ("sessions", "No sessions yet.", "Try captions in the browser", "/captions"),
        ("purchases", "No purchases yet.", "Buy minutes", "/dashboard#buy"),
    ],
)
async def test_an_empty_list_says_what_to_do_first(
    visitor: Visitor, service: Service, name: str, sentence: str, link: str, href: str
) -> None:
    await visitor.become(await service.user())
    await visitor.goto(f"/{name}")
    await visitor.says(sentence)
    await expect(visitor.page.locator("#rows").get_by_role("link", name=link)).to_have_attribute("href", href)
    await expect(visitor.page.locator("#pager")).to_be_hidden()


async def test_the_csv_has_all_sessions_with_their_engine(visitor: Visitor, service: Service) -> None:
    user = await service.user()
    await visitor.become(user)
    captions = await service.captions(user)
    await captions.ready()
    await captions.send(sound(3))
    await captions.stop()
    [ended] = [await service.session(user, each["id"]) for each in await service.sessions(user)]
    await visitor.goto("/sessions")
    table = visitor.page.get_by_role("table", name="Sessions")
    await expect(table.get_by_role("cell", name=ended["engine"], exact=True)).to_be_visible()
    async with visitor.page.expect_download() as downloading:
        await visitor.press("Download CSV")
    download = await downloading.value
    assert download.suggested_filename.startswith("sessions-")
    text = (await download.path()).read_text()
    [line] = csv.DictReader(StringIO(text, newline=""))
    assert (UUID(line["id"]), line["engine"], line["seconds_used"]) == (UUID(ended["id"]), ended["engine"], "3")


async def test_a_failed_download_is_reported_and_can_be_retried(visitor: Visitor, service: Service) -> None:
    await visitor.become(await service.user())
    await visitor.refuse("/account/purchases.csv", 503, "service_unavailable")
    await visitor.goto("/purchases")
    await visitor.press("Download CSV")
    alert = visitor.page.locator("#download-alert")
    await expect(alert).to_contain_text("Couldn't download the file.")
    await visitor.context.unroute_all()
    async with visitor.page.expect_download() as downloading:
        await visitor.press("Download CSV")
    assert (await downloading.value).suggested_filename.startswith("purchases-")
    await expect(alert).to_be_empty()

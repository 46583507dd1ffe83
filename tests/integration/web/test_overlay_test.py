"""The test line that an account's owner can show on its overlays."""

import httpx
import pytest

from tests.integration.web.site import Site, bearer, code
from tests.integration.web.test_overlay_events import key_of, page, user_of
from tests.waiting import until
from transcription_proxy import sentences
from transcription_proxy.web import overlay as module

PATH = "/account/overlay/test"
INTERIM = {"session": "test", "start": 0.0, "text": "This is a test", "is_final": False}
FINAL = {"session": "test", "start": 0.0, "text": sentences.TEST_CAPTION, "is_final": True}


@pytest.fixture(autouse=True)
def short_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TEST_INTERIM_SECONDS", 0.02)


async def test_a_test_line_reaches_only_the_accounts_overlays(site: Site, http: httpx.AsyncClient) -> None:
    ann, bob = await site.register(), await site.register()
    key = await key_of(site, ann)
    async with page(site, key) as one, page(site, key) as two, page(site, await key_of(site, bob)) as other:
        answer = await http.post(PATH, headers=bearer(ann))
        assert (answer.status_code, answer.json()) == (200, {"watching": 2})
        for shown in (one, two):
            await until(lambda shown=shown: len(shown.events) == 4)  # type: ignore[misc]
            assert shown.events[1:] == [("line", INTERIM), ("line", FINAL), ("clear", {"session": "test"})]
        assert [name for name, _ in other.events] == ["heartbeat"]
    assert await site.sql("SELECT count(*) FROM transcription_sessions WHERE user_id = %s", user_of(ann)) == [(0,)]


async def test_without_an_overlay_a_test_reports_none(site: Site, http: httpx.AsyncClient) -> None:
    answer = await http.post(PATH, headers=bearer(await site.register()))
    assert (answer.status_code, answer.json()) == (200, {"watching": 0})


async def test_a_test_line_needs_a_login(http: httpx.AsyncClient) -> None:
    assert code(await http.post(PATH)) == (401, "unauthorized")


async def test_tests_are_limited_by_account(site: Site) -> None:
    ann, bob = await site.register(), await site.register()
    site.build(auth_rate=2)
    async with site.client() as client:
        for _ in range(2):
            assert (await client.post(PATH, headers=bearer(ann))).status_code == 200
        refused = await client.post(PATH, headers=bearer(ann))
        assert code(refused) == (429, "rate_limited")
        assert refused.headers["retry-after"] == "60"
        assert (await client.post(PATH, headers=bearer(bob))).status_code == 200

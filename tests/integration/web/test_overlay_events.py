"""The overlay's address and its stream of events, as an ASGI server would ask for them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from starlette.types import Message

from tests.integration.web.site import PUBLIC_URL, Site, bearer, code
from tests.waiting import until
from transcription_proxy.accounts.operator import Operator
from transcription_proxy.overlay import event_stream as module
from transcription_proxy.overlay.messages import Clear, Line
from transcription_proxy.overlay.seats import MAX_PAGES_PER_ACCOUNT, Seats

PATIENCE = 15.0
LINE = Line("s", 1.5, "Hello\nevent: gone", True)


@dataclass
class Page:
    """`stuck`: it does not read. `over`: the answer is complete, or was given up."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""
    complete: bool = False
    over: bool = False
    stuck: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    _asked: bool = False

    async def receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self.stuck.is_set():
            await asyncio.Event().wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        else:
            self.text += message.get("body", b"").decode()
            self.complete = not message.get("more_body", False)

    @property
    def events(self) -> list[tuple[str, Any]]:
        """Name and data of each event."""
        parts = [part.split("\n") for part in self.text.split("\n\n")[:-1]]
        return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in parts]


@asynccontextmanager
async def page(site: Site, key: str, method: str = "GET") -> AsyncIterator[Page]:
    """A page whose request was answered."""
    shown = Page()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": "/overlay/events",
        "raw_path": b"/overlay/events",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"authorization", f"Bearer {key}".encode())],
        "client": ("192.0.2.7", 1234),
        "server": ("captions", 80),
    }
    asking = asyncio.create_task(site.app(scope, shown.receive, shown.send))
    asking.add_done_callback(lambda _: setattr(shown, "over", True))
    await until(lambda: bool(shown.status) and bool(shown.text or shown.complete))
    yield shown
    shown.left.set()
    await asyncio.wait_for(asking, PATIENCE)


async def key_of(site: Site, login: dict[str, Any], method: str = "GET") -> str:
    answer = await site.http.request(method, "/account/overlay", headers=bearer(login))
    assert answer.status_code == 200
    assert set(answer.json()) == {"url"}
    address, _, key = answer.json()["url"].partition("#")
    assert address == f"{PUBLIC_URL}/overlay"
    return str(key)


def user_of(login: dict[str, Any]) -> UUID:
    return UUID(login["user"]["id"])


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_only_the_owner_gets_the_overlay_url(http: httpx.AsyncClient, method: str) -> None:
    answer = await http.request(method, "/account/overlay")
    assert code(answer) == (401, "unauthorized")


async def test_tokens_and_overlay_keys_are_not_interchangeable(site: Site, http: httpx.AsyncClient) -> None:
    login = await site.register()
    key = await key_of(site, login)
    assert code(await http.get("/overlay/events", headers=bearer(login))) == (410, "overlay_gone")
    assert code(await http.get("/account/me", headers={"Authorization": f"Bearer {key}"})) == (401, "unauthorized")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x"}, {"Authorization": "Basic eDp5"}])
async def test_an_invalid_key_is_refused(http: httpx.AsyncClient, headers: dict[str, str]) -> None:
    assert code(await http.get("/overlay/events", headers=headers)) == (410, "overlay_gone")
    assert code(await http.get("/overlay/events?key=x", headers=headers)) == (410, "overlay_gone")


async def test_captions_are_streamed_as_they_arrive(site: Site) -> None:
    login = await site.register()
    async with page(site, await key_of(site, login)) as shown:
        assert (shown.status, shown.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert shown.headers["cache-control"] == "no-store"
        assert shown.headers["x-accel-buffering"] == "no"
        assert "content-length" not in shown.headers
        assert shown.events == [("heartbeat", {})]
        feed = site.feeds.feed(user_of(login))
        assert feed.is_watched
        feed.show(LINE)
        await until(lambda: len(shown.events) == 2)
        feed.show(Clear("s"))
        await until(lambda: len(shown.events) == 3)
        line = {"session": "s", "start": 1.5, "text": "Hello\nevent: gone", "is_final": True}
        assert shown.events[1:] == [("line", line), ("clear", {"session": "s"})]
        assert not shown.over
    assert not feed.is_watched


async def test_heartbeats_are_sent_during_silence(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.01)
    async with page(site, await key_of(site, await site.register())) as shown:
        await until(lambda: len(shown.events) >= 4)
        assert {name for name, _ in shown.events} == {"heartbeat"}


async def test_regenerating_the_url_ends_the_stream_with_gone(site: Site, http: httpx.AsyncClient) -> None:
    login = await site.register()
    old = await key_of(site, login)
    async with page(site, old) as shown:
        new = await key_of(site, login, "POST")
        site.feeds.receive_announcement(f'{{"type":"renewed","user":"{user_of(login)}","version":2}}')
        await until(lambda: shown.over)
        assert shown.complete
        [(_, _), (name, data)] = shown.events
        assert (name, set(data), data["error"]["code"]) == ("gone", {"error"}, "overlay_gone")
    assert code(await http.get("/overlay/events", headers={"Authorization": f"Bearer {old}"})) == (410, "overlay_gone")
    async with page(site, new) as shown:
        assert shown.status == 200


async def test_a_blocked_account_has_no_overlay(site: Site, http: httpx.AsyncClient) -> None:
    login = await site.register()
    key = await key_of(site, login)
    await Operator(site.database).block(login["user"]["email"])
    assert code(await http.get("/overlay/events", headers={"Authorization": f"Bearer {key}"})) == (410, "overlay_gone")


async def test_a_shutdown_ends_the_stream_cleanly(site: Site) -> None:
    key = await key_of(site, await site.register())
    async with page(site, key) as shown:
        site.feeds.end()
        await until(lambda: shown.over)
        assert shown.complete
        assert [name for name, _ in shown.events] == ["heartbeat"]
    async with page(site, key) as shown:
        assert shown.status == 503
        assert int(shown.headers["retry-after"]) > 0
        assert json.loads(shown.text)["error"]["code"] == "service_unavailable"


async def test_one_watcher_too_many_is_refused(site: Site) -> None:
    login = await site.register()
    key = await key_of(site, login)
    elsewhere = Seats(site.database, uuid4())  # another worker
    async with AsyncExitStack() as stack:
        for _ in range(MAX_PAGES_PER_ACCOUNT):
            await stack.enter_async_context(elsewhere.seat(user_of(login)))
        async with page(site, key) as shown:
            assert (shown.status, json.loads(shown.text)["error"]["code"]) == (429, "too_many_watchers")
            assert int(shown.headers["retry-after"]) > 0
        assert site.feeds.feed(user_of(login)).page_count == 0
    async with page(site, key) as shown:
        assert shown.status == 200


async def test_a_watcher_that_does_not_read_is_dropped(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_STALL_SECONDS", 0.05)
    login = await site.register()
    async with page(site, await key_of(site, login)) as shown:
        shown.stuck.set()
        feed = site.feeds.feed(user_of(login))
        for _ in range(1000):
            feed.show(LINE)
        await until(lambda: shown.over)
        assert not shown.complete
        assert not feed.is_watched


async def test_a_stalled_watcher_can_disconnect(site: Site) -> None:
    login = await site.register()
    async with page(site, await key_of(site, login)) as shown:
        shown.stuck.set()
        site.feeds.feed(user_of(login)).show(LINE)
        shown.left.set()
        await until(lambda: shown.over)
        assert not site.feeds.feed(user_of(login)).is_watched


async def test_head_is_answered_at_once_without_a_watcher(site: Site) -> None:
    login = await site.register()
    async with page(site, await key_of(site, login), "HEAD") as shown:
        assert (shown.status, shown.text, shown.complete) == (200, "", True)
        shown.left.set()  # as a server says when the answer is complete
        await until(lambda: shown.over)
    assert not site.feeds.feed(user_of(login)).is_watched


async def test_without_a_database_new_watchers_are_refused(site: Site, http: httpx.AsyncClient) -> None:
    login = await site.register()
    key = await key_of(site, login)
    async with page(site, key) as shown:
        await site.database.close()
        answer = await http.get("/overlay/events", headers={"Authorization": f"Bearer {key}"})
        assert code(answer) == (503, "service_unavailable")
        site.feeds.feed(user_of(login)).show(LINE)
        await until(lambda: len(shown.events) == 2)


async def test_the_key_and_the_words_are_not_logged(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    login = await site.register()
    key = await key_of(site, login)
    async with page(site, key) as shown:
        site.feeds.feed(user_of(login)).show(LINE)
        await until(lambda: len(shown.events) == 2)
    logged = capsys.readouterr()
    assert "/overlay/events" in logged.out + logged.err
    assert key not in logged.out + logged.err
    assert "Hello" not in logged.out + logged.err

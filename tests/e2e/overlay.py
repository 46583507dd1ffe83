"""A watcher of an overlay's server-sent events, with the time of each event."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import httpx

from tests.e2e.client import User
from tests.e2e.service import Service


@dataclass
class Page:
    """A watcher. A task appends name, data and time to `events`. `over`: the service ended the stream."""

    status: int = 0
    events: list[tuple[str, Any, float]] = field(default_factory=list)
    over: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def of(self, name: str) -> list[Any]:
        return [data for event, data, _ in self.events if event == name]

    def words(self, session: str) -> list[str]:
        """Return the final lines of a session."""
        return [line["text"] for line in self.of("line") if line["session"] == session and line["is_final"]]

    async def until(self, condition: Callable[[], bool], within: float = 15) -> None:
        async with asyncio.timeout(within):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def _read(self, answer: httpx.Response) -> None:
        name = ""
        with suppress(httpx.TransportError):
            async for text in answer.aiter_lines():
                field_name, _, value = text.partition(": ")
                if field_name == "event":
                    name = value
                elif field_name == "data":
                    self.events.append((name, json.loads(value), monotonic()))
                    self._changed.set()
        self.over = True
        self._changed.set()


async def address(service: Service, user: User, method: str = "GET") -> str:
    """Return the overlay's URL; with POST a new one."""
    headers = {"Authorization": f"Bearer {user.token}"}
    answer = await service.http.request(method, "/account/overlay", headers=headers)
    assert answer.status_code == 200, answer.text
    url: str = answer.json()["url"]
    service.tokens.append(key(url))
    return url


async def send_test(service: Service, user: User) -> int:
    """Ask for a test line. Return how many overlays the service says are open."""
    answer = await service.http.post("/account/overlay/test", headers={"Authorization": f"Bearer {user.token}"})
    assert answer.status_code == 200, answer.text
    watching: int = answer.json()["watching"]
    return watching


def key(url: str) -> str:
    return url.partition("#")[2]


@asynccontextmanager
async def page(service: Service, url: str) -> AsyncIterator[Page]:
    """Open a watcher on a separate connection, and wait until it is accepted."""
    headers = {"Authorization": f"Bearer {key(url)}"}
    async with (
        httpx.AsyncClient(base_url=service.url, trust_env=False, timeout=httpx.Timeout(10, read=None)) as http,
        http.stream("GET", "/overlay/events", headers=headers) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        opened = Page(answer.status_code)
        reading = asyncio.create_task(opened._read(answer))
        try:
            await opened.until(lambda: bool(opened.of("heartbeat")))
            yield opened
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

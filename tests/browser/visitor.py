"""A visitor of the site: tabs, actions, and the browser's console errors."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import urlsplit
from uuid import uuid4

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Route, WebSocket, expect

from tests.e2e.client import User
from tests.e2e.service import Service

PASSWORD: Final = "correct horse battery"
QUIET: Final = frozenset({"log", "info", "debug"})
SITE: Final = {
    "SUPPORT_EMAIL": "help@captions.example",
    "TERMS_URL": "https://captions.example/terms",
    "PRIVACY_URL": "https://captions.example/privacy",
    "REFUNDS_URL": "https://captions.example/refunds",
    "SOURCE_URL": "https://captions.example/source",
}
"""The service's answer about the installation."""
REFUSED: Final = ("Failed to load resource: ", "WebSocket connection to ")
"""Chromium's messages about error answers, which pages show and tests check there."""


def nobody() -> str:
    """Return an email that has no account."""
    return f"{uuid4().hex[:12]}@example.org"


@dataclass
class Visitor:
    """A browser context. `page`: the first tab. `requests`, `sockets`: those of all tabs."""

    service: Service
    context: BrowserContext
    page: Page
    requests: list[Request] = field(default_factory=list)
    sockets: list[WebSocket] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def arriving(cls, browser: Browser, service: Service, **options: Any) -> AsyncIterator[Self]:
        """Close the context after the block, and fail if the browser logged errors."""
        context = await browser.new_context(base_url=service.url, **{"reduced_motion": "reduce", **options})
        context.set_default_timeout(20_000)
        self = cls(service, context, await context.new_page())
        self._tab(self.page)
        context.on("page", self._tab)
        context.on("request", self._request)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        try:
            yield self
        finally:
            await context.close()
        assert not self.complaints, self.complaints
        elsewhere = [request.url for request in self.requests if not request.url.startswith(service.url)]
        assert not elsewhere, elsewhere

    def _tab(self, page: Page) -> None:
        page.on("websocket", self._socket)

    def _socket(self, socket: WebSocket) -> None:
        self.sockets.append(socket)

    def _request(self, request: Request) -> None:
        self.requests.append(request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type not in QUIET and not message.text.startswith(REFUSED):
            self.complaints.append(message.text)

    def asked(self, method: str, path: str) -> int:
        """Return how many requests with this method and path there were."""
        return sum((each.method, urlsplit(each.url).path) == (method, path) for each in self.requests)

    async def goto(self, path: str) -> None:
        await self.page.goto(path)

    async def is_at(self, path: str, page: Page | None = None) -> None:
        """Wait until a tab, the first one by default, is at a path. Ignore the fragment."""
        await expect(page or self.page).to_have_url(re.compile(f"^{re.escape(self.service.url + path)}(#.*)?$"))

    async def register(self, email: str, password: str = PASSWORD) -> None:
        """Register with the form on /register."""
        await self.fill(email=email, password=password)
        await self.press("Create account")

    async def log_in(self, email: str, password: str = PASSWORD) -> None:
        """Log in with the form on /."""
        await self.fill(email=email, password=password)
        await self.press("Log in")

    async def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            await self.page.locator(f"#{name}").fill(value)

    async def press(self, name: str) -> None:
        """Press the button with this name in the page's content or header."""
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def become(self, user: User) -> None:
        """Log in without the form, because hashing is slow. Such a login cannot be renewed."""
        login = {"token": user.token, "refresh_token": "", "email": user.email, "renew_at": 1e15, "expires_at": 1e15}
        await self.context.add_init_script(
            "if (location.protocol === 'http:' && !localStorage.getItem('session'))"
            f" localStorage.setItem('session', {json.dumps(json.dumps(login))});"
        )

    async def answer(self, path: str, body: Any = None, status: int = 200) -> None:
        """Answer a path with this from now on, in place of the service. `body` None: never answer."""

        async def fulfill(route: Route) -> None:
            if body is None:
                await route.abort()
            else:
                await route.fulfill(status=status, json=body)

        await self.context.unroute(_path(path))
        await self.context.route(_path(path), fulfill)

    async def refuse(self, path: str, status: int, code: str, message: str = "no", **headers: str) -> None:
        """Answer a path with this error from now on."""
        body = json.dumps({"error": {"code": code, "message": message}})

        async def fulfill(route: Route) -> None:
            await route.fulfill(status=status, body=body, content_type="application/json", headers=headers)

        await self.context.unroute(_path(path))
        await self.context.route(_path(path), fulfill)

    async def says(self, sentence: str) -> None:
        """Wait until a sentence is visible on the first tab."""
        await expect(self.page.get_by_text(sentence).first).to_be_visible()

    async def wrong(self, name: str, sentence: str) -> None:
        """Wait until a sentence is shown beside a field that has the focus and is marked as invalid."""
        place = self.page.locator(f"#{name}")
        await expect(self.page.locator(f"#{name}-wrong")).to_contain_text(sentence)
        await expect(place).to_have_attribute("aria-invalid", "true")
        await expect(place).to_be_focused()


def _path(path: str) -> Any:
    return lambda url: urlsplit(url).path == path

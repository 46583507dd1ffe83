"""Somebody who uses the site: their tabs, what they do, and what their browser complained about."""

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
"""What the installation says of itself."""
REFUSED: Final = ("Failed to load resource: ", "WebSocket connection to ")
"""Chromium says so for each answer that is an error: pages show those, and tests look at the pages."""


def nobody() -> str:
    """An address that has no account."""
    return f"{uuid4().hex[:12]}@example.org"


@dataclass
class Visitor:
    """`page` is the first tab. `requests` and `sockets` are those of all tabs."""

    service: Service
    context: BrowserContext
    page: Page
    requests: list[Request] = field(default_factory=list)
    sockets: list[WebSocket] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def arriving(cls, browser: Browser, service: Service, **options: Any) -> AsyncIterator[Self]:
        """Leaves at the end of the block, and fails if the browser had anything to complain about."""
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
        """How many requests there have been of this kind."""
        return sum((each.method, urlsplit(each.url).path) == (method, path) for each in self.requests)

    async def goto(self, path: str) -> None:
        await self.page.goto(path)

    async def is_at(self, path: str, page: Page | None = None) -> None:
        """Waits until a tab, the first one by default, is there; the fragment does not count."""
        await expect(page or self.page).to_have_url(re.compile(f"^{re.escape(self.service.url + path)}(#.*)?$"))

    async def register(self, email: str, password: str = PASSWORD) -> None:
        """By the form, on /register."""
        await self.fill(email=email, password=password)
        await self.press("Create account")

    async def log_in(self, email: str, password: str = PASSWORD) -> None:
        """By the form, on /."""
        await self.fill(email=email, password=password)
        await self.press("Log in")

    async def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            await self.page.locator(f"#{name}").fill(value)

    async def press(self, name: str) -> None:
        """The button of this name in the page's content or header."""
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def become(self, user: User) -> None:
        """Logged in without the form, as hashing takes its time. Such a login cannot be renewed."""
        login = {"token": user.token, "refresh_token": "", "email": user.email, "renew_at": 1e15, "expires_at": 1e15}
        await self.context.add_init_script(
            "if (location.protocol === 'http:' && !localStorage.getItem('session'))"
            f" localStorage.setItem('session', {json.dumps(json.dumps(login))});"
        )

    async def answer(self, path: str, body: Any = None, status: int = 200) -> None:
        """From now on the service says this instead of what it would; `body` None: it does not answer at all."""

        async def fulfill(route: Route) -> None:
            if body is None:
                await route.abort()
            else:
                await route.fulfill(status=status, json=body)

        await self.context.unroute(_path(path))
        await self.context.route(_path(path), fulfill)

    async def refuse(self, path: str, status: int, code: str, message: str = "no", **headers: str) -> None:
        """From now on the service answers with this error."""
        body = json.dumps({"error": {"code": code, "message": message}})

        async def fulfill(route: Route) -> None:
            await route.fulfill(status=status, body=body, content_type="application/json", headers=headers)

        await self.context.unroute(_path(path))
        await self.context.route(_path(path), fulfill)

    async def says(self, sentence: str) -> None:
        """Waits until it can be seen on the first tab."""
        await expect(self.page.get_by_text(sentence).first).to_be_visible()

    async def wrong(self, name: str, sentence: str) -> None:
        """Waits until it stands beside that field, which has the focus and says that it is wrong."""
        place = self.page.locator(f"#{name}")
        await expect(self.page.locator(f"#{name}-wrong")).to_contain_text(sentence)
        await expect(place).to_have_attribute("aria-invalid", "true")
        await expect(place).to_be_focused()


def _path(path: str) -> Any:
    return lambda url: urlsplit(url).path == path

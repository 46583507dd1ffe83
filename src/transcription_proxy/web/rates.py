"""How often one client may try passwords and ask for tokens: a moving window of a minute, in memory of each process."""

import math
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal
from transcription_proxy.web import errors
from transcription_proxy.web.clients import NOWHERE, Address, bucket

PATHS: Final = ("/auth/", "/account/password")
"""Where passwords are tried. Each has its own window, so changing a password never keeps a neighbor from logging in."""
WINDOW: Final = 60.0
"""Seconds."""
MOST_CLIENTS: Final = 20_000
"""Remembered at once; beyond it the one that called least recently is forgotten."""


class MovingWindow:
    """At most `limit` admissions of a client in any WINDOW. (The `limits` library's memory never forgets a client.)"""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._admitted: OrderedDict[str, deque[float]] = OrderedDict()

    def admit(self, client: str, now: float) -> float:
        """0 when it is admitted, else after how many seconds it would be."""
        times = self._admitted.setdefault(client, deque())
        self._admitted.move_to_end(client)
        if len(self._admitted) > MOST_CLIENTS:
            self._admitted.popitem(last=False)
        while times and times[0] <= now - WINDOW:
            times.popleft()
        if len(times) >= self._limit:
            return times[0] + WINDOW - now
        times.append(now)
        return 0.0


class RateLimit:
    """Refuses whoever comes more than `limit` times in any WINDOW."""

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self._window = MovingWindow(limit)
        self._clock = clock

    def admit(self, client: str) -> None:
        """Raises Refusal rate_limited."""
        wait = math.ceil(self._window.admit(client, self._clock()))
        if wait:
            raise Refusal("rate_limited", sentences.too_many_attempts(wait), wait)


class AuthRate:
    """ASGI middleware: answer 429 to an address that calls one of PATHS too often, whatever it sends there."""

    def __init__(self, app: ASGIApp, limit: int, clock: Callable[[], float]) -> None:
        self._app = app
        self._limits = {path: RateLimit(limit, clock) for path in PATHS}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = next((path for path in PATHS if scope["type"] == "http" and scope["path"].startswith(path)), None)
        if path is not None:
            client: Address = scope["state"].get("client", NOWHERE)
            try:
                self._limits[path].admit(bucket(client))
            except Refusal as refusal:
                await errors.response(refusal)(scope, receive, send)
                return
        await self._app(scope, receive, send)

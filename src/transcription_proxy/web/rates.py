"""Limits how often a client may try passwords and request tokens: a moving window in the memory of each process."""

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
"""Path prefixes that are limited. Each has its own window, so changing passwords never blocks a neighbor's login."""
WINDOW_SECONDS: Final = 60.0
MAX_CLIENTS: Final = 20_000
"""Clients in memory at once. Beyond that, the client that called least recently is forgotten."""


class MovingWindow:
    """Admits a client at most `limit` times in any WINDOW_SECONDS.

    (The in-memory store of the `limits` library never forgets a client.)"""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._admitted: OrderedDict[str, deque[float]] = OrderedDict()

    def admit(self, client: str, now: float) -> float:
        """Admit a client and return 0, or return the seconds until it can be admitted."""
        times = self._admitted.setdefault(client, deque())
        self._admitted.move_to_end(client)
        if len(self._admitted) > MAX_CLIENTS:
            self._admitted.popitem(last=False)
        while times and times[0] <= now - WINDOW_SECONDS:
            times.popleft()
        if len(times) >= self._limit:
            return times[0] + WINDOW_SECONDS - now
        times.append(now)
        return 0.0


class RateLimit:
    """Refuses a client that calls more than `limit` times in any WINDOW_SECONDS."""

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self._window = MovingWindow(limit)
        self._clock = clock

    def admit(self, client: str) -> None:
        """Count a call of a client. Raise Refusal rate_limited."""
        wait = math.ceil(self._window.admit(client, self._clock()))
        if wait:
            raise Refusal("rate_limited", sentences.too_many_attempts(wait), wait)


class AuthRate:
    """ASGI middleware that answers 429 to an address that calls one of PATHS too often, whatever it sends."""

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

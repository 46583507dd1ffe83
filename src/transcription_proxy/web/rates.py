"""How often one address may try passwords and ask for tokens."""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from transcription_proxy.clients import NOWHERE, Address, bucket
from transcription_proxy.db.rate_limits import RateLimits
from transcription_proxy.errors import Refusal, Unavailable
from transcription_proxy.web import errors

PATHS: Final = ("/auth/", "/account/password")
"""Where passwords are tried. Each has its own count, so changing a password never keeps a neighbor from logging in."""


class AuthRate:
    """ASGI middleware that answers 429 to an address that calls one of PATHS too often, whatever it sends."""

    def __init__(self, app: ASGIApp, limits: RateLimits, per_minute: int) -> None:
        self._app = app
        self._limits = limits
        self._per_minute = per_minute

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = next((path for path in PATHS if scope["type"] == "http" and scope["path"].startswith(path)), None)
        if path is not None:
            client: Address = scope["state"].get("client", NOWHERE)
            try:
                await self._limits.check(path, bucket(client), self._per_minute)
            except Refusal as refusal:
                await errors.response(refusal)(scope, receive, send)
                return
            except Unavailable as error:
                await errors.unavailable(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

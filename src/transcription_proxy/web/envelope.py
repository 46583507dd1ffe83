"""Wraps every request: sets its id, client address and security headers, logs it, and answers for unexpected errors."""

import re
import time
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from transcription_proxy import metrics, sentences
from transcription_proxy.clients import NOWHERE, Address, Network, client_address, is_trusted
from transcription_proxy.errors import Refusal
from transcription_proxy.web import errors
from transcription_proxy.web.forwarding import UntrustedProxies
from transcription_proxy.web.paths import logged_path

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(self), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
HTTPS_ONLY: Final = {"Strict-Transport-Security": "max-age=31536000"}
"""One year, and without subdomains, which may belong to other services."""
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
_PROBES: Final = {"/health", "/live", "/metrics", "/ready"}
log = structlog.get_logger(__name__)


class Envelope:
    """ASGI middleware, the outermost. It puts the client's address into the request's state as `client`.

    A security header that a route sets replaces the default one."""

    def __init__(
        self,
        app: ASGIApp,
        trusted_proxies: Sequence[Network],
        https_only: bool,
        untrusted_proxies: UntrustedProxies | None = None,
    ) -> None:
        self._app = app
        self._untrusted = untrusted_proxies or UntrustedProxies()
        self._trusted = trusted_proxies
        self._headers = {**SECURITY, **(HTTPS_ONLY if https_only else {}), "Cache-Control": "no-store"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        peer = scope["client"][0] if scope.get("client") else ""
        forwarded = ",".join(headers.getlist("x-forwarded-for"))
        client = client_address(peer, forwarded, self._trusted)
        peer_address = client_address(peer, "", ())
        if forwarded and not is_trusted(peer_address, self._trusted):
            self._untrusted.record(str(peer_address))
        request_id = self._request_id(headers.get("x-request-id", ""), peer_address)
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._answer(
                {**scope, "state": {**scope.get("state", {}), "client": client}}, receive, send, request_id
            )

    def _request_id(self, given: str, peer: Address) -> str:
        if _REQUEST_ID.fullmatch(given) and is_trusted(peer, self._trusted):
            return given
        return uuid4().hex

    async def _answer(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        begun = time.perf_counter()
        answer = _Answer(send, {**self._headers, "X-Request-Id": request_id})
        try:
            await self._app(scope, receive, answer)
        except Exception:  # the last resort: the client gets an answer, the log the details
            log.exception("request_failed", method=scope["method"], path=logged_path(scope))
            if answer.status:
                raise  # part of an answer was sent, so the server closes the connection
            failed = errors.response(Refusal("internal", sentences.FAILED))
            await failed(scope, receive, answer)
        seconds = time.perf_counter() - begun
        metrics.REQUESTS.labels(f"{answer.status // 100}xx").observe(seconds)
        _log(scope, answer.status, seconds)


class _Answer:
    """`send` that adds missing headers. `status`: the answer's status, 0 before it was sent."""

    def __init__(self, send: Send, headers: Mapping[str, str]) -> None:
        self._send = send
        self._headers = headers
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers.setdefault(name, value)
        await self._send(message)


def _log(scope: Scope, status: int, seconds: float) -> None:
    """Log a request without its query string and body, which may hold secrets. Log frequent probes at debug level."""
    write = log.debug if scope["path"] in _PROBES and status in (200, 503) else log.info
    client = scope["state"].get("client", NOWHERE)
    write(
        "request",
        method=scope["method"],
        path=logged_path(scope),
        status=status,
        ms=round(seconds * 1000, 1),
        client=str(client),
    )

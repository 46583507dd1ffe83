"""Protects the pages from other sites: their forms are refused, and all pages get headers that say so to browsers."""

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from transcription_sandbox.errors import ApiError

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
Handler = Callable[[Request], Awaitable[Response]]


def guarded(handler: Handler, site: str, error_page: Callable[[ApiError], Response]) -> Handler:
    """Return a handler that refuses other sites, shows an ApiError as a page, and adds the headers of all pages."""

    @wraps(handler)
    async def guard(request: Request) -> Response:
        try:
            check(request.method, request.headers, site)
            response = await handler(request)
        except ApiError as error:
            response = error_page(error)
        response.headers.setdefault("Content-Security-Policy", policy())
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "same-origin"  # without a referrer forms would have no origin either
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return guard


def check(method: str, headers: Mapping[str, str], site: str) -> None:
    """Raise ApiError for a foreign host name, which may be a DNS rebinding attack, and for another site's form.

    A client that sends neither Origin nor Sec-Fetch-Site is not a browser, so no other site can be behind it.
    """
    host = headers.get("host", "").lower()
    if host != urlsplit(site).netloc.lower() and _hostname(host) not in LOOPBACK:
        raise ApiError(f"Open the sandbox at {site}.", status=421)
    if method in ("GET", "HEAD"):
        return
    origin = headers.get("origin")
    foreign = headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
    if foreign or (origin is not None and urlsplit(origin).netloc.lower() != host):
        raise ApiError("This request didn't come from a sandbox page.", status=403)


def policy(leads_to: str | None = None) -> str:
    """Return the Content-Security-Policy. `leads_to`: where a form redirects to, which browsers count as its target."""
    target = urlsplit(leads_to) if leads_to else None
    also = (
        ""
        if target is None
        else f" {target.scheme}:"
        if "[" in target.netloc
        else f" {target.scheme}://{target.netloc}"
    )
    return (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self'{also}"
    )


def _hostname(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None

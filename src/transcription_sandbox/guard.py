"""Who may press the sandbox's buttons: its own pages, opened under its own name; and the headers of all pages."""

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from transcription_sandbox.refusals import Refused

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
Answer = Callable[[Request], Awaitable[Response]]


def guarded(answer: Answer, site: str, refused: Callable[[Refused], Response]) -> Answer:
    """With every refusal as a page."""

    @wraps(answer)
    async def guard(request: Request) -> Response:
        try:
            check(request.method, request.headers, site)
            response = await answer(request)
        except Refused as error:
            response = refused(error)
        response.headers.setdefault("Content-Security-Policy", policy())
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "same-origin"  # without a referrer forms would have no origin either
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return guard


def check(method: str, headers: Mapping[str, str], site: str) -> None:
    """Raises Refused for another's name, which a page elsewhere may have pointed here, and for another's forms.

    What sends neither Origin nor Sec-Fetch-Site is no browser, and does nobody's bidding but its user's.
    """
    host = headers.get("host", "").lower()
    if host != urlsplit(site).netloc.lower() and _name(host) not in LOOPBACK:
        raise Refused(f"Open the sandbox at {site}.", status=421)
    if method in ("GET", "HEAD"):
        return
    origin = headers.get("origin")
    foreign = headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
    if foreign or (origin is not None and urlsplit(origin).netloc.lower() != host):
        raise Refused("This request didn't come from a sandbox page.", status=403)


def policy(leads_to: str | None = None) -> str:
    """`leads_to`: where a form of the page redirects to, which browsers count as its target."""
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


def _name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None

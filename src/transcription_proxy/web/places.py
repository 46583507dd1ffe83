"""robots.txt, the web app manifest, and redirects from paths that people guess."""

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse

from transcription_proxy.web.services import Provided

GUESSED: Final = {"/login": "/#log-in", "/signup": "/register", "/pricing": "/#prices", "/try": "/captions"}
"""Paths that people guess or have bookmarked, and the path that each redirects to."""
PRIVATE: Final = (
    "/account",
    "/auth/",
    "/billing/",
    "/captions",
    "/confirm",
    "/dashboard",
    "/overlay",
    "/purchases",
    "/reset",
    "/sessions",
    "/try",
    "/ws/",
)
"""Paths that search engines should not crawl."""
ROBOTS: Final = "User-agent: *\n" + "".join(f"Disallow: {path}\n" for path in PRIVATE)
router = APIRouter(include_in_schema=False)


@router.get("/robots.txt")
async def robots() -> PlainTextResponse:
    return PlainTextResponse(ROBOTS)


@router.get("/site.webmanifest")
async def manifest(services: Provided) -> JSONResponse:
    """Return the web app manifest: name and icons of the installed site."""
    content = {
        "name": services.site.name,
        "start_url": "/captions",
        "display": "standalone",
        "background_color": "#faf9f6",
        "theme_color": "#0d6b62",
        "icons": [
            {"src": "/static/favicon.svg", "type": "image/svg+xml", "sizes": "any"},
            {"src": "/static/touch-icon.png", "type": "image/png", "sizes": "180x180"},
        ],
    }
    return JSONResponse(content, media_type="application/manifest+json")


async def guessed(request: Request) -> RedirectResponse:
    """Redirect a guessed path and keep its query, which may hold a campaign's parameters."""
    path, _, fragment = GUESSED[request.url.path].partition("#")
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(path + query + (f"#{fragment}" if fragment else ""), 308)


for _path in GUESSED:
    router.get(_path)(guessed)

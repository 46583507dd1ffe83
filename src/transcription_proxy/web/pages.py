"""Pages for people: static files that are asked for again only when they changed, and what they need to know of us."""

from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from transcription_proxy.web import errors, reference, shared_sentences
from transcription_proxy.web.frame import HTML, framed
from transcription_proxy.web.services import Provided, Site

STATIC: Final = Path(__file__).parent / "static"
PAGES: Final = {
    "/": "index.html",
    "/register": "register.html",
    "/forgot": "forgot.html",
    "/reset": "reset.html",
    "/dashboard": "dashboard.html",
    "/try": "try.html",
    "/account": "account.html",
    "/overlay": "overlay.html",
    "/billing/success": "success.html",
    "/billing/cancel": "cancel.html",
}
OVERLAY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors *"
)
"""It may stand in anybody's page, as programs that stream put it there; it shows words and takes no clicks."""
router = APIRouter(include_in_schema=False)


class Files(StaticFiles):
    """Kept by caches, and asked about before each use: a deployment is never seen in halves."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


files: Final = Files(directory=STATIC)


def install(app: FastAPI) -> None:
    """The files at /static, and a page instead of JSON for people who are lost."""
    app.mount("/static", files, name="static")
    app.add_exception_handler(404, _missing)


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    return HTMLResponse(reference.page(request.app.openapi()))


@router.get("/favicon.ico")
async def icon(request: Request) -> Response:
    return await files.get_response("favicon.svg", request.scope)


@router.get("/site")
async def site(services: Provided) -> Site:
    return services.site


async def _missing(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if request.method != "GET" or "text/html" not in request.headers.get("accept", ""):
        return await errors.by_status(request, error)
    return HTMLResponse(_MISSING, 404, {"Cache-Control": "no-store"})


def _page(path: str, name: str) -> Callable[[Request], Awaitable[Response]]:
    """The overlay stands in no frame of ours."""
    overlay = path == "/overlay"
    own = (HTML / name).read_text()
    policy = {"Content-Security-Policy": OVERLAY_POLICY} if overlay else {}
    return _fixed(own if overlay else framed(own, path), "text/html", policy)


def _fixed(body: str, media_type: str, extra: Mapping[str, str]) -> Callable[[Request], Awaitable[Response]]:
    """Make the endpoint of a text that never changes while the process lives: 304 to whoever has it already."""
    tag = f'"{sha256(body.encode()).hexdigest()}"'
    headers = {"Cache-Control": "no-cache", "ETag": tag, **extra}

    async def answer(request: Request) -> Response:
        known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
        return Response(None, 304, headers) if tag in known else Response(body, 200, headers, media_type)

    return answer


_MISSING: Final = framed((HTML / "missing.html").read_text())
for _path, _name in PAGES.items():
    router.get(_path)(_page(_path, _name))
router.get("/static/shared-sentences.js")(_fixed(shared_sentences.MODULE, "text/javascript", {}))

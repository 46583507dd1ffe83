"""The pages and their static files. Browsers cache both, and download them again only after a change."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Self

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from transcription_proxy.web import errors, reference, shared_sentences
from transcription_proxy.web.frame import HTML, PICTURE, render
from transcription_proxy.web.services import Provided, Site

STATIC: Final = Path(__file__).parent / "static"
PAGES: Final = {
    "/": "index.html",
    "/register": "register.html",
    "/forgot": "forgot.html",
    "/confirm": "confirm.html",
    "/reset": "reset.html",
    "/dashboard": "dashboard.html",
    "/captions": "captions.html",
    "/account": "account.html",
    "/sessions": "sessions.html",
    "/purchases": "purchases.html",
    "/overlay": "overlay.html",
    "/overlay/setup": "overlay-setup.html",
    "/billing/success": "success.html",
    "/billing/cancel": "cancel.html",
}
OVERLAY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors *"
)
"""The overlay may be framed anywhere, because streaming programs frame it. It shows text and takes no clicks."""
RETURNS: Final = {
    "/billing/success": "Page after a payment: waits for the credit of its `session_id` and shows the balance",
    "/billing/cancel": "Page after a checkout that the buyer left",
}
"""Pages that Stripe sends buyers to. The OpenAPI document names them, and no other page."""
router = APIRouter()


class Files(StaticFiles):
    """Static files that caches must revalidate before each use, so that no page mixes two deployments."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        if path == Path(PICTURE).name:
            response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"  # other sites show it in link previews
        return response


files: Final = Files(directory=STATIC)


@dataclass(frozen=True, slots=True)
class Page:
    """A text made at start, such as a page, with an ETag of its content."""

    body: str
    media_type: str
    headers: dict[str, str]

    @classmethod
    def of(cls, body: str, media_type: str = "text/html", policy: Mapping[str, str] | None = None) -> Self:
        tag = f'"{sha256(body.encode()).hexdigest()}"'
        return cls(body, media_type, {"Cache-Control": "no-cache", "ETag": tag, **(policy or {})})

    def answer(self, request: Request) -> Response:
        """Return the text, or 304 if the request names its ETag."""
        known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
        if self.headers["ETag"] in known:
            return Response(None, 304, self.headers)
        return Response(self.body, 200, self.headers, self.media_type)


def install(app: FastAPI, site: Site) -> None:
    """Add the pages and /static to an application, and answer unknown paths with a page if the client accepts HTML."""
    app.state.pages = {path: _page(path, name, site) for path, name in PAGES.items()}
    app.state.missing = render("missing.html", site)
    app.mount("/static", files, name="static")
    app.add_exception_handler(404, _missing)


@router.get("/docs", include_in_schema=False)
async def docs(request: Request, services: Provided) -> HTMLResponse:
    return HTMLResponse(reference.page(request.app.openapi(), services.site))


@router.get("/favicon.ico", include_in_schema=False)
async def icon(request: Request) -> Response:
    return await files.get_response("favicon.svg", request.scope)


@router.get("/site", include_in_schema=False)
async def site(services: Provided) -> Site:
    return services.site


async def _missing(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if request.method != "GET" or "text/html" not in request.headers.get("accept", ""):
        return await errors.by_status(request, error)
    return HTMLResponse(request.app.state.missing, 404, {"Cache-Control": "no-store"})


async def _paged(request: Request) -> Response:
    page: Page = request.app.state.pages[request.url.path]
    return page.answer(request)


def _page(path: str, name: str, site: Site) -> Page:
    if path == "/overlay":  # OBS shows it without our header and footer
        return Page.of((HTML / name).read_text(), policy={"Content-Security-Policy": OVERLAY_POLICY})
    return Page.of(render(name, site, path))


_SENTENCES: Final = Page.of(shared_sentences.MODULE, "text/javascript")


@router.get("/static/shared-sentences.js", include_in_schema=False)
async def _sentences(request: Request) -> Response:
    return _SENTENCES.answer(request)


for _path in PAGES:
    router.get(
        _path,
        include_in_schema=_path in RETURNS,
        tags=["Billing"],
        summary=RETURNS.get(_path),
        response_class=HTMLResponse,
        responses={304: {"description": "The page of the ETag in `If-None-Match`"}},
    )(_paged)

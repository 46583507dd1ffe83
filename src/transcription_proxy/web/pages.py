"""Pages for people: the start, the API's description, and the files that they need."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse

from transcription_proxy.web import reference

STATIC: Final = Path(__file__).parent / "static"
REVALIDATE: Final = {"Cache-Control": "no-cache"}
router = APIRouter(include_in_schema=False)


@router.get("/")
async def start() -> FileResponse:
    return FileResponse(STATIC / "index.html", headers=REVALIDATE)


@router.get("/favicon.ico")
async def favicon() -> FileResponse:
    return FileResponse(STATIC / "favicon.svg", headers=REVALIDATE)


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    return HTMLResponse(reference.page(request.app.openapi()))

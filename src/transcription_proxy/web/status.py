"""/status: which parts of the service work, as a page and as JSON."""

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from markupsafe import Markup

from transcription_proxy import sentences
from transcription_proxy.web.board import Part, Report, State
from transcription_proxy.web.frame import render
from transcription_proxy.web.services import Provided

router = APIRouter(include_in_schema=False)
NAMES: Final = {
    Part.DATABASE: "Accounts and balances",
    Part.SPEECH_ENGINE: "Live captions",
    Part.PAYMENTS: "Payments",
}
SUMMARIES: Final = {
    State.OPERATIONAL: sentences.ALL_WORKING,
    State.DEGRADED: sentences.SOME_WORKING,
    State.DOWN: sentences.NONE_WORKING,
}


@router.get("/status")
async def status(request: Request, services: Provided) -> Response:
    """Return the status page, or JSON if the request accepts JSON and not HTML."""
    report = await services.board.report()
    accepted = request.headers.get("accept", "")
    if "application/json" in accepted and "text/html" not in accepted:
        return JSONResponse(as_json(report))
    at = report.checked_at
    time = Markup('<time datetime="{}">{:%H:%M:%S} UTC</time>').format(at.isoformat(timespec="seconds"), at)
    page = render(
        "status.html",
        services.site,
        "/status",
        summary=SUMMARIES[report.state],
        is_good=report.state is State.OPERATIONAL,
        parts=[(NAMES[part], works) for part, works in report.parts.items()],
        checked=Markup(sentences.checked_at(time)),
    )
    return HTMLResponse(page)


def as_json(report: Report) -> dict[str, object]:
    return {
        "status": report.state,
        "parts": [
            {"id": part, "name": NAMES[part], "status": State.OPERATIONAL if works else State.DOWN}
            for part, works in report.parts.items()
        ],
        "checked_at": report.checked_at.isoformat(timespec="seconds"),
    }

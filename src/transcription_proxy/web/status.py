"""/status: what works and what does not, for people and as JSON."""

from html import escape
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from transcription_proxy import sentences
from transcription_proxy.web.board import Part, Report, State
from transcription_proxy.web.frame import HTML, framed
from transcription_proxy.web.services import Provided

router = APIRouter(include_in_schema=False)
_PAGE: Final = (HTML / "status.html").read_text()
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
    """HTML, unless only JSON is asked for."""
    report = await services.board.look()
    accepted = request.headers.get("accept", "")
    if "application/json" in accepted and "text/html" not in accepted:
        return JSONResponse(as_json(report))
    page = framed(_PAGE, services.site, "/status")
    at = report.checked_at
    time = f'<time datetime="{at.isoformat(timespec="seconds")}">{at:%H:%M:%S} UTC</time>'
    checked = sentences.checked_at(time)
    return HTMLResponse(page.replace("{{report}}", as_html(report)).replace("{{checked}}", checked))


def as_json(report: Report) -> dict[str, object]:
    return {
        "status": report.state,
        "parts": [
            {"id": part, "name": NAMES[part], "status": State.OPERATIONAL if works else State.DOWN}
            for part, works in report.parts.items()
        ],
        "checked_at": report.checked_at.isoformat(timespec="seconds"),
    }


def as_html(report: Report) -> str:
    rows = "\n".join(
        f'<li><span>{escape(NAMES[part])}</span><span class="tag {"good" if works else "bad"}">'
        f"{'Working' if works else 'Not working'}</span></li>"
        for part, works in report.parts.items()
    )
    kind = "info" if report.state is State.OPERATIONAL else "bad"
    return f"""<p class="notice {kind}"><strong>{SUMMARIES[report.state]}</strong></p>
<ul class="list">
{rows}
</ul>"""

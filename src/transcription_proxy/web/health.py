"""/live, /ready and /health, for containers, load balancers and monitoring."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal
from transcription_proxy.web.errors import documented
from transcription_proxy.web.services import Provided
from transcription_wire.version import VERSION

router = APIRouter(tags=["Health"])


class Health(BaseModel):
    status: Literal["ok", "degraded"]
    db: Literal["connected", "disconnected"]
    version: str = VERSION


class Ready(BaseModel):
    status: Literal["ready"]


class Live(BaseModel):
    status: Literal["live"]


@router.get(
    "/health",
    summary="Are the service and its database up?",
    responses={503: {"model": Health, "description": "The database is unavailable or read-only"}},
)
async def health(services: Provided, response: Response) -> Health:
    if await services.watch.is_writable():
        return Health(status="ok", db="connected")
    response.status_code = 503
    return Health(status="degraded", db="disconnected")


@router.get("/ready", summary="Is it accepting new sessions?", responses=documented("service_unavailable"))
async def ready(services: Provided) -> Ready:
    """Returns 503 while the service is starting or shutting down."""
    if not services.ready():
        raise Refusal("service_unavailable", sentences.NOT_READY)
    return Ready(status="ready")


@router.get("/live", summary="Is the process running?")
async def live() -> Live:
    """Doesn't use the database. A process that can't answer this needs a restart."""
    return Live(status="live")

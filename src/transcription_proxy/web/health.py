"""/health and /ready, for load balancers and people who look whether it runs."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from transcription_proxy.errors import Refusal
from transcription_proxy.web.errors import documented
from transcription_proxy.web.services import Provided

router = APIRouter(tags=["Health"])


class Health(BaseModel):
    status: Literal["ok", "degraded"]
    db: Literal["connected", "disconnected"]


class Ready(BaseModel):
    status: Literal["ready"]


@router.get(
    "/health",
    summary="Whether the service answers and its database can be written to",
    responses={503: {"model": Health, "description": "The database is away, or cannot be written to"}},
)
async def health(services: Provided, response: Response) -> Health:
    if await services.watch.is_writable():
        return Health(status="ok", db="connected")
    response.status_code = 503
    return Health(status="degraded", db="disconnected")


@router.get("/ready", summary="Whether it takes new sessions", responses=documented("service_unavailable"))
async def ready(services: Provided) -> Ready:
    """503 while it starts or drains."""
    if not services.ready():
        raise Refusal("service_unavailable", "The service is starting or draining: try again in a moment.")
    return Ready(status="ready")

"""/metrics, for Prometheus. It needs METRICS_TOKEN, and is not there without one."""

from hmac import compare_digest
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST

from transcription_proxy import metrics, sentences
from transcription_proxy.errors import Refusal
from transcription_proxy.web.errors import documented
from transcription_proxy.web.services import Provided

router = APIRouter(tags=["Health"])
_TOKEN = HTTPBearer(auto_error=False, scheme_name="Metrics", description="The operator's METRICS_TOKEN.")


@router.get(
    "/metrics",
    summary="Metrics of all workers, in Prometheus' text format",
    response_class=Response,
    responses={
        **documented("unauthorized", "not_found"),
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "The metrics"},
    },
)
async def show(
    services: Provided, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_TOKEN)]
) -> Response:
    """Returns 404 where the operator has set no token."""
    if services.metrics_token is None:
        raise Refusal("not_found", sentences.NO_SUCH_PATH)
    given = credentials.credentials if credentials else ""
    if not compare_digest(given.encode(), services.metrics_token.encode()):
        raise Refusal("unauthorized", sentences.WRONG_METRICS_TOKEN)
    return Response(metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST})

"""/webhooks/stripe: receives Stripe's events."""

from typing import Annotated, Final

from fastapi import APIRouter, Header, Request

from transcription_proxy.web.errors import documented
from transcription_proxy.web.services import Provided

router = APIRouter(prefix="/webhooks", tags=["Webhooks"])
EVENT: Final = {"type": "object", "title": "Event", "description": "A Stripe event, byte for byte as Stripe signed it."}


@router.post(
    "/stripe",
    summary="Receive a Stripe event",
    responses=documented(
        "invalid_signature", "invalid_event", "test_mode", "request_timeout", "too_large", "service_unavailable"
    ),
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": EVENT}}}},
)
async def stripe(
    request: Request, services: Provided, stripe_signature: Annotated[str, Header()] = ""
) -> dict[str, bool]:
    """Returns 200 once the event is booked, was booked before, or needs no booking. Stripe retries after any other
    status."""
    await services.payments.receive(await request.body(), stripe_signature)
    return {"received": True}

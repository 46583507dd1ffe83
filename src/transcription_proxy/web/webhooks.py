"""/webhooks/stripe: receives Stripe's events."""

from typing import Annotated

from fastapi import APIRouter, Header, Request

from transcription_proxy.web.errors import documented
from transcription_proxy.web.services import Provided

router = APIRouter(prefix="/webhooks", tags=["Webhooks"])


@router.post(
    "/stripe",
    summary="Receive a Stripe event",
    responses=documented("invalid_signature", "invalid_event", "test_mode", "too_large", "service_unavailable"),
)
async def stripe(
    request: Request, services: Provided, stripe_signature: Annotated[str, Header()] = ""
) -> dict[str, bool]:
    """Returns 200 once the event is booked, was booked before, or needs no booking. Stripe retries after any other
    status."""
    await services.payments.receive(await request.body(), stripe_signature)
    return {"received": True}

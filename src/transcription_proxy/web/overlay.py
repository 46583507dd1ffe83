"""The overlay's routes: its secret URL, its test line, and the live captions as server-sent events."""

import asyncio
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

from transcription_proxy import sentences
from transcription_proxy.overlay.event_stream import EventStream
from transcription_proxy.overlay.feeds import Feeds
from transcription_proxy.overlay.messages import TEST_SESSION, Clear, Line
from transcription_proxy.web.errors import FOR_ACCOUNT, documented
from transcription_proxy.web.services import Provided, SignedIn

router = APIRouter(tags=["Overlay"])
TEST_INTERIM_SECONDS: Final = 0.5
"""Seconds for which the test line is interim, so that it is seen to change as captions do."""
_KEY: Final = HTTPBearer(
    auto_error=False, scheme_name="Overlay", description="The key: the part of the overlay URL after `#`."
)


class OverlayUrl(BaseModel):
    """The URL for OBS. Anyone with it can see the live captions, and nothing else of the account."""

    url: str


class Watching(BaseModel):
    """`watching`: the overlays of the account that are open, at all workers and hosts, as far as this worker knows."""

    watching: int


@router.get("/account/overlay", summary="Get the overlay URL", responses=documented(*FOR_ACCOUNT))
async def address(user: SignedIn, services: Provided) -> OverlayUrl:
    """The URL stays the same until you regenerate it."""
    return OverlayUrl(url=await services.overlay_keys.url(user.id))


@router.post("/account/overlay", summary="Regenerate the overlay URL", responses=documented(*FOR_ACCOUNT))
async def renew(user: SignedIn, services: Provided) -> OverlayUrl:
    """The old URL stops working immediately."""
    return OverlayUrl(url=await services.overlay_keys.renew(user.id))


@router.post(
    "/account/overlay/test",
    summary="Show a test line on your overlay",
    responses=documented("rate_limited", *FOR_ACCOUNT),
)
async def send_test(user: SignedIn, services: Provided) -> Watching:
    """Shows "This is a test caption." on every open overlay of the account: first as an interim line, half a second
    later as a final one. Its `session` is `test`: it belongs to no session, is in no transcript and isn't billed.

    `watching` is how many overlays are open. Workers tell each other within moments when an overlay opens or closes;
    an overlay that lost its connection without a word may be counted for up to a minute."""
    await services.limits.check("test overlay", str(user.id), services.per_minute)
    return Watching(watching=await show_test_line(services.feeds, user.id))


async def show_test_line(feeds: Feeds, user_id: UUID) -> int:
    """Show the test line on the account's overlays. Return how many are open when the line becomes final."""
    feed = feeds.feed(user_id)
    feed.show(Line(TEST_SESSION, 0, sentences.TEST_CAPTION.rpartition(" ")[0], is_final=False))
    await asyncio.sleep(TEST_INTERIM_SECONDS)
    feed.show(Line(TEST_SESSION, 0, sentences.TEST_CAPTION, is_final=True))
    feed.show(Clear(TEST_SESSION))
    return feed.page_count


@router.get(
    "/overlay/events",
    summary="Live captions, as server-sent events",
    response_class=Response,
    responses={
        **documented("overlay_gone", "too_many_watchers", "service_unavailable"),
        200: {
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
            "description": "A stream of events",
        },
    },
)
async def events(key: Annotated[HTTPAuthorizationCredentials | None, Depends(_KEY)], services: Provided) -> Response:
    """Events: `line` with `session`, `start`, `text`, `is_final` (the next line of the session replaces an interim
    one), and `channel` if there are several; `clear` with the `session` that ended; `heartbeat`; `gone` once the URL
    was regenerated. Reconnect when the stream ends without `gone`. Don't retry after `overlay_gone`."""
    found = await services.overlay_keys.by_key(key.credentials if key else "")
    return EventStream(found, services.feeds, services.seats)

"""The overlay: its secret address, and the live captions of the account behind it as server-sent events."""

import asyncio
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from transcription_proxy import sentences
from transcription_proxy.accounts.overlays import gone
from transcription_proxy.accounts.store import Overlay
from transcription_proxy.relay.stages import Stages, Watcher
from transcription_proxy.stream.overlay import TEST_SESSION, Clear, Line, event, server_sent
from transcription_proxy.web import errors
from transcription_proxy.web.errors import documented
from transcription_proxy.web.services import Provided, SignedIn

router = APIRouter(tags=["Overlay"])
HEARTBEAT: Final = 15.0
"""Seconds of silence."""
SEND_WITHIN: Final = 30.0
"""How long a page may not read."""
TEST_PAUSE: Final = 0.5
"""Seconds for which the test line is interim, so that it is seen to change as captions do."""
_KEY: Final = HTTPBearer(
    auto_error=False, scheme_name="Overlay", description="The key: the part of the overlay URL after `#`."
)


class Address(BaseModel):
    """The URL for OBS. Anyone with it can see the live captions, and nothing else of the account."""

    url: str


class Watching(BaseModel):
    """`watching`: the overlays of the account that are open, at all workers and hosts, as far as this worker knows."""

    watching: int


class Events(Response):
    """A stream of what a watcher is shown, until it has ended or the page is gone. Raises Refusal before it begins."""

    media_type = "text/event-stream"

    def __init__(self, overlay: Overlay, stages: Stages) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._overlay = overlay
        self._stages = stages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        watcher = self._stages.watch(self._overlay.user_id, self._overlay.version)
        telling = asyncio.create_task(self._tell(watcher, send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait({telling, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._stages.leave(self._overlay.user_id, watcher)
            telling.cancel()
            leaving.cancel()
            await asyncio.gather(telling, leaving, return_exceptions=True)

    async def _tell(self, watcher: Watcher, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await _send(send, event("heartbeat"))
        while (told := await _next(watcher)) is not None:
            await _send(send, told)
        if watcher.gone:
            await _send(send, event("gone", bytes(errors.response(gone()).body)))
        await send({"type": "http.response.body", "body": b""})


async def _next(watcher: Watcher) -> bytes | None:
    """What is to be sent next, None at the end."""
    try:
        async with asyncio.timeout(HEARTBEAT):
            return b"".join(map(server_sent, await watcher.next())) or None
    except TimeoutError:
        return event("heartbeat")


async def _send(send: Send, body: bytes) -> None:
    async with asyncio.timeout(SEND_WITHIN):
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@router.get("/account/overlay", summary="Get the overlay URL", responses=documented("unauthorized"))
async def address(user: SignedIn, services: Provided) -> Address:
    """The URL stays the same until you regenerate it."""
    return Address(url=await services.overlays.address(user.id))


@router.post("/account/overlay", summary="Regenerate the overlay URL", responses=documented("unauthorized"))
async def renew(user: SignedIn, services: Provided) -> Address:
    """The old URL stops working immediately."""
    return Address(url=await services.overlays.renew(user.id))


@router.post(
    "/account/overlay/test",
    summary="Show a test line on your overlay",
    responses=documented("unauthorized", "rate_limited"),
)
async def send_test(user: SignedIn, services: Provided) -> Watching:
    """Shows "This is a test caption." on every open overlay of the account: first as an interim line, half a second
    later as a final one. Its `session` is `test`: it belongs to no session, is in no transcript and isn't billed.

    `watching` is how many overlays are open. Workers tell each other within moments when an overlay opens or closes;
    an overlay that lost its connection without a word may be counted for up to a minute."""
    services.overlay_tests.admit(str(user.id))
    return Watching(watching=await show_test_line(services.stages, user.id))


async def show_test_line(stages: Stages, user_id: UUID) -> int:
    """Return how many overlays are known to be open when the line becomes final."""
    stage = stages.feed(user_id)
    stage.show(Line(TEST_SESSION, 0, sentences.TEST_CAPTION.rpartition(" ")[0], is_final=False))
    await asyncio.sleep(TEST_PAUSE)
    stage.show(Line(TEST_SESSION, 0, sentences.TEST_CAPTION, is_final=True))
    stage.show(Clear(TEST_SESSION))
    return stage.count


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
    found = await services.overlays.by_key(key.credentials if key else "")
    return Events(found, services.stages)

"""Request bodies, as long as they are small."""

from typing import Final

from starlette.requests import ClientDisconnect, Request

from transcription_sandbox.refusals import Refused

MOST: Final = 1 << 20


async def body_of(request: Request) -> bytes:
    """Raises Refused for one that is too long, or whose client left in the middle."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST:
                raise Refused(f"A request body can have at most {MOST} bytes.", status=413, final=False)
    except ClientDisconnect:
        raise Refused("The client disconnected.", status=499, final=False) from None
    return bytes(body)

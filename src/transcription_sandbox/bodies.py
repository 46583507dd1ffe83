"""Request bodies, up to a limit."""

from typing import Final

from starlette.requests import ClientDisconnect, Request

from transcription_sandbox.errors import ApiError

MAX_BYTES: Final = 1 << 20


async def read_body(request: Request) -> bytes:
    """Return the body. Raise ApiError if it is too long, or if the client disconnects."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BYTES:
                raise ApiError(f"A request body can have at most {MAX_BYTES} bytes.", status=413, is_final=False)
    except ClientDisconnect:
        raise ApiError("The client disconnected.", status=499, is_final=False) from None
    return bytes(body)

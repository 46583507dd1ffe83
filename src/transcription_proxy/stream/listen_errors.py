"""Errors in Deepgram's form: the HTTP answers that refuse a client of `/v1/listen` or `/v2/listen`."""

from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal
from transcription_wire.codes import ErrorCode

RELAYED: Final = (400, 404, 413, 422, 429)
"""Statuses that the upstream's refusal reaches the client with. Any other is about our own key, or its own failure."""
BY_CODE: Final[dict[str, tuple[int, str]]] = {
    ErrorCode.UNAUTHORIZED: (401, "INVALID_AUTH"),
    ErrorCode.INSUFFICIENT_CREDITS: (402, "ASR_PAYMENT_REQUIRED"),
    "forbidden": (403, "INSUFFICIENT_PERMISSIONS"),
    ErrorCode.INVALID_CONFIG: (400, "INVALID_QUERY_PARAMETER"),
    "bad_recording": (400, "Bad Request"),
    "bad_url": (400, "REMOTE_CONTENT_ERROR"),
    "not_found": (404, "NOT_FOUND"),
    "too_large": (413, "PAYLOAD_TOO_LARGE"),
    ErrorCode.TOO_MANY_CONNECTIONS: (429, "TOO_MANY_REQUESTS"),
    ErrorCode.BUSY: (429, "TOO_MANY_REQUESTS"),
    ErrorCode.SERVICE_UNAVAILABLE: (503, "SERVICE_UNAVAILABLE"),
    ErrorCode.UPSTREAM_UNAVAILABLE: (502, "BAD_GATEWAY"),
}
"""Status and `err_code` of each refusal."""
INTERNAL: Final = (500, "INTERNAL_SERVER_ERROR")


class ListenError(Struct, frozen=True):
    """An HTTP error. `message`: also the header `dg-error`. `body`: the upstream's own, to be relayed unchanged."""

    status: int
    code: str
    message: str
    request_id: str | None = None
    body: bytes = b""
    retry_after: int | None = None

    def content(self, request_id: UUID) -> bytes:
        """Return the body of the answer."""
        own = {"err_code": self.code, "err_msg": self.message, "request_id": str(request_id)}
        return self.body or msgspec.json.encode(own)


def from_refusal(refusal: Refusal) -> ListenError:
    """Return the error for a refusal of our own."""
    status, code = BY_CODE.get(refusal.code, INTERNAL)
    is_credential = refusal.code == ErrorCode.UNAUTHORIZED  # our own sentence is for people, who can log in
    message = sentences.NO_CREDENTIALS if is_credential else refusal.message
    return ListenError(status, code, message, retry_after=refusal.retry_after)


UNAVAILABLE: Final = from_refusal(Refusal(ErrorCode.SERVICE_UNAVAILABLE, sentences.UNAVAILABLE))
FAILED: Final = from_refusal(Refusal(ErrorCode.INTERNAL, sentences.FAILED))
NO_ENGINE: Final = from_refusal(Refusal(ErrorCode.UPSTREAM_UNAVAILABLE, sentences.NO_ENGINE))
NO_PATH: Final = from_refusal(Refusal("not_found", sentences.NO_DEEPGRAM_PATH))


def from_upstream(status: int | None, detail: str, body: bytes, request_id: str | None) -> ListenError:
    """Return the error for an upstream that answered the handshake with `status`, or was not reached (None)."""
    if status not in RELAYED:
        return NO_ENGINE
    return ListenError(status, "", detail, request_id, body or _plain(detail, request_id))


def _plain(detail: str, request_id: str | None) -> bytes:
    return msgspec.json.encode({"err_code": "Bad Request", "err_msg": detail, "request_id": request_id or ""})

"""The error message that a client is sent when a session ends or cannot begin."""

from typing import Final

from transcription_proxy import sentences
from transcription_wire.codes import ErrorCode, Reason
from transcription_wire.messages import Error
from transcription_wire.sentences import BLOCKED as BLOCKED_ACCOUNT
from transcription_wire.sentences import ENDS
from transcription_wire.sentences import ERRORS as BY_CODE


def usual_error(code: ErrorCode) -> Error:
    """Return the error with the usual sentence of its code."""
    return Error(code, BY_CODE[code].full)


_CODES: Final = {
    Reason.SIGNED_OUT: ErrorCode.UNAUTHORIZED,
    Reason.INSUFFICIENT_CREDITS: ErrorCode.INSUFFICIENT_CREDITS,
    Reason.UPSTREAM_CLOSED: ErrorCode.UPSTREAM_CLOSED,
    Reason.SERVICE_RESTART: ErrorCode.SERVICE_RESTART,
    Reason.DATABASE_AWAY: ErrorCode.SERVICE_UNAVAILABLE,
    Reason.LEASE_EXPIRED: ErrorCode.INTERNAL,
    Reason.INTERNAL: ErrorCode.INTERNAL,
}
ERRORS: Final[dict[Reason, Error]] = {
    reason: Error(code, ENDS[reason].sentence.full) for reason, code in _CODES.items()
}
"""The error for each reason. A session that ends for another reason ends without an error."""

DRAINING: Final = usual_error(ErrorCode.SERVICE_UNAVAILABLE)
UNAVAILABLE: Final = usual_error(ErrorCode.SERVICE_UNAVAILABLE)
CROWDED: Final = Error(ErrorCode.SERVICE_UNAVAILABLE, sentences.CROWDED)
FAILED: Final = usual_error(ErrorCode.INTERNAL)
BLOCKED: Final = Error(ErrorCode.UNAUTHORIZED, BLOCKED_ACCOUNT)
TOO_BIG: Final = usual_error(ErrorCode.MESSAGE_TOO_BIG)
NOT_RFC_6455: Final = Error(ErrorCode.BAD_MESSAGE, sentences.NOT_RFC_6455)
TOO_MANY_BAD: Final = Error(ErrorCode.BAD_MESSAGE, sentences.TOO_MANY_BAD_MESSAGES)


def refusal(status: int | None, detail: str) -> Error:
    """Return the error for an upstream that answered the handshake with `status`, or was not reached (None)."""
    if status == 400:
        return Error(ErrorCode.INVALID_CONFIG, sentences.settings_refused(detail))
    return usual_error(ErrorCode.BUSY if status == 429 else ErrorCode.UPSTREAM_UNAVAILABLE)

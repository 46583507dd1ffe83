"""The error that a client is sent when a session ends or cannot begin: a code and its sentence."""

from typing import Final

from transcription_proxy import sentences
from transcription_wire.codes import ErrorCode, Reason
from transcription_wire.sentences import BLOCKED as BLOCKED_ACCOUNT
from transcription_wire.sentences import ENDS
from transcription_wire.sentences import ERRORS as BY_CODE

ErrorSaid = tuple[ErrorCode, str]


def said(code: ErrorCode) -> ErrorSaid:
    """Return the code with its usual sentence."""
    return code, BY_CODE[code].full


_CODES: Final = {
    Reason.SIGNED_OUT: ErrorCode.UNAUTHORIZED,
    Reason.INSUFFICIENT_CREDITS: ErrorCode.INSUFFICIENT_CREDITS,
    Reason.UPSTREAM_CLOSED: ErrorCode.UPSTREAM_CLOSED,
    Reason.SERVICE_RESTART: ErrorCode.SERVICE_RESTART,
    Reason.DATABASE_AWAY: ErrorCode.SERVICE_UNAVAILABLE,
    Reason.LEASE_EXPIRED: ErrorCode.INTERNAL,
    Reason.INTERNAL: ErrorCode.INTERNAL,
}
ERRORS: Final[dict[Reason, ErrorSaid]] = {reason: (code, ENDS[reason].sentence.full) for reason, code in _CODES.items()}
"""The error for each reason. A session that ends for another reason ends without an error."""

DRAINING: Final = said(ErrorCode.SERVICE_UNAVAILABLE)
UNAVAILABLE: Final = said(ErrorCode.SERVICE_UNAVAILABLE)
CROWDED: Final = (ErrorCode.SERVICE_UNAVAILABLE, sentences.CROWDED)
FAILED: Final = said(ErrorCode.INTERNAL)
BLOCKED: Final = (ErrorCode.UNAUTHORIZED, BLOCKED_ACCOUNT)
TOO_BIG: Final = said(ErrorCode.MESSAGE_TOO_BIG)
NOT_RFC_6455: Final = (ErrorCode.BAD_MESSAGE, sentences.NOT_RFC_6455)
TOO_MANY_BAD: Final = (ErrorCode.BAD_MESSAGE, sentences.TOO_MANY_BAD_MESSAGES)


def refusal(status: int | None, detail: str) -> ErrorSaid:
    """Return the error for an upstream that answered the handshake with `status`, or was not reached (None)."""
    if status == 400:
        return ErrorCode.INVALID_CONFIG, sentences.settings_refused(detail)
    return said(ErrorCode.BUSY if status == 429 else ErrorCode.UPSTREAM_UNAVAILABLE)

"""What the client is told when a session ends or cannot begin: the error that goes before, and its sentence."""

from typing import Final

from transcription_wire.codes import ErrorCode, Reason

ErrorSaid = tuple[ErrorCode, str]

ERRORS: Final[dict[Reason, ErrorSaid]] = {
    Reason.SIGNED_OUT: (ErrorCode.UNAUTHORIZED, "The password was changed: log in again."),
    Reason.INSUFFICIENT_CREDITS: (ErrorCode.INSUFFICIENT_CREDITS, "No minutes are left: buy more to go on."),
    Reason.UPSTREAM_CLOSED: (ErrorCode.UPSTREAM_CLOSED, "The speech engine ended the stream: connect again."),
    Reason.SERVICE_RESTART: (ErrorCode.SERVICE_RESTART, "The service restarts: connect again in a moment."),
    Reason.DATABASE_AWAY: (
        ErrorCode.SERVICE_UNAVAILABLE,
        "The service cannot reach its accounts: connect again in a moment.",
    ),
    Reason.LEASE_EXPIRED: (ErrorCode.INTERNAL, "The service lost track of this session: connect again."),
    Reason.INTERNAL: (ErrorCode.INTERNAL, "Something failed on our side: connect again."),
}
"""Reasons that are not here end without an error."""

DRAINING: Final = (ErrorCode.SERVICE_UNAVAILABLE, "The service restarts: connect again in a moment.")
UNAVAILABLE: Final = (ErrorCode.SERVICE_UNAVAILABLE, "The service cannot reach its accounts: try again in a moment.")
CROWDED: Final = (ErrorCode.SERVICE_UNAVAILABLE, "Too many are connecting at once: try again in a moment.")
FAILED: Final = (ErrorCode.INTERNAL, "Something failed on our side: connect again.")
BLOCKED: Final = (ErrorCode.UNAUTHORIZED, "This account is blocked: write to the support.")
TOO_BIG: Final = (ErrorCode.MESSAGE_TOO_BIG, "A message may have 1 MiB at most.")
NOT_RFC_6455: Final = (ErrorCode.BAD_MESSAGE, "That was a frame that the WebSocket protocol (RFC 6455) forbids.")
TOO_MANY_BAD: Final = (ErrorCode.BAD_MESSAGE, "That was the hundredth message that is none of the protocol.")


def refusal(status: int | None, detail: str) -> ErrorSaid:
    """The error for an upstream that answered the handshake with a status, or with nothing (None)."""
    if status == 400:
        said = "The speech engine refused these settings"
        return ErrorCode.INVALID_CONFIG, f"{said}: {detail}" if detail else f"{said}."
    if status == 429:
        return ErrorCode.BUSY, "The speech engine is busy: try again in a moment."
    return ErrorCode.UPSTREAM_UNAVAILABLE, "The speech engine cannot be reached: try again in a moment."

"""Codes of errors and warnings, end reasons and WebSocket close codes, as client and server agree on them."""

from enum import StrEnum
from typing import Final


class ErrorCode(StrEnum):
    """`code` of an `error` message."""

    AUTH_TIMEOUT = "auth_timeout"
    UNAUTHORIZED = "unauthorized"
    INSUFFICIENT_CREDITS = "insufficient_credits"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    INVALID_CONFIG = "invalid_config"
    BAD_MESSAGE = "bad_message"
    MESSAGE_TOO_BIG = "message_too_big"
    BUSY = "busy"
    SERVICE_UNAVAILABLE = "service_unavailable"
    UPSTREAM_UNAVAILABLE = "upstream_unavailable"
    UPSTREAM_CLOSED = "upstream_closed"
    SERVICE_RESTART = "service_restart"
    INTERNAL = "internal"


class WarningCode(StrEnum):
    """`code` of a `warning` message."""

    BEHIND = "behind"
    NOT_RAW_AUDIO = "not_raw_audio"
    TOO_QUIET = "too_quiet"


class Reason(StrEnum):
    """Why a session ended: in `session_end`, in the database and in the log."""

    CLIENT_STOP = "client_stop"
    CLIENT_GONE = "client_gone"
    REPLACED = "replaced"
    SIGNED_OUT = "signed_out"
    ENDED_BY_USER = "ended_by_user"
    ENDED_BY_OPERATOR = "ended_by_operator"
    IDLE = "idle"
    INSUFFICIENT_CREDITS = "insufficient_credits"
    UPSTREAM_CLOSED = "upstream_closed"
    SERVICE_RESTART = "service_restart"
    TOO_SLOW = "too_slow"
    DATABASE_AWAY = "database_away"
    BAD_MESSAGES = "bad_messages"
    LEASE_EXPIRED = "lease_expired"
    INTERNAL = "internal"


class Status(StrEnum):
    """State of a session's row."""

    ACTIVE = "active"
    COMPLETED = "completed"
    TERMINATED = "terminated"


COMPLETED: Final = frozenset(
    {
        Reason.CLIENT_STOP,
        Reason.CLIENT_GONE,
        Reason.REPLACED,
        Reason.SIGNED_OUT,
        Reason.ENDED_BY_USER,
        Reason.ENDED_BY_OPERATOR,
        Reason.IDLE,
        Reason.INSUFFICIENT_CREDITS,
    }
)


def status_of(reason: Reason) -> Status:
    """Return the status that goes with an end reason."""
    return Status.COMPLETED if reason in COMPLETED else Status.TERMINATED


CLOSE_CODES: Final[dict[ErrorCode, int]] = {
    ErrorCode.AUTH_TIMEOUT: 4408,
    ErrorCode.UNAUTHORIZED: 4401,
    ErrorCode.INSUFFICIENT_CREDITS: 4402,
    ErrorCode.TOO_MANY_CONNECTIONS: 4429,
    ErrorCode.INVALID_CONFIG: 4400,
    ErrorCode.BAD_MESSAGE: 1008,
    ErrorCode.MESSAGE_TOO_BIG: 1009,
    ErrorCode.BUSY: 1013,
    ErrorCode.SERVICE_UNAVAILABLE: 1013,
    ErrorCode.UPSTREAM_UNAVAILABLE: 1011,
    ErrorCode.UPSTREAM_CLOSED: 1011,
    ErrorCode.SERVICE_RESTART: 1012,
    ErrorCode.INTERNAL: 1011,
}
"""Close code that follows an error; `bad_message` only after the hundredth."""

REASON_CLOSE_CODES: Final[dict[Reason, int]] = {
    Reason.CLIENT_STOP: 1000,
    Reason.CLIENT_GONE: 1000,
    Reason.REPLACED: 4409,
    Reason.SIGNED_OUT: 4401,
    Reason.ENDED_BY_USER: 1000,
    Reason.ENDED_BY_OPERATOR: 1000,
    Reason.IDLE: 1000,
    Reason.INSUFFICIENT_CREDITS: 4402,
    Reason.UPSTREAM_CLOSED: 1011,
    Reason.SERVICE_RESTART: 1012,
    Reason.TOO_SLOW: 1008,
    Reason.DATABASE_AWAY: 1013,
    Reason.BAD_MESSAGES: 1008,
    Reason.LEASE_EXPIRED: 1011,
    Reason.INTERNAL: 1011,
}
"""Close code that follows `session_end`, unless an error that preceded it has its own."""

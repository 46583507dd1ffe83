"""Sentences about the end of a session, a socket error and the state of a purchase.

The server, the client and the pages all take these texts from here; web/shared_sentences.py makes the pages' module."""

from typing import Final, NamedTuple

from transcription_wire.codes import ErrorCode, Reason


class Sentence(NamedTuple):
    """A sentence in two parts: what happened, and what to do next, which may be empty."""

    what: str
    next: str = ""

    @property
    def full(self) -> str:
        return f"{self.what} {self.next}".strip()


class End(NamedTuple):
    """Why a session ended. `label`: a few words for a table."""

    label: str
    sentence: Sentence


_AGAIN: Final = "Try again in a moment."
_BUY: Final = "Buy more to continue."
_OUR_FAULT: Final = "Error on our end"
_FAILED: Final = Sentence("Something went wrong on our end.", _AGAIN)
_RESTART: Final = Sentence("The service restarted.", _AGAIN)
_ENGINE_FAILED: Final = Sentence("The speech engine failed and couldn't recover.", "Start again.")

ERRORS: Final[dict[ErrorCode, Sentence]] = {
    ErrorCode.AUTH_TIMEOUT: Sentence("No auth message arrived within 5 seconds.", "Connect again and send it first."),
    ErrorCode.UNAUTHORIZED: Sentence("Your login is no longer valid.", "Log in again."),
    ErrorCode.INSUFFICIENT_CREDITS: Sentence("You're out of minutes.", _BUY),
    ErrorCode.TOO_MANY_CONNECTIONS: Sentence(
        "You've reached your limit of live sessions.", "End one of them, then try again."
    ),
    ErrorCode.INVALID_CONFIG: Sentence("These settings aren't supported.", "Change them, then try again."),
    ErrorCode.BAD_MESSAGE: Sentence("The service didn't understand a message from your app."),
    ErrorCode.MESSAGE_TOO_BIG: Sentence("Your app sent a message over 1 MiB.", "Send smaller ones."),
    ErrorCode.BUSY: Sentence("All caption slots are busy right now.", "Try again in a minute."),
    ErrorCode.SERVICE_UNAVAILABLE: Sentence("The service is temporarily unavailable.", _AGAIN),
    ErrorCode.UPSTREAM_UNAVAILABLE: Sentence("Can't reach the speech engine.", "Try again in a few minutes."),
    ErrorCode.UPSTREAM_CLOSED: _ENGINE_FAILED,
    ErrorCode.SERVICE_RESTART: _RESTART,
    ErrorCode.INTERNAL: _FAILED,
}
"""Sentences by the code of an `error` message. The server adds detail where it has any."""

ENDS: Final[dict[Reason, End]] = {
    Reason.CLIENT_STOP: End("Stopped by you", Sentence("Done.")),
    Reason.CLIENT_GONE: End("Disconnected", Sentence("The connection was lost.", "Check it, then start again.")),
    Reason.REPLACED: End("Moved to a new session", Sentence("Captions moved to another tab, device or app.")),
    Reason.SIGNED_OUT: End(
        "Signed out",
        Sentence("Your password was changed or your API key was revoked, so captions stopped.", "Log in again."),
    ),
    Reason.ENDED_BY_USER: End("Ended from the website", Sentence("You ended this session from the website.")),
    Reason.ENDED_BY_OPERATOR: End("Ended by support", Sentence("Support ended this session.")),
    Reason.IDLE: End("Ended after silence", Sentence("Captions stopped after a long silence.")),
    Reason.INSUFFICIENT_CREDITS: End("Out of minutes", Sentence("You ran out of minutes, so captions stopped.", _BUY)),
    Reason.UPSTREAM_CLOSED: End("Speech engine failed", _ENGINE_FAILED),
    Reason.SERVICE_RESTART: End("Service restarted", _RESTART),
    Reason.TOO_SLOW: End(
        "Connection too slow",
        Sentence("Your connection couldn't keep up with the captions.", "Close other apps and tabs, then start again."),
    ),
    Reason.DATABASE_AWAY: End(_OUR_FAULT, ERRORS[ErrorCode.SERVICE_UNAVAILABLE]),
    Reason.BAD_MESSAGES: End("Invalid data from your app", Sentence("Your app sent data the service can't use.")),
    Reason.LEASE_EXPIRED: End(_OUR_FAULT, Sentence("The service lost track of this session.", "Start again.")),
    Reason.INTERNAL: End(_OUR_FAULT, _FAILED),
}

BLOCKED: Final = "Your account is blocked. Contact support."

MUTED: Final = "We can't hear anything. Is your mic muted, or is the wrong one selected?"
QUIET: Final = "Your audio is very quiet. Turn your microphone up, or move closer to it."


def behind(seconds: int) -> str:
    """Return the sentence of a `behind` warning. 0 seconds: the captions are on time again."""
    return f"Captions are {seconds} s behind." if seconds else "Captions are on time again."


def not_raw_audio(kind: str, wanted: str) -> str:
    return f"This looks like {kind}, not raw audio. Decode it to {wanted} first. You're billed either way."


PURCHASES: Final[dict[str, str]] = {
    "open": "Not paid yet",
    "pending": "Payment pending",
    "paid": "Paid",
    "failed": "Failed, you weren't charged",
    "expired": "Expired, you weren't charged",
    "refunded": "Refunded",
    "partially_refunded": "Partly refunded",
    "disputed": "Disputed, minutes frozen",
}
"""Labels by the `status` of a purchase."""


def missing_extra(program: str, extra: str) -> str:
    """For a program that was installed without the extra that brings its packages."""
    return f'{program} needs more packages. Run pip install "transcription-proxy[{extra}]".'

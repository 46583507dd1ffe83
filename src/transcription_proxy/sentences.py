"""Sentences of HTTP errors, WebSocket errors and answers: what is wrong, and what to do next.

People read them on a page, in a command or in the log of their own program. Texts that the client and the pages share
are in transcription_wire.sentences, emails in mail/templates/, and those of a command beside the command."""

from collections.abc import Iterable
from typing import Final

from transcription_wire.codes import ErrorCode
from transcription_wire.sentences import ERRORS

# Accounts
INVALID_EMAIL: Final = "Enter an email address like name@example.com."
EMAIL_TAKEN: Final = "You already have an account. Log in instead."
WRONG_LOGIN: Final = "Wrong email or password."
WRONG_PASSWORD: Final = "The current password is wrong."  # noqa: S105 - a sentence
PASSWORD_JUST_CHANGED: Final = "The password was just changed. Log in with the new one."  # noqa: S105
TOO_MANY_LOGINS: Final = "Too many people are logging in right now. Try again in a moment."
NOT_LOGGED_IN: Final = "Log in again: the token is missing, invalid or expired."
ACCOUNT_GONE: Final = "Log in again: this account or token is no longer valid."
REFRESH_REUSED: Final = "This refresh token has already been used. Log in again."
LINK_EXPIRED: Final = "This link has expired or has already been used. Request a new one."
RESET_SENT: Final = "If there is an account with this email, we've sent it a link to reset the password."
PASSWORD_SET: Final = "Password changed. Log in with your new password."  # noqa: S105
WRONG_METRICS_TOKEN: Final = "Send METRICS_TOKEN as a bearer token."  # noqa: S105
CONFIRMATION_EXPIRED: Final = "This link has expired. Open your dashboard to get a new one."
EMAIL_CONFIRMED: Final = "Your email is confirmed."
CONFIRMATION_SENT: Final = "Check your email for the link."
OVERLAY_GONE: Final = "This overlay URL no longer works. Copy the new one from the Overlay page of your account."
NO_SUCH_KEY: Final = "You have no API key with this ID."
KEYS_NEED_LOGIN: Final = "Log in to do this. An API key isn't enough."
RANDOM_EMAIL_TAKEN: Final = "A random email was already taken. Run the command again."
COMMON_PASSWORD: Final = "This password is too common. A few random words work well."  # noqa: S105

# Money
NO_SUCH_USER: Final = "No such user."
EARLIER_RUN_LOCKED: Final = "Another transaction is using the sessions of an earlier run. Try again in a moment."
NO_TOP_UPS: Final = "Custom amounts aren't available. Choose a package."
ONE_ORDER: Final = "Send package_id or amount_cents, not both."
NO_SUCH_CHECKOUT: Final = "You have no checkout with this ID."
BAD_SIGNATURE: Final = "The webhook isn't signed by Stripe, or is too old."
LIVE_ONLY: Final = "This service accepts live payments only."
NO_SANDBOX: Final = "The Stripe sandbox isn't running. Start transcription-proxy serve."
PAYMENTS_AWAY: Final = "The payment service isn't responding. You weren't charged. Try again in a moment."

# Sessions
OUT_OF_MINUTES: Final = "You're out of minutes. Buy more, or end another session."
KEY_SPENT: Final = "This API key has reached its limit. A daily limit starts again at midnight UTC."
NO_SUCH_SESSION: Final = "You have no live session with this ID."
NO_LIVE_SESSION: Final = "No live session has this ID. Run session list --live to see them."
BAD_TIME_ZONE: Final = "Use a time zone name such as Europe/Berlin."

# The caption socket and the overlay
UNKNOWN_MESSAGE: Final = "Send JSON whose type is auth, keepalive, finalize or stop."
AUTH_FIRST: Final = "Send the auth message first."
AUTH_TWICE: Final = "This session is already authenticated."
TOO_MANY_BAD_MESSAGES: Final = "Closed after 100 invalid messages. See the README for the protocol."
NOT_RFC_6455: Final = "Closed after a frame that the WebSocket protocol (RFC 6455) forbids."
OVERLAY_AUTH: Final = "Send a first message whose type is auth, with the overlay's key."
CROWDED: Final = "Too many apps are connecting right now. Try again in a moment."
CONFIG_NO_OBJECT: Final = "config must be an object."
TEST_CAPTION: Final = "This is a test caption."
"""What an overlay shows when its owner tests it."""
TOO_MANY_PAGES: Final = "Too many overlays are connected. Try again in a moment."

# Deepgram's API
NO_ENGINE: Final = ERRORS[ErrorCode.UPSTREAM_UNAVAILABLE].full
NO_DEEPGRAM_PATH: Final = "This service doesn't offer that part of Deepgram's API. Use /v1/listen or /v2/listen."
NO_CREDENTIALS: Final = "Invalid credentials."
NO_CALLBACK: Final = "callback isn't supported here. Read the results from this connection."
FLUX_IS_V2: Final = "use /v2/listen for flux models, and only for them"
MULTICHANNEL_NEEDS_RAW: Final = "multichannel needs raw audio: set encoding, sample_rate and channels."
NO_KEYTERMS: Final = "Keyterms aren't offered here."
NO_PROJECT: Final = "You have no project with this ID."
NO_MODEL: Final = "There is no model with this ID."
EMPTY_RECORDING: Final = "The recording is empty. Send the file's bytes as the body."
NO_RECORDING_URL: Final = 'Send the recording itself, or JSON like {"url": "https://example.com/talk.mp3"}.'
URL_NOT_PUBLIC: Final = "The URL must lead to a public internet address."
URL_UNREADABLE: Final = "We couldn't download the recording from this URL."
BAD_LIFETIME: Final = "ttl_seconds must be a number from 1 to 3600."

# HTTP itself
API: Final = (
    "Accounts and balances of the caption service. Errors use standard status codes and the body "
    '`{"error": {"code", "message"}}`; every response includes `X-Request-Id`. Captions use the WebSocket '
    "`/ws/transcribe`, described in the README."
)
BAD_CURSOR: Final = "before: send the `next` of an earlier page."
BAD_JSON: Final = "The body isn't valid JSON."
NO_OBJECT: Final = "Send a JSON object with Content-Type: application/json."
NO_SUCH_PATH: Final = "Not found. See /docs for all paths."
NO_SUCH_METHOD: Final = "This path doesn't support that method. See the Allow header."
BODY_TOO_SLOW: Final = "The body didn't arrive in time."
CLIENT_LEFT: Final = "The client disconnected before the body was complete."
BODY_TOO_LARGE: Final = "The body is too large. See /docs."
FAILED: Final = ERRORS[ErrorCode.INTERNAL].full
UNAVAILABLE: Final = ERRORS[ErrorCode.SERVICE_UNAVAILABLE].full
NOT_READY: Final = "The service is starting or shutting down. Try again in a moment."

# The status page, and links to pages that are shared elsewhere
ALL_WORKING: Final = "Everything is working."
SOME_WORKING: Final = "Some things aren't working right now."
NONE_WORKING: Final = "The service is down right now."
ABOUT: Final = "Live captions for your stream, in OBS, your caption app or your own code."
"""For pages without a description of their own."""

# The door, before a request becomes one of the application
BAD_HOST: Final = "Send exactly one Host header with a host name, and a port if needed."
BAD_TARGET: Final = "The request target must be a path, or an http URL without a fragment."
OLD_CHUNKED: Final = "An HTTP/1.0 request can't have a Transfer-Encoding."
NOT_CHUNKED: Final = "The only supported Transfer-Encoding is chunked."
NOT_HTTP_1: Final = "Use HTTP/1.1."
NOT_HTTP: Final = "This isn't HTTP."
UPGRADE_WITH_BODY: Final = "A WebSocket upgrade request must not have a body."
NO_HANDSHAKE: Final = "This isn't a WebSocket handshake."
NO_SOCKET: Final = "No WebSocket here. Use /ws/transcribe."
REQUEST_TOO_LARGE: Final = "The request is too large."
REQUEST_TOO_SLOW: Final = "The request didn't arrive in time."
WRONG_VERSION: Final = "Use WebSocket version 13."
HEAD_TOO_LARGE: Final = "The request headers are larger than 16 KiB."


def weak_password(shortest: int, longest: int) -> str:
    return f"Use at least {shortest} characters and at most {longest} bytes."


def trial_given(length_of_time: str) -> str:
    return f"Your email is confirmed, and {length_of_time} of captions are yours. Enjoy!"


def checked_at(time: str) -> str:
    return f"Checked at {time}."


def recording_larger_than(megabytes: int) -> str:
    return f"A recording may have at most {megabytes} MB."


def recording_too_long(seconds: int, available: int) -> str:
    return f"This recording takes {seconds} s of your balance, and {available} s are free. Buy more minutes first."


def url_answered(status: int) -> str:
    return f"The URL of the recording answered with status {status}."


def option_not_offered(name: str) -> str:
    return f"{name} isn't offered here. Leave it out."


def ambiguous_session(prefix: str) -> str:
    return f"Several live sessions have an ID that starts with {prefix}. Give more of it."


def too_many_keys(most: int) -> str:
    return f"You have {most} API keys, which is the most. Revoke one first."


def model_not_offered(model: str, models: Iterable[str]) -> str:
    return f"The model {model} isn't offered. Choose one of {', '.join(sorted(models))}."


def model_not_allowed(model: str, models: Iterable[str]) -> str:
    return f"This API key can't use the model {model}. It may use: {', '.join(models)}."


def too_many_tokens(most: int) -> str:
    return f"Keyterms may have {most} tokens in all."


def no_account(email: str) -> str:
    return f"No account uses the email {email}. Run user list to see all accounts."


def account_blocked(email: str) -> str:
    return f"{email} is blocked. Run user unblock first."


def no_such_package(ids: Iterable[str]) -> str:
    return f"No such package. Choose one of {', '.join(ids)}."


def wrong_amount(least: int, most: int) -> str:
    return f"amount_cents must be a whole number from {least} to {most}."


def bad_event(why: str) -> str:
    return f"This webhook can't be used: {why}."


def too_many_credits(most: int) -> str:
    return f"No entry and no balance can be over {most:,} seconds."


def too_few_credits(available: int) -> str:
    return f"Only {available} seconds can be taken back."


def settings_refused(detail: str) -> str:
    """`detail`: what the speech engine said; may be empty."""
    said = "The speech engine doesn't support these settings"
    return f"{said}: {detail.rstrip('.')}." if detail else f"{said}."


def no_such_option(key: str) -> str:
    return f"config.{key} is not an option."


def wrong_option(key: str, meaning: str) -> str:
    return f"config.{key} must be {meaning}."


def too_many_watchers(most: int) -> str:
    return f"{most} overlays already show these captions. Close one of them."


def body_larger_than(kib: int) -> str:
    return f"The body is larger than {kib} KiB."


def invalid_field(field: str, why: str) -> str:
    return f"{field}: {why}."


def too_many_attempts(seconds: int) -> str:
    return f"Too many attempts. Try again in {seconds} {'second' if seconds == 1 else 'seconds'}."

"""Asks Deepgram whether it accepts a key."""

from typing import Final
from urllib.parse import urlsplit

import msgspec

from transcription_client.errors import ClientError
from transcription_client.net import HTTP_SECONDS, request_from

DEEPGRAM: Final = "wss://api.deepgram.com"
PATH: Final = "/v1/auth/token"
"""Deepgram's documented way to try a key: https://developers.deepgram.com/docs/authenticating"""


def check_key(key: str, url: str = DEEPGRAM, within: float = HTTP_SECONDS) -> None:
    """Return if Deepgram accepts the key. Raise ClientError."""
    if not key:
        raise ClientError("Paste your Deepgram API key first.")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ClientError("This isn't a Deepgram key. Copy it again from console.deepgram.com.")
    response = request_from(_http(url), "GET", PATH, within, headers={"Authorization": f"Token {key}"})
    if response.status_code == 401:
        raise ClientError("Deepgram doesn't accept this key. Copy it again from console.deepgram.com.")
    if response.status_code == 403:
        raise ClientError("This key isn't allowed to transcribe. Create another at console.deepgram.com.")
    if response.status_code >= 500 or response.status_code == 429:
        raise ClientError(f"Deepgram can't check the key now (status {response.status_code}). Try again in a minute.")
    try:
        details = msgspec.json.decode(response.content)
    except ValueError:
        details = None
    if response.status_code != 200 or not isinstance(details, dict):
        raise ClientError(f"{_http(url)} isn't Deepgram (status {response.status_code}). Check the address.")


def _http(url: str) -> str:
    """Return the address for HTTP that belongs to one for WebSockets."""
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in ("ws", "wss", "http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ClientError(f"{url!r} isn't a valid address for Deepgram. Use one like {DEEPGRAM}.")
    return f"{'https' if parts.scheme in ('wss', 'https') else 'http'}://{parts.netloc}"

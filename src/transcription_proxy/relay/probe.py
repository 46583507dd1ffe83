"""Checks with one small HTTP request, without a stream, that the speech engine answers and accepts our key."""

import asyncio
import ssl
from contextlib import suppress
from functools import cache
from typing import Final
from urllib.parse import urlsplit

import structlog

REFUSALS: Final = (401, 402, 403)
"""Statuses that mean: the key is wrong, has no money left, or lacks the permission."""
TIMEOUT_SECONDS: Final = 4.0
MAX_LINE_BYTES: Final = 4096
log = structlog.get_logger(__name__)


async def answers(url: str, key: str | None, timeout_seconds: float = TIMEOUT_SECONDS) -> bool:
    """Return whether the engine at `url` would accept a stream, as far as one can know without opening one.

    Requests the path of a stream without an upgrade: a working engine answers that an upgrade is needed, or that it
    is busy. Never raises.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            status = await _status(url, key)
    except (OSError, TimeoutError, ValueError) as error:
        log.warning("speech_engine_unreachable", error=type(error).__name__)
        return False
    if status >= 500 or status in REFUSALS:
        log.warning("speech_engine_refused", status=status)
        return False
    return True


@cache
def _tls() -> ssl.SSLContext:
    """Return the TLS context, made once because reading all certificates is slow."""
    return ssl.create_default_context()


async def _status(url: str, key: str | None) -> int:
    parts = urlsplit(url)
    secure = parts.scheme in ("wss", "https")
    reader, writer = await asyncio.open_connection(
        parts.hostname,
        parts.port or (443 if secure else 80),
        ssl=_tls() if secure else None,
        limit=MAX_LINE_BYTES,
    )
    try:
        authorization = f"Authorization: Token {key}\r\n" if key else ""
        head = f"GET {parts.path}/v1/listen HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\n"
        writer.write(f"{head}{authorization}Connection: close\r\n\r\n".encode())
        protocol, status, *_ = (await reader.readline()).split(b" ")
        if not protocol.startswith(b"HTTP/"):
            raise ValueError("no HTTP")
        return int(status)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

"""Checks request heads (RFC 9112, RFC 6455), and has the answers to those that door.py refuses. Values only."""

import re
from collections.abc import Container
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from uuid import UUID, uuid4

import msgspec
from starlette.types import Receive, Scope, Send

from transcription_proxy import sentences
from transcription_proxy.stream.listen_errors import NO_PATH, ListenError

MAX_HEAD_BYTES: Final = 16 * 1024
"""Bytes of a request's head."""
Headers = list[tuple[bytes, bytes]]
_KEY: Final = re.compile(rb"[A-Za-z0-9+/]{22}==")
"""Sixteen bytes in base64 (RFC 6455, 4.1)."""
_AUTHORITY: Final = rb"(?:\[[0-9A-Fa-f:.]+\]|[\w.~!$&'()*+,;=%-]*)(?::\d{0,5})?"
_HOST: Final = re.compile(_AUTHORITY)
_ABSOLUTE: Final = re.compile(rb"(?i:https?)://" + _AUTHORITY + rb"(?=[/?]|\Z)")
"""The beginning of the absolute form of a target, which clients send to proxies."""
_DEEPGRAM: Final = re.compile(rb"/v[12]/")
"""The beginning of the paths of Deepgram's API, which answers with errors of its own form."""
_ORIGIN: Final = re.compile(rb'/[!"$-~]*')
"""A path and a query. Clients never send a fragment."""


@dataclass(frozen=True, slots=True)
class HttpRefusal:
    """The answer to a request that the application never gets.

    It is an ASGI application itself, for a bad request that must be answered after earlier ones."""

    status: int
    phrase: str
    code: str
    message: str
    headers: tuple[tuple[bytes, bytes], ...] = ()
    content: bytes = b""
    """The body, where it is not in the form of our own errors."""

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        body = self._body
        await send({"type": "http.response.start", "status": self.status, "headers": self._head(body)})
        await send({"type": "http.response.body", "body": body})

    def answer(self) -> bytes:
        """Return the whole response as bytes."""
        body = self._body
        lines = [b"%s: %s" % header for header in self._head(body)]
        return b"\r\n".join([f"HTTP/1.1 {self.status} {self.phrase}".encode(), *lines, b"", body])

    @property
    def _body(self) -> bytes:
        return self.content or msgspec.json.encode({"error": {"code": self.code, "message": self.message}})

    def _head(self, body: bytes) -> Headers:
        return [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", uuid4().hex.encode()),
            *self.headers,
            (b"connection", b"close"),
        ]


def listen_refusal(error: ListenError) -> HttpRefusal:
    """Return the answer to a Deepgram client, with the headers that Deepgram sends."""
    request_id = as_request_id(error.request_id)
    headers = [(b"dg-request-id", str(request_id).encode()), (b"dg-error", _header(error.message))]
    if error.retry_after is not None:
        headers.append((b"retry-after", str(error.retry_after).encode()))
    phrase = HTTPStatus(error.status).phrase
    return HttpRefusal(error.status, phrase, "", "", tuple(headers), error.content(request_id))


def as_request_id(text: str | None) -> UUID:
    """Return the upstream's id for a request, or one of our own where it is no UUID, which some clients insist on."""
    try:
        return UUID(text or "")
    except ValueError:
        return uuid4()


def _header(text: str) -> bytes:
    """Return a text as it may stand in a header."""
    return re.sub(r"[^\x20-\x7e]+", " ", text).encode()


def _bad(message: str) -> HttpRefusal:
    return HttpRefusal(400, "Bad Request", "bad_request", message)


MALFORMED: Final = _bad(sentences.NOT_HTTP)
NO_HOST: Final = _bad(sentences.BAD_HOST)
NO_TARGET: Final = _bad(sentences.BAD_TARGET)
OLD_CHUNKED: Final = _bad(sentences.OLD_CHUNKED)
WITH_BODY: Final = _bad(sentences.UPGRADE_WITH_BODY)
NO_HANDSHAKE: Final = _bad(sentences.NO_HANDSHAKE)
NO_SOCKET: Final = HttpRefusal(404, "Not Found", "not_found", sentences.NO_SOCKET)
TOO_LATE: Final = HttpRefusal(408, "Request Timeout", "request_timeout", sentences.REQUEST_TOO_SLOW)
TOO_LARGE: Final = HttpRefusal(413, "Content Too Large", "too_large", sentences.REQUEST_TOO_LARGE)
NO_VERSION: Final = HttpRefusal(
    426,
    "Upgrade Required",
    "upgrade_required",
    sentences.WRONG_VERSION,
    ((b"upgrade", b"websocket"), (b"sec-websocket-version", b"13")),
)
LONG_HEAD: Final = HttpRefusal(431, "Request Header Fields Too Large", "head_too_large", sentences.HEAD_TOO_LARGE)
NOT_CHUNKED: Final = HttpRefusal(501, "Not Implemented", "unknown_encoding", sentences.NOT_CHUNKED)
NOT_HTTP_1: Final = HttpRefusal(505, "HTTP Version Not Supported", "unknown_version", sentences.NOT_HTTP_1)


def origin_form(method: str, target: bytes) -> bytes | None:
    """Return the path and query of a request's target, None for one that has neither (RFC 9112, 3.2)."""
    if (method, target) == ("OPTIONS", b"*"):
        return b"/"
    absolute = _ABSOLUTE.match(target)
    if absolute is not None:
        target = target[absolute.end() :]
        target = target if target.startswith(b"/") else b"/" + target
    return target if _ORIGIN.fullmatch(target) else None


def normalised(target: bytes) -> bytes:
    """Return a target without the doubled slashes that clients make from a base URL that ends with one."""
    path, mark, query = target.partition(b"?")
    return re.sub(rb"/+", b"/", path) + mark + query


def objection(target: bytes, version: str, headers: Headers, upgrades: bool) -> HttpRefusal | None:
    """Return why a request is refused, by the rules that the parser does not check; None if it is fine."""
    if len(target) + sum(len(name) + len(value) + 4 for name, value in headers) > MAX_HEAD_BYTES:
        return LONG_HEAD
    if version not in ("1.0", "1.1"):
        return NOT_HTTP_1
    return _host_objection(version, headers) or _framing_objection(version, headers, upgrades)


def _host_objection(version: str, headers: Headers) -> HttpRefusal | None:
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1 or (not hosts and version == "1.1") or not all(map(_HOST.fullmatch, hosts)):
        return NO_HOST
    return None


def _framing_objection(version: str, headers: Headers, upgrades: bool) -> HttpRefusal | None:
    codings = [value.lower() for name, value in headers if name == b"transfer-encoding"]
    if codings and version == "1.0":
        return OLD_CHUNKED
    if codings not in ([], [b"chunked"]):
        return NOT_CHUNKED
    lengths = [value for name, value in headers if name == b"content-length"]
    if upgrades and (codings or any(length.strip(b"0") for length in lengths)):
        return WITH_BODY  # to any protocol: the parser would take the body for another request
    return None


def upgrade_objection(
    method: str, target: bytes, version: str, headers: Headers, paths: Container[bytes]
) -> HttpRefusal | None:
    """Return why an upgrade to a WebSocket is refused, None if it is fine. `paths`: those that have one."""
    path = target.partition(b"?")[0]
    if path not in paths:
        return listen_refusal(NO_PATH) if _DEEPGRAM.match(path) else NO_SOCKET
    if _only(headers, b"sec-websocket-version") != b"13":
        return NO_VERSION
    key = _only(headers, b"sec-websocket-key")
    return None if method == "GET" and version == "1.1" and key and _KEY.fullmatch(key) else NO_HANDSHAKE


def _only(headers: Headers, name: bytes) -> bytes | None:
    """Return the value of a header that occurs exactly once, otherwise None."""
    values = [value for each, value in headers if each == name]
    return values[0] if len(values) == 1 else None

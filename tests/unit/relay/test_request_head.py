"""What is checked of a request's head beside what the parser checks."""

import asyncio
import json

import pytest
from starlette.types import Message

from transcription_proxy.relay import request_head
from transcription_proxy.relay.request_head import (
    LONG_HEAD,
    MAX_HEAD_BYTES,
    NO_HANDSHAKE,
    NO_HOST,
    NO_SOCKET,
    NO_VERSION,
    NOT_CHUNKED,
    NOT_HTTP_1,
    OLD_CHUNKED,
    WITH_BODY,
    Headers,
    HttpRefusal,
    objection,
    origin_form,
    upgrade_objection,
)

HOST = (b"host", b"captions")
CHUNKED = (b"transfer-encoding", b"chunked")
PATHS = {b"/ws/transcribe", b"/ws/overlay"}
VERSION = (b"sec-websocket-version", b"13")
KEY = (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ==")


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (b"/", b"/"),
        (b"/a/b?c=/d?e", b"/a/b?c=/d?e"),
        (b"//a", b"//a"),
        (b'/a|b{}^`\\"<>[]%zz', b'/a|b{}^`\\"<>[]%zz'),  # browsers send some of these as they are
        (b"http://captions/a?b", b"/a?b"),
        (b"HTTPS://captions.example:443/a", b"/a"),
        (b"http://[::1]:3000/a", b"/a"),
        (b"http://captions", b"/"),
        (b"http://captions?a", b"/?a"),
        (b"", None),
        (b"a", None),
        (b"?a", None),
        (b"*", None),
        (b"/a#b", None),
        (b"/a b", None),
        (b"/\xc3\xa9", None),
        (b"/?\xff", None),
        (b"captions:443", None),
        (b"http://me@captions/a", None),
        (b"http://captions#a", None),
        (b"http:/a", None),
        (b"ftp://captions/a", None),
    ],
)
def test_a_target_is_a_path_or_an_http_url(target: bytes, found: bytes | None) -> None:
    assert origin_form("GET", target) == found


def test_a_star_is_for_options_only() -> None:
    assert origin_form("OPTIONS", b"*") == b"/"


@pytest.mark.parametrize(
    "host", [b"captions", b"", b"a_b.c:3000", b"127.0.0.1", b"[::1]", b"[::1]:80", b"caf%C3%A9.example", b"a:"]
)
def test_a_host_is_a_name_and_perhaps_a_port(host: bytes) -> None:
    assert objection(b"/", "1.1", [(b"host", host)], upgrades=False) is None


@pytest.mark.parametrize(
    ("headers", "version", "refused"),
    [
        ([], "1.1", NO_HOST),
        ([], "1.0", None),
        ([HOST, HOST], "1.1", NO_HOST),
        ([HOST, HOST], "1.0", NO_HOST),
        ([(b"host", b"a b")], "1.1", NO_HOST),
        ([(b"host", b"me@captions")], "1.1", NO_HOST),
        ([(b"host", b"captions/a")], "1.1", NO_HOST),
        ([(b"host", b"captions:http")], "1.0", NO_HOST),
        ([(b"host", b"[::1")], "1.1", NO_HOST),
        ([(b"host", b"\xff")], "1.1", NO_HOST),
        ([HOST], "0.9", NOT_HTTP_1),
        ([HOST], "2.0", NOT_HTTP_1),
        ([HOST, CHUNKED], "1.1", None),
        ([HOST, (b"transfer-encoding", b"Chunked")], "1.1", None),
        ([HOST, CHUNKED], "1.0", OLD_CHUNKED),
        ([HOST, (b"transfer-encoding", b"gzip, chunked")], "1.1", NOT_CHUNKED),
        ([HOST, (b"transfer-encoding", b"gzip"), CHUNKED], "1.1", NOT_CHUNKED),
        ([HOST, (b"x", b"y" * MAX_HEAD_BYTES)], "1.1", LONG_HEAD),
    ],
)
def test_heads_by_rfc_9112(headers: Headers, version: str, refused: HttpRefusal | None) -> None:
    assert objection(b"/", version, headers, upgrades=False) is refused


def test_a_head_is_measured_with_its_target() -> None:
    assert objection(b"/" * (MAX_HEAD_BYTES - 16), "1.1", [HOST], upgrades=False) is None
    assert objection(b"/" * (MAX_HEAD_BYTES - 15), "1.1", [HOST], upgrades=False) is LONG_HEAD


@pytest.mark.parametrize(
    ("more", "refused"),
    [([], None), ([(b"content-length", b"0")], None), ([(b"content-length", b"1")], WITH_BODY), ([CHUNKED], WITH_BODY)],
)
def test_an_upgrade_has_no_body(more: Headers, refused: HttpRefusal | None) -> None:
    assert objection(b"/", "1.1", [HOST, *more], upgrades=True) is refused
    assert objection(b"/", "1.1", [HOST, *more], upgrades=False) is None


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ([VERSION, KEY], None),
        ([KEY], NO_VERSION),
        ([(b"sec-websocket-version", b"8"), KEY], NO_VERSION),
        ([VERSION, VERSION, KEY], NO_VERSION),
        ([VERSION], NO_HANDSHAKE),
        ([VERSION, KEY, KEY], NO_HANDSHAKE),
        ([VERSION, (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ")], NO_HANDSHAKE),
    ],
)
def test_upgrades_by_rfc_6455(headers: Headers, refused: HttpRefusal | None) -> None:
    assert upgrade_objection("GET", b"/ws/transcribe?a=b", "1.1", headers, PATHS) is refused
    assert upgrade_objection("GET", b"/ws/overlay", "1.1", headers, PATHS) is refused
    assert upgrade_objection("GET", b"/ws/other", "1.1", headers, PATHS) is NO_SOCKET


@pytest.mark.parametrize(("method", "version"), [("POST", "1.1"), ("GET", "1.0")])
def test_an_upgrade_is_a_get_of_http_1_1(method: str, version: str) -> None:
    assert upgrade_objection(method, b"/ws/transcribe", version, [VERSION, KEY], PATHS) is NO_HANDSHAKE


REFUSALS = [each for each in vars(request_head).values() if isinstance(each, HttpRefusal)]


@pytest.mark.parametrize("refused", REFUSALS, ids=lambda refused: refused.message)
def test_a_refusal_says_the_same_as_bytes_and_as_an_application(refused: HttpRefusal) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(refused({}, None, send))  # type: ignore[arg-type]
    head, _, body = refused.answer().partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    assert line == f"HTTP/1.1 {refused.status} {refused.phrase}"
    headers = {name: value for name, _, value in (each.partition(": ") for each in lines)}
    told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    assert sent[0]["status"] == refused.status
    assert headers.pop("x-request-id") != told.pop("x-request-id")
    assert headers == told
    assert headers["content-length"] == str(len(body))
    assert headers["connection"] == "close"
    assert sent[1]["body"] == body
    assert json.loads(body) == {"error": {"code": refused.code, "message": refused.message}}

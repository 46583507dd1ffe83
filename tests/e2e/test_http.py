"""HTTP on the wire: slow and oversized requests, keep-alive and upgrades."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from tests.e2e.client import User
from tests.e2e.service import Service
from transcription_wire.version import VERSION

KIB = 1024
GET = b"GET /health HTTP/1.1\r\nHost: captions\r\n"
LOGIN = b"POST /auth/login HTTP/1.1\r\nHost: captions\r\nContent-Type: application/json\r\n"
UPGRADE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
SOCKET = b"GET /ws/transcribe HTTP/1.1\r\nHost: captions\r\n" + UPGRADE
HEALTHY = b'{"status":"ok","db":"connected","version":"%s"}' % VERSION.encode()


@dataclass
class Answer:
    """One HTTP answer, as it was on the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        code: str = json.loads(self.body)["error"]["code"]
        return code


class Wire:
    """A TCP connection to the service."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, service: Service) -> "Wire":
        return cls(*await asyncio.open_connection("127.0.0.1", urlsplit(service.url).port))

    def say(self, data: bytes) -> None:
        self._writer.write(data)

    async def say_slowly(self, data: bytes) -> None:
        """Send the same bytes again and again until the service closes."""
        while not self._writer.is_closing():
            self._writer.write(data)
            await asyncio.sleep(0.2)

    async def answer(self, within: float = 20, head: bool = False) -> Answer:
        """Read the next answer. `head`: it answers a HEAD and has no body."""
        async with asyncio.timeout(within):
            lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
            body = await self._reader.readexactly(0 if head else int(headers["content-length"]))
        return Answer(int(lines[0].split()[1]), headers, body)

    async def closed(self, within: float = 20) -> bool:
        """Return whether the service closes without sending more."""
        async with asyncio.timeout(within):
            return await self._reader.read(1) == b""

    def leave(self) -> None:
        self._writer.close()


@pytest_asyncio.fixture(loop_scope="session")
async def wire(service: Service) -> AsyncIterator[Wire]:
    wire = await Wire.open(service)
    yield wire
    wire.leave()


# --- too slow


SLOW: dict[str, tuple[bytes, bytes]] = {
    "nothing": (b"", b""),
    "half a request line": (b"GET /hea", b""),
    "half a head": (GET + b"X-More: ", b""),
    "a head byte by byte": (GET + b"X-More: ", b"x"),
    "nothing but empty lines": (b"", b"\r\n"),
    "half an upgrade": (SOCKET, b""),
    "half a body": (LOGIN + b'Content-Length: 50\r\n\r\n{"email":', b""),
    "a body byte by byte": (LOGIN + b"Content-Length: 5000\r\n\r\n", b" "),
    "a body chunk by chunk": (LOGIN + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "a chunk that never comes": (LOGIN + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFF\r\n", b""),
}


async def too_slow(service: Service, name: str) -> None:
    first, then = SLOW[name]
    wire, began = await Wire.open(service), asyncio.get_running_loop().time()
    wire.say(first)
    dripping = asyncio.create_task(wire.say_slowly(then)) if then else None
    answer = await wire.answer()
    assert answer.status == 408, name
    assert asyncio.get_running_loop().time() - began > 9, name
    if "body" in name or "chunk" in name:
        assert answer.code == "request_timeout", name
    if dripping:
        dripping.cancel()
    assert await wire.closed(), name
    wire.leave()


async def rests(service: Service, then: bytes) -> None:
    """Send bytes that are no request, after an answer."""
    wire = await Wire.open(service)
    wire.say(GET + b"\r\n")
    assert (await wire.answer()).body == HEALTHY
    wire.say(then)
    assert (await wire.answer()).status == 408, then
    assert await wire.closed(), then
    wire.leave()


async def drips_behind_its_answer(service: Service) -> None:
    wire, began = await Wire.open(service), asyncio.get_running_loop().time()
    wire.say(GET + b"Transfer-Encoding: chunked\r\n\r\n")
    assert (await wire.answer()).body == HEALTHY
    dripping = asyncio.create_task(wire.say_slowly(b"1\r\nx\r\n"))
    assert await wire.closed()
    assert 14 < asyncio.get_running_loop().time() - began < 18
    dripping.cancel()
    wire.leave()


async def is_kept(service: Service) -> None:
    """Return whether a connection stays open longer than uvicorn's default of five seconds."""
    wire = await Wire.open(service)
    for pause in (6, 0):
        wire.say(GET + b"\r\n")
        assert (await wire.answer()).body == HEALTHY
        await asyncio.sleep(pause)
    wire.leave()


async def test_an_unfinished_request_is_closed_after_ten_seconds(service: Service) -> None:
    """The answer is 408, on a connection with earlier answers too. Otherwise a client could keep any number open."""
    slow = [too_slow(service, name) for name in SLOW]
    restless = [rests(service, then) for then in (b"\r\n", b"G", GET)]
    await asyncio.gather(*slow, *restless, drips_behind_its_answer(service), is_kept(service))


# --- too large


@pytest.mark.parametrize("path", [GET, SOCKET], ids=["request", "upgrade"])
async def test_a_head_of_17_kib_is_431(wire: Wire, path: bytes) -> None:
    wire.say(path + b"X-More: " + b"x" * 17 * KIB + b"\r\n\r\n")
    assert (await wire.answer(within=5)).status == 431


@pytest.mark.parametrize("path", [GET, SOCKET], ids=["request", "upgrade"])
async def test_an_endless_head_is_431_after_16_kib(wire: Wire, path: bytes) -> None:
    wire.say(path + b"X-More: ")
    for _ in range(16):
        await asyncio.sleep(0.01)
        wire.say(b"x" * KIB)
    assert (await wire.answer(within=5)).status == 431


async def test_the_url_counts_towards_the_head(wire: Wire) -> None:
    wire.say(b"GET /health?" + b"x" * 17 * KIB + b" HTTP/1.1\r\nHost: captions\r\n\r\n")
    assert (await wire.answer()).status == 431


async def test_a_head_of_15_kib_is_read(wire: Wire) -> None:
    for _ in range(3):  # each head is measured separately
        wire.say(GET + b"X-More: " + b"x" * 15 * KIB + b"\r\n\r\n")
        assert (await wire.answer()).body == HEALTHY


async def test_a_client_that_sends_64_kib_before_reading_gets_413(service: Service) -> None:
    async def chunked(size: int) -> AsyncIterator[bytes]:
        for _ in range(0, size, 13 * KIB):
            yield b" " * 13 * KIB

    headers = {"Content-Type": "application/json"}
    for size in (65 * KIB, KIB * KIB, 8 * KIB * KIB):
        for content in (b" " * size, chunked(size)):
            answer = await service.http.post("/auth/login", content=content, headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large"), size
            assert answer.headers["connection"] == "close"


async def test_an_announced_body_that_is_too_large_is_413_at_once(wire: Wire) -> None:
    wire.say(LOGIN + b"Content-Length: 99999999\r\n\r\n")
    assert (await wire.answer(within=5)).code == "too_large"


async def test_expect_100_continue_is_answered_before_the_body(wire: Wire) -> None:
    wire.say(LOGIN + b"Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n")
    assert (await wire.answer()).status == 413


async def test_a_body_of_64_kib_is_read(service: Service) -> None:
    answer = await service.http.post("/auth/login", json={"email": "x" * 60 * KIB, "password": "x"})
    assert answer.status_code == 401


# --- upgrades


async def test_an_upgrade_on_a_wrong_path_is_404(service: Service) -> None:
    for path in (b"/", b"/ws", b"/ws/transcribe/", b"/ws/other", b"/health", b"/ws/transcribe%2f"):
        wire = await Wire.open(service)
        wire.say(SOCKET.replace(b"/ws/transcribe", path) + b"\r\n")
        assert (await wire.answer()).status == 404, path
        assert await wire.closed()
        wire.leave()


async def test_an_upgrade_on_the_right_path_is_101_whatever_its_query(wire: Wire) -> None:
    wire.say(SOCKET.replace(b"/ws/transcribe", b"/ws/transcribe?x=1") + b"Content-Length: 0\r\n\r\n")
    answer = await wire.answer(head=True)
    assert answer.status == 101
    assert answer.headers["sec-websocket-accept"] == "ICX+Yqv66kxgM0FcWaLWlFLwTAI="


async def test_the_socket_without_an_upgrade_is_404(service: Service) -> None:
    assert (await service.http.get("/ws/transcribe")).status_code == 404


async def test_an_upgrade_to_something_else_is_an_ordinary_request(wire: Wire) -> None:
    wire.say(GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    assert (await wire.answer()).body == HEALTHY


# --- connections


async def test_a_connection_serves_request_after_request(wire: Wire, service: Service) -> None:
    user: User = await service.user()
    ids = set()
    for _ in range(20):
        wire.say(
            GET.replace(b"/health", b"/account/me") + b"Authorization: Bearer " + user.token.encode() + b"\r\n\r\n"
        )
        answer = await wire.answer()
        assert json.loads(answer.body)["email"] == user.email
        ids.add(answer.headers["x-request-id"])
    assert len(ids) == 20


async def test_requests_sent_at_once_are_answered_in_order(wire: Wire) -> None:
    bad = LOGIN + b"Content-Length: 1\r\n\r\n{"
    wire.say(GET + b"\r\n" + bad + GET + b"Connection: close\r\n\r\n")
    assert [(await wire.answer()).status for _ in range(3)] == [200, 400, 200]
    assert await wire.closed()


async def test_head_has_the_length_of_get_and_no_body(wire: Wire) -> None:
    for path in (b"/health", b"/docs", b"/static/page.css", b"/nothing"):
        request = GET.replace(b"/health", path) + b"\r\n"
        wire.say(request.replace(b"GET", b"HEAD") + request)
        head, get = await wire.answer(head=True), await wire.answer()
        assert head.status == get.status
        assert int(head.headers["content-length"]) == len(get.body) > 0, path


async def test_connection_close_closes_the_connection(service: Service) -> None:
    for request in (GET + b"Connection: close\r\n\r\n", b"GET /health HTTP/1.0\r\n\r\n"):
        wire = await Wire.open(service)
        wire.say(request)
        answer = await wire.answer()
        assert (answer.body, answer.headers["connection"]) == (HEALTHY, "close"), request
        assert await wire.closed(), request
        wire.leave()


NO_HTTP = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"hello\r\n\r\n",
    GET + b"X-Nul: a\0b\r\n\r\n",
    LOGIN + b"Content-Length: -5\r\n\r\n",
    LOGIN + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
    LOGIN + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    LOGIN + b"Content-Length: 99999999999999999999999999\r\n\r\n",
    LOGIN + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\nHost: captions\r\n\r\n",
]


async def test_bytes_that_are_not_http_get_400(service: Service) -> None:
    for nonsense in NO_HTTP:
        wire = await Wire.open(service)
        wire.say(nonsense)
        assert (await wire.answer()).status == 400, nonsense
        assert await wire.closed(), nonsense
        wire.leave()


async def test_answers_do_not_name_the_servers_software(service: Service) -> None:
    for path in ("/", "/health", "/nothing"):
        headers = (await service.http.get(path)).headers
        assert "server" not in headers
        assert "x-powered-by" not in headers

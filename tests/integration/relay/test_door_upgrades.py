"""The door and every way to ask for a WebSocket: whole, in bytes, behind other requests, with frames, or wrongly."""

import gc

import pytest

from tests import waiting
from tests.integration.relay.doorway import (
    AUTH,
    CLOSED,
    GET,
    KIB,
    NONSENSE,
    POST,
    REFUSED,
    SLOW,
    UPGRADE,
    Doorway,
    Wire,
    frame,
    is_a_socket,
    is_answered,
)
from transcription_proxy.relay import door as module
from transcription_proxy.relay.door import DoorProtocol

pytestmark = pytest.mark.asyncio(loop_scope="module")


# --- upgrades that become a socket


@pytest.mark.parametrize(
    "request_",
    [
        UPGRADE,
        UPGRADE.replace(b"/ws/transcribe", b"/ws/transcribe?token=x%20y"),
        UPGRADE.replace(b"Connection: Upgrade", b"Connection: keep-alive, Upgrade"),
        UPGRADE.replace(b"Upgrade: websocket", b"Upgrade: WebSocket"),
        UPGRADE.replace(b"Connection: Upgrade", b"connection: upgrade"),
        UPGRADE + b"Content-Length: 0\r\n",
        UPGRADE + b"Cookie: name=\xc3\xa9\xff\r\nSec-WebSocket-Extensions: permessage-deflate\r\n",
        UPGRADE + b"".join(b"X-%d: x\r\n" % number for number in range(200)),
        UPGRADE + b"X-More: " + b"x" * 15 * KIB + b"\r\n",
    ],
    ids=["plain", "query", "Firefox", "capitals", "none", "no body", "odd bytes", "200 headers", "15 KiB"],
)
async def test_an_upgrade_as_clients_send_it_becomes_a_socket(wire: Wire, request_: bytes) -> None:
    wire.say(request_ + b"\r\n")
    await is_a_socket(wire)


@pytest.mark.parametrize("request_", [UPGRADE, GET], ids=["upgrade", "request"])
async def test_a_connection_needs_no_garbage_collector(wire: Wire, request_: bytes) -> None:
    gc.collect()
    gc.disable()
    try:
        wire.say(request_ + b"\r\n")
        await (is_a_socket(wire) if request_ == UPGRADE else is_answered(wire))
        wire.writer.close()
        await waiting.until(lambda: not [one for one in gc.get_objects() if isinstance(one, DoorProtocol)])
    finally:
        gc.enable()


async def test_an_upgrade_may_come_byte_by_byte(wire: Wire) -> None:
    await wire.say_in_packets(*[bytes([byte]) for byte in UPGRADE + b"\r\n"])
    await is_a_socket(wire)


async def test_frames_in_the_packet_of_the_upgrade_are_not_lost(wire: Wire) -> None:
    wire.say(UPGRADE + b"\r\n" + NONSENSE * 50 + AUTH)
    assert (await wire.answer()).status == 101
    for _ in range(50):
        assert await wire.message() == ("bad_message", 0)
    assert [await wire.message(), await wire.message()] == [REFUSED, CLOSED]


@pytest.mark.parametrize("size", [1000, module.READ_BUFFER_BYTES, 20_000, 200_000])
async def test_long_frames_in_the_packet_of_the_upgrade_are_not_lost(wire: Wire, size: int) -> None:
    wire.say(UPGRADE + b"\r\n" + frame(2, bytes(size)) + frame(1, b"x" * size) + AUTH)
    assert (await wire.answer()).status == 101
    found = [await wire.message() for _ in range(4)]
    assert found == [("bad_message", 0), ("bad_message", 0), REFUSED, CLOSED]


@pytest.mark.parametrize("cut", [1, 3, len(AUTH) - 1])
async def test_half_a_frame_in_the_packet_of_the_upgrade_is_completed_by_the_next(wire: Wire, cut: int) -> None:
    await wire.say_in_packets(UPGRADE + b"\r\n" + AUTH[:cut], AUTH[cut:])
    assert (await wire.answer()).status == 101
    assert [await wire.message(), await wire.message()] == [REFUSED, CLOSED]


@pytest.mark.parametrize("before", [GET + b"\r\n", POST + b"Content-Length: 3\r\n\r\nabc"], ids=["GET", "POST"])
async def test_an_upgrade_after_an_answer_on_the_same_connection_becomes_a_socket(wire: Wire, before: bytes) -> None:
    wire.say(before)
    assert (await wire.answer()).status == 200
    wire.say(UPGRADE + b"\r\n")
    await is_a_socket(wire)


@pytest.mark.parametrize(
    "before",
    [[SLOW], [SLOW, SLOW], [SLOW.replace(b"GET", b"POST")[:-2] + b"Content-Length: 0\r\n\r\n"]],
    ids=["GET", "twice", "POST"],
)
@pytest.mark.parametrize("together", ["all", "none", "requests", "frames"])
async def test_an_upgrade_behind_requests_waits_for_their_answers(
    doorway: Doorway, wire: Wire, before: list[bytes], together: str
) -> None:
    requests, frames = [*before, UPGRADE + b"\r\n"], [NONSENSE, NONSENSE, AUTH]
    if together in ("all", "requests"):
        requests = [b"".join(requests)]
    if together in ("all", "frames"):
        frames = [b"".join(frames)]
    await wire.say_in_packets(*([requests[0] + frames[0]] if together == "all" else [*requests, *frames]))
    await doorway.until(lambda: bool(doorway.asked))
    doorway.released.set()
    for _ in before:
        await is_answered(wire, b"/slow 0")
    assert (await wire.answer()).status == 101
    found = [await wire.message() for _ in range(4)]
    assert found == [("bad_message", 0), ("bad_message", 0), REFUSED, CLOSED]


async def test_frames_behind_an_upgrade_that_waits_are_not_read_without_end(
    doorway: Doorway, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire.say(SLOW + UPGRADE + b"\r\n")
    await doorway.until(lambda: bool(doorway.asked))
    wire.say(frame(2, bytes(KIB * KIB)) * 32 + AUTH)
    monkeypatch.setattr(module, "HEAD_SECONDS", 0.2)
    before, unread = 0, wire.writer.transport.get_write_buffer_size()
    while unread != before:
        await doorway.ringing()
        before, unread = unread, wire.writer.transport.get_write_buffer_size()
    assert unread > 0
    doorway.released.set()
    await is_answered(wire, b"/slow 0")
    assert (await wire.answer()).status == 101
    assert [await wire.message() for _ in range(34)] == [("bad_message", 0)] * 32 + [REFUSED, CLOSED]


async def test_the_server_forgets_a_connection_that_became_a_socket(doorway: Doorway, wire: Wire) -> None:
    wire.say(UPGRADE + b"\r\n")
    assert (await wire.answer()).status == 101
    await doorway.until_alone()


async def test_an_upgrade_behind_a_last_request_is_not_answered(doorway: Doorway, wire: Wire) -> None:
    wire.say(SLOW[:-2] + b"Connection: close\r\n\r\n" + UPGRADE + b"\r\n" + AUTH)
    doorway.released.set()
    await is_answered(wire, b"/slow 0")
    assert await wire.closed()


# --- upgrades that do not


@pytest.mark.parametrize(
    "key",
    [b"", b"Sec-WebSocket-Key: \r\n", b"Sec-WebSocket-Key: x\r\n", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n"],
    ids=["none", "empty", "short", "cut"],
)
async def test_an_upgrade_without_a_proper_key_is_400(wire: Wire, key: bytes) -> None:
    wire.say(UPGRADE.replace(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", key) + b"\r\n")
    assert await wire.refusal() == (400, "bad_request")


@pytest.mark.parametrize("version", [b"", b"Sec-WebSocket-Version: 8\r\n", b"Sec-WebSocket-Version: 14\r\n"])
async def test_an_upgrade_of_another_version_is_answered_with_ours(wire: Wire, version: bytes) -> None:
    wire.say(UPGRADE.replace(b"Sec-WebSocket-Version: 13\r\n", version) + b"\r\n")
    answer = await wire.answer()
    assert (answer.status, answer.code, answer.headers["sec-websocket-version"]) == (426, "upgrade_required", "13")
    assert await wire.closed()


@pytest.mark.parametrize(
    "request_", [UPGRADE.replace(b"GET", b"POST"), UPGRADE.replace(b"HTTP/1.1", b"HTTP/1.0")], ids=["POST", "1.0"]
)
async def test_an_upgrade_that_is_no_get_is_400(wire: Wire, request_: bytes) -> None:
    wire.say(request_ + b"\r\n")
    assert await wire.refusal() == (400, "bad_request")


BODIES = {
    "a body": b"Content-Length: 39\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: captions\r\n\r\n",
    "half a body": b"Content-Length: 5\r\n\r\nabc",
    "chunks": b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("to", [b"websocket", b"h2c"])
@pytest.mark.parametrize("name", BODIES)
async def test_an_upgrade_with_a_body_is_400_and_the_body_is_not_taken_for_a_request(
    doorway: Doorway, wire: Wire, name: str, to: bytes
) -> None:
    wire.say(UPGRADE.replace(b"websocket", to) + BODIES[name])
    assert await wire.refusal() == (400, "bad_request")
    assert doorway.asked == []


@pytest.mark.parametrize("path", [b"/", b"/ws", b"/ws/transcribe/", b"/ws/transcribe%2f", b"/here", b"/WS/transcribe"])
async def test_an_upgrade_on_another_path_is_404(doorway: Doorway, wire: Wire, path: bytes) -> None:
    wire.say(UPGRADE.replace(b"/ws/transcribe", path) + b"\r\n" + AUTH)
    assert await wire.refusal() == (404, "not_found")
    assert doorway.asked == []


async def test_the_socket_without_an_upgrade_is_for_the_application_to_answer(doorway: Doorway, wire: Wire) -> None:
    wire.say(b"GET /ws/transcribe HTTP/1.1\r\nHost: captions\r\n\r\n")
    wire.say(UPGRADE.replace(b"Connection: Upgrade\r\n", b"") + b"\r\n")
    wire.say(UPGRADE.replace(b"Upgrade: websocket\r\n", b"") + b"\r\n")
    for _ in range(3):
        await is_answered(wire, b"/ws/transcribe 0")
    assert doorway.asked == ["/ws/transcribe"] * 3


async def test_an_upgrade_to_something_else_is_an_ordinary_request(wire: Wire) -> None:
    other = GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    wire.say(other)
    await is_answered(wire)
    wire.say(other * 2000 + UPGRADE + b"\r\n")
    for _ in range(2000):
        await is_answered(wire)
    await is_a_socket(wire)


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        (b"", "127.0.0.1"),
        (b"X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\n", "192.0.2.7"),  # the client itself wrote the first
        (b"X-Forwarded-For: 2001:db8::1, 127.0.0.2\r\n", "2001:db8::/64"),
        (b"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7"),
        (b"X-Forwarded-For: nonsense\r\n", "127.0.0.1"),
    ],
)
async def test_a_socket_counts_for_the_address_that_a_trusted_proxy_names(
    doorway: Doorway, forwarded: bytes, address: str
) -> None:
    wire = await doorway.open()
    wire.say(UPGRADE + forwarded + b"\r\n")
    assert (await wire.answer()).status == 101
    [listener] = doorway.switchboard.unauthenticated
    assert listener._address == address
    wire.writer.close()
    await doorway.until(lambda: not list(doorway.switchboard.unauthenticated))

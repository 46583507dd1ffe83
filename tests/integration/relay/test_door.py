"""The door and HTTP, byte by byte: heads that are too long or never end, connections that rest, and nonsense."""

import asyncio
import socket

import pytest

from tests.integration.relay.doorway import GET, KIB, POST, SLOW, UPGRADE, Doorway, Wire, is_a_socket, is_answered
from transcription_proxy.relay import door as module

pytestmark = pytest.mark.asyncio(loop_scope="module")


# --- heads that are too long


LONG = {
    "one header": GET + b"X-More: " + b"x" * 17 * KIB + b"\r\n\r\n",
    "many headers": GET + b"X-More: x\r\n" * 1700 + b"\r\n",
    "the url": b"GET /" + b"x" * 17 * KIB + b" HTTP/1.1\r\nHost: captions\r\n\r\n",
    "an upgrade": UPGRADE + b"X-More: " + b"x" * 17 * KIB + b"\r\n\r\n",
    "a head without end": GET + b"X-More: " + b"x" * 17 * KIB,
    "a header's name": GET + b"x" * 17 * KIB,
    "empty lines": b"\r\n" * 9 * KIB,
    "a megabyte": GET + b"X-More: " + b"x" * KIB * KIB + b"\r\n\r\n",
}


@pytest.mark.parametrize("name", LONG)
async def test_a_head_over_16_kib_is_431_in_one_packet(doorway: Doorway, wire: Wire, name: str) -> None:
    wire.say(LONG[name])
    assert await wire.refusal() == (431, "head_too_large")
    assert doorway.asked == []


@pytest.mark.parametrize("name", [name for name in LONG if name != "a megabyte"])
async def test_a_head_over_16_kib_is_431_in_many_packets(doorway: Doorway, wire: Wire, name: str) -> None:
    long = LONG[name]
    await wire.say_in_packets(*[long[begin : begin + KIB] for begin in range(0, len(long), KIB)])
    assert await wire.refusal() == (431, "head_too_large")
    assert doorway.asked == []


@pytest.mark.parametrize("packets", [1, 10])
async def test_heads_of_15_kib_are_read_each_by_itself(wire: Wire, packets: int) -> None:
    head = GET + b"X-More: " + b"x" * 15 * KIB + b"\r\n\r\n"
    size = len(head) // packets + 1
    for _ in range(3):
        await wire.say_in_packets(*[head[begin : begin + size] for begin in range(0, len(head), size)])
        await is_answered(wire)
    wire.say(head * 3)
    for _ in range(3):
        await is_answered(wire)


async def test_bodies_do_not_count(wire: Wire) -> None:
    post = POST + b"Content-Length: 60000\r\n\r\n"
    await wire.say_in_packets(post, b"x" * 30_000, b"x" * 30_000 + GET + b"\r\n" + post + b"x" * 60_000 + GET, b"\r\n")
    for body in (b"/there 60000", b"/here 0", b"/there 60000", b"/here 0"):
        await is_answered(wire, body)


async def test_a_body_that_comes_after_its_answer_does_not_count_either(wire: Wire) -> None:
    wire.say(b"POST /early HTTP/1.1\r\nHost: captions\r\nContent-Length: 60000\r\n\r\n")
    await is_answered(wire, b"/early 0")
    await wire.say_in_packets(*[b"x" * 10_000] * 6, GET + b"\r\n")
    await is_answered(wire)


# --- heads that never end


HALVES = {
    "nothing": b"",
    "a letter": b"G",
    "half a line": b"GET /he",
    "half a head": GET + b"X-More: ",
    "empty lines": b"\r\n\r\n",
    "half an upgrade": UPGRADE,
}


@pytest.mark.parametrize("name", HALVES)
async def test_half_a_head_is_408_in_the_end(doorway: Doorway, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(module, "HEAD_SECONDS", 0.2)
    wire = await doorway.open()
    wire.say(HALVES[name])
    assert await wire.refusal() == (408, "request_timeout")
    assert doorway.asked == []


@pytest.mark.parametrize("name", [name for name in HALVES if name != "nothing"])
async def test_half_a_head_after_an_answer_times_out(wire: Wire, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    wire.say(GET + b"\r\n")
    await is_answered(wire)
    monkeypatch.setattr(module, "HEAD_SECONDS", 0.2)
    wire.say(HALVES[name])
    assert await wire.refusal() == (408, "request_timeout")


@pytest.mark.parametrize(
    ("first", "drop"), [(GET + b"X-More: ", b"x"), (b"", b"\r\n")], ids=["a header", "empty lines"]
)
async def test_a_head_that_arrives_slowly_gets_no_more_time(
    doorway: Doorway, monkeypatch: pytest.MonkeyPatch, first: bytes, drop: bytes
) -> None:
    monkeypatch.setattr(module, "HEAD_SECONDS", 0.3)
    wire = await doorway.open()
    wire.say(first)

    async def dripping() -> None:
        while True:
            wire.say(drop)
            await asyncio.sleep(0.02)

    drops = asyncio.create_task(dripping())
    assert (await wire.answer()).status == 408
    drops.cancel()


async def test_an_answer_takes_the_time_it_needs(doorway: Doorway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_SECONDS", 1.0)
    wire = await doorway.open()
    wire.say(SLOW)
    await doorway.ringing()
    doorway.released.set()
    await is_answered(wire, b"/slow 0")


async def test_half_a_head_behind_a_request_does_not_get_into_its_answer(
    doorway: Doorway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEAD_SECONDS", 1.0)
    wire = await doorway.open()
    wire.say(SLOW + GET)
    await doorway.ringing()
    doorway.released.set()
    answer = await wire.answer()
    assert (answer.status, answer.body, answer.headers["connection"]) == (200, b"/slow 0", "close")
    assert await wire.closed()


async def test_a_client_may_leave_in_the_middle_of_anything(doorway: Doorway) -> None:
    wires = [await doorway.open() for _ in HALVES]
    for wire, half in zip(wires, HALVES.values(), strict=True):
        wire.say(half)
    for wire in wires:
        wire.writer.close()
    await doorway.until_alone()


async def test_what_comes_after_a_408_is_thrown_away(doorway: Doorway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_SECONDS", 0.2)
    wire = await doorway.open()
    wire.say(GET)
    assert await wire.refusal() == (408, "request_timeout")
    await wire.say_in_packets(b"\r\n", GET + b"\r\n")
    wire.writer.close()
    await doorway.until_alone()
    assert doorway.asked == []


async def test_who_stays_after_a_refusal_is_dropped(doorway: Doorway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER_SECONDS", 0.1)
    wire = await doorway.open()
    wire.say(b"hello\r\n\r\n")
    assert await wire.refusal() == (400, "bad_request")
    await doorway.until_alone()


# --- connections that rest


@pytest.fixture
def restless(doorway: Doorway, monkeypatch: pytest.MonkeyPatch) -> Doorway:
    """Connections may rest for half a second only, while heads take up to one."""
    monkeypatch.setattr(doorway.server.config, "timeout_keep_alive", 0.5)
    monkeypatch.setattr(module, "HEAD_SECONDS", 1.0)
    return doorway


async def test_a_connection_that_rests_after_an_answer_is_closed(restless: Doorway) -> None:
    wire = await restless.open()
    wire.say(GET + b"\r\n")
    await is_answered(wire)
    assert await wire.closed()


@pytest.mark.parametrize("behind", [True, False], ids=["with the request", "while it is answered"])
async def test_a_connection_on_which_the_next_head_arrives_is_not_idle(restless: Doorway, behind: bool) -> None:
    wire = await restless.open()
    await wire.say_in_packets(*([SLOW + GET] if behind else [SLOW, GET]))
    await restless.until(lambda: bool(restless.asked))
    restless.released.set()
    await is_answered(wire, b"/slow 0")
    assert await wire.refusal() == (408, "request_timeout")


async def test_a_connection_that_goes_on_after_its_answer_is_not_idle(restless: Doorway) -> None:
    wire = await restless.open()
    wire.say(SLOW)
    await restless.until(lambda: bool(restless.asked))
    restless.released.set()
    await is_answered(wire, b"/slow 0")
    wire.say(GET)
    assert await wire.refusal() == (408, "request_timeout")


async def test_a_socket_may_rest(restless: Doorway) -> None:
    plain, behind = await restless.open(), await restless.open()
    plain.say(UPGRADE + b"\r\n")
    behind.say(SLOW + UPGRADE + b"\r\n")
    await restless.until(lambda: bool(restless.asked))
    restless.released.set()
    await is_answered(behind, b"/slow 0")
    await restless.ringing()
    await is_a_socket(plain)
    await is_a_socket(behind)


# --- what is no HTTP


async def test_what_is_no_http_is_400_once(wire: Wire) -> None:
    await wire.say_in_packets(b"hello\r\n\r\n", GET + b"\r\n")
    assert await wire.refusal() == (400, "bad_request")


async def test_good_requests_before_a_bad_one_are_answered(doorway: Doorway, wire: Wire) -> None:
    wire.say(SLOW + SLOW + b"hello\r\n\r\n" + GET + b"\r\n")
    doorway.released.set()
    await is_answered(wire, b"/slow 0")
    await is_answered(wire, b"/slow 0")
    assert await wire.closed()
    assert doorway.asked == ["/slow", "/slow"]


@pytest.mark.parametrize("path", ["/there", "/unread"])
async def test_a_body_that_is_no_http_is_400_and_the_application_gets_no_more(
    doorway: Doorway, wire: Wire, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(module, "LINGER_SECONDS", 60.0)
    wire.say(POST.replace(b"/there", path.encode()) + b"Transfer-Encoding: chunked\r\n\r\n")
    await doorway.until(lambda: bool(doorway.asked))
    wire.say(b"hello\r\n")
    assert await wire.refusal() == (400, "bad_request")
    doorway.released.set()
    await doorway.until(lambda: doorway.answered == [path])  # what it says falls on deaf ears


# --- who is not there any more


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux has it")
async def test_who_acknowledges_nothing_for_a_minute_is_gone(doorway: Doorway, wire: Wire) -> None:
    await doorway.until(lambda: bool(doorway.server.server_state.connections))
    [connection] = doorway.server.server_state.connections
    raw = connection.transport.get_extra_info("socket")
    assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000

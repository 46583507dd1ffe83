"""The bounds of the door: each phase of a request in bytes and time, requests that wait, and connections that rest."""

import asyncio
import logging
import socket
import time

import pytest

from tests.integration.relay.doorway import (
    AUTH,
    CLOSED,
    GET,
    KIB,
    POST,
    REFUSED,
    SLOW,
    UPGRADE,
    Doorway,
    Wire,
    frame,
    is_answered,
)
from transcription_proxy.relay import door as module
from transcription_proxy.relay.request_head import MAX_HEAD_BYTES

pytestmark = pytest.mark.asyncio(loop_scope="module")
MOST_UNPARSED = 256 * KIB
"""Bytes: what uvloop reads at once."""
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
EARLY = POST.replace(b"there", b"early") + CHUNKED
BEGUN = POST.replace(b"there", b"begun") + CHUNKED
UNREAD = POST.replace(b"there", b"unread") + CHUNKED


# --- what stands around a body


ENDLESS = {
    "a trailer": b"3\r\nabc\r\n0\r\nX-More: " + b"x" * 64 * KIB,
    "a trailer's name": b"0\r\n" + b"x" * 64 * KIB,
    "trailers": b"0\r\n" + b"X-More: xxxxxxxxxxxxxxxxxxxxxx\r\n" * 2 * KIB,
    "a chunk's extension": b"3;x=" + b"x" * 64 * KIB,
}


@pytest.mark.parametrize("name", ENDLESS)
@pytest.mark.parametrize("packet", [64 * KIB, KIB])
async def test_what_stands_around_a_body_is_bounded(doorway: Doorway, wire: Wire, name: str, packet: int) -> None:
    wire.say(POST + CHUNKED)
    await doorway.until(lambda: bool(doorway.asked))
    await wire.say_in_packets(*pieces(ENDLESS[name], packet))
    assert await wire.refusal() == (431, "head_too_large")


@pytest.mark.parametrize("name", ENDLESS)
async def test_behind_an_answer_too(doorway: Doorway, wire: Wire, name: str) -> None:
    wire.say(EARLY)
    await is_answered(wire, b"/early 0")
    await wire.say_in_packets(*pieces(ENDLESS[name], 8 * KIB))
    assert await wire.closed()


async def test_the_parser_never_gathers_more_than_a_head(doorway: Doorway, wire: Wire) -> None:
    """Counted where the library hands it over, for it joins the pieces of a header one by one."""
    wire.say(POST + CHUNKED)
    connection = await doorway.connection(wire)
    wire.say(ENDLESS["a trailer"])
    assert (await wire.answer()).status == 431
    assert connection._framing_bytes <= MAX_HEAD_BYTES + module.SLICE_BYTES


async def test_trailers_are_left_out(doorway: Doorway, wire: Wire) -> None:
    wire.say(POST + CHUNKED + b"3;x=y\r\nabc\r\n0\r\nX-Trailer: x\r\nAuthorization: Bearer x\r\n\r\n")
    await is_answered(wire, b"/there 3")
    assert [name for name, _ in doorway.headers] == [b"host", b"transfer-encoding"]
    wire.say(GET + b"\r\n")
    await is_answered(wire)


# --- bodies


@pytest.mark.parametrize("head", [POST + CHUNKED, UNREAD], ids=["read", "unread"])
async def test_a_body_that_drips_is_408(
    doorway: Doorway, wire: Wire, monkeypatch: pytest.MonkeyPatch, head: bytes
) -> None:
    monkeypatch.setattr(module, "BODY_SECONDS", 0.2)
    wire.say(head)
    dripping = asyncio.create_task(drip(wire, b"1\r\nx\r\n"))
    assert (await wire.answer()).status == 408
    dripping.cancel()


@pytest.mark.parametrize("drop", [b"1\r\nx\r\n", b"1;", b"0"], ids=["chunks", "an extension", "a size"])
async def test_a_connection_that_sends_slowly_after_its_answer_is_closed(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, drop: bytes
) -> None:
    monkeypatch.setattr(module, "BODY_SECONDS", 0.2)
    wire.say(EARLY)
    await is_answered(wire, b"/early 0")
    dripping = asyncio.create_task(drip(wire, drop))
    assert await wire.closed()
    dripping.cancel()


async def test_a_body_without_end_is_413(doorway: Doorway, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REQUEST_BYTES", 100 * KIB)
    wire.say(POST + CHUNKED + b"1000\r\n" + b"x" * 4 * KIB + b"\r\n")
    await doorway.until(lambda: bool(doorway.asked))
    wire.say((b"1000\r\n" + b"x" * 4 * KIB + b"\r\n") * 50)
    assert await wire.refusal() == (413, "too_large")


async def test_one_behind_its_answer_is_closed(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REQUEST_BYTES", 100 * KIB)
    wire.say(EARLY)
    await is_answered(wire, b"/early 0")
    wire.say((b"1000\r\n" + b"x" * 4 * KIB + b"\r\n") * 50)
    assert await wire.closed()


async def test_no_error_is_sent_in_the_middle_of_an_answer(doorway: Doorway, wire: Wire) -> None:
    wire.say(BEGUN)
    head = await wire.reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in head
    wire.say(b"hello\r\n")
    assert await wire.closed()
    doorway.released.set()
    await doorway.until(lambda: doorway.answered == ["/begun"])


async def test_a_bad_request_is_answered_after_the_requests_before_it(doorway: Doorway, wire: Wire) -> None:
    wire.say(SLOW + SLOW + POST + CHUNKED + b"hello\r\n")
    await doorway.until(lambda: bool(doorway.asked))
    doorway.released.set()
    await is_answered(wire, b"/slow 0")
    await is_answered(wire, b"/slow 0")
    assert await wire.refusal() == (400, "bad_request")
    assert doorway.asked == ["/slow", "/slow"]


async def test_a_body_that_waits_with_its_request_has_its_time_afterwards(
    doorway: Doorway, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire.say(SLOW.replace(b"slow", b"unread") + POST + b"Content-Length: 6\r\n\r\nabc")
    await doorway.until(lambda: bool(doorway.asked))
    monkeypatch.setattr(module, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr(module, "BODY_SECONDS", 0.1)
    connection = await doorway.connection(wire)
    connection._start_timer()
    await doorway.ringing()
    doorway.released.set()
    wire.say(b"def")
    await is_answered(wire, b"/unread 0")
    await is_answered(wire, b"/there 6")


# --- requests that wait


SHORTEST = b"GET / HTTP/1.1\r\nHost:\r\n\r\n"


async def test_no_more_is_read_while_a_few_requests_wait(doorway: Doorway, wire: Wire) -> None:
    count = 12_000
    wire.say(SLOW + SHORTEST * count)
    connection = await doorway.connection(wire)
    await doorway.until(lambda: connection.flow.read_paused and bool(connection._unparsed))
    assert len(connection.pipeline) <= module.SLICE_BYTES // len(SHORTEST) + 1
    assert len(connection._unparsed) <= MOST_UNPARSED
    assert not connection.transport.is_reading()
    doorway.released.set()
    await is_answered(wire, b"/slow 0")
    for _ in range(count):
        assert len(connection.pipeline) <= module.SLICE_BYTES // len(SHORTEST) + 1
        assert len(connection._unparsed) <= MOST_UNPARSED
        await is_answered(wire, b"/ 0")
    assert not connection._unparsed


async def test_a_client_that_never_reads_is_not_read(doorway: Doorway, wire: Wire) -> None:
    wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
    connection = await doorway.connection(wire)
    connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    wire.say(SHORTEST * 500_000)
    await doorway.until(lambda: connection.flow.write_paused and bool(connection._unparsed))
    assert wire.writer.transport.get_write_buffer_size() > 0
    assert len(connection._unparsed) <= MOST_UNPARSED
    assert connection.transport.get_write_buffer_size() < 128 * KIB
    wire.writer.transport.abort()
    await doorway.until_alone()


async def test_frames_behind_requests_and_an_upgrade_do_not_gather(doorway: Doorway, wire: Wire) -> None:
    """Nor do they when one request after the other is answered: each of them used to let some in."""
    wire.say(SHORTEST * 200 + SLOW + UPGRADE + b"\r\n" + frame(2, bytes(KIB * KIB)) * 32 + AUTH)
    for _ in range(200):
        await is_answered(wire, b"/ 0")
    connection = await doorway.connection(wire)
    await doorway.until(lambda: doorway.asked[-1] == "/slow" and bool(connection._unparsed))
    assert len(connection._unparsed) <= MOST_UNPARSED
    assert not connection.transport.is_reading()
    assert wire.writer.transport.get_write_buffer_size() > 0
    doorway.released.set()
    await is_answered(wire, b"/slow 0")
    assert (await wire.answer()).status == 101
    assert [await wire.message() for _ in range(34)] == [("bad_message", 0)] * 32 + [REFUSED, CLOSED]


async def test_what_follows_a_last_request_is_no_request(doorway: Doorway, wire: Wire) -> None:
    wire.say(SLOW[:-2] + b"Connection: close\r\n\r\n")
    await doorway.until(lambda: bool(doorway.asked))
    wire.say((GET + b"\r\n") * 1000)
    connection = await doorway.connection(wire)
    await doorway.until(lambda: bool(connection._unparsed))
    assert not connection.transport.is_reading()
    doorway.released.set()
    await is_answered(wire, b"/slow 0")
    assert doorway.asked == ["/slow"]


# --- clients that leave


@pytest.mark.parametrize("behind", [b"", SLOW * 3, POST + b"Content-Length: 5\r\n\r\nab", UPGRADE + b"\r\n"])
async def test_a_client_may_leave_while_it_is_answered(
    doorway: Doorway, wire: Wire, caplog: pytest.LogCaptureFixture, behind: bytes
) -> None:
    wire.say(SLOW + behind)
    await doorway.until(lambda: bool(doorway.asked))
    connection = await doorway.connection(wire)
    connection.flow.release()  # what is not read cannot be seen to leave
    wire.writer.transport.abort()
    await doorway.until_alone()
    doorway.released.set()
    await doorway.until(lambda: doorway.answered == ["/slow"])
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


# --- connections that rest


async def test_a_request_that_comes_as_the_time_is_up_is_answered(
    doorway: Doorway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are there when the loop looks: the timer has rung, and the request has arrived."""
    monkeypatch.setattr(doorway.server.config, "timeout_keep_alive", 0.2)
    with socket.create_connection(("127.0.0.1", doorway.port)) as client:
        answer = client.makefile("rb")
        for late in (0, 0.3):
            client.sendall(SHORTEST)
            time.sleep(late)  # noqa: ASYNC251 - the loop is to be late
            lines = [await asyncio.to_thread(answer.readline) for _ in range(4)]
            assert lines[0] == b"HTTP/1.1 200 OK\r\n"
            assert await asyncio.to_thread(answer.read, 3) == b"/ 0"
        assert await asyncio.to_thread(answer.read) == b""


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[begin : begin + size] for begin in range(0, len(data), size)]


async def drip(wire: Wire, drop: bytes) -> None:
    while True:
        wire.say(drop)
        await asyncio.sleep(0.02)

"""Frames by RFC 6455, on a socket that has not authenticated: what breaks a rule is told, closed, and not read."""

import logging
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.integration.relay.doorway import AUTH, CLOSED, NONSENSE, REFUSED, UPGRADE, Doorway, Wire, frame

pytestmark = pytest.mark.asyncio(loop_scope="module")
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FIN, RSV1, RSV2, RSV3 = 0x80, 0x40, 0x20, 0x10


@pytest_asyncio.fixture(loop_scope="module")
async def socket(doorway: Doorway) -> AsyncIterator[Wire]:
    wire = await doorway.open()
    wire.say(UPGRADE + b"\r\n")
    assert (await wire.answer()).status == 101
    yield wire


def close(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, code.to_bytes(2) + reason)


TOLD = {
    **{
        f"reserved bit {bit:#x} of opcode {opcode}": (frame(opcode, b"x", FIN | bit), 1002)
        for bit in (RSV1, RSV2, RSV3)
        for opcode in (TEXT, BINARY, PING, PONG)
    },
    "a reserved bit of a continuation": (frame(TEXT, b"x", 0) + frame(CONTINUATION, b"x", FIN | RSV2), 1002),
    "all reserved bits": (frame(BINARY, b"", FIN | RSV1 | RSV2 | RSV3), 1002),
    "a lone continuation": (frame(CONTINUATION, b"x"), 1002),
    "a lone continuation without end": (frame(CONTINUATION, b"x", 0), 1002),
    "a continuation after a whole message": (NONSENSE + frame(CONTINUATION, b"x"), 1002),
    "a message within another": (frame(TEXT, b"x", 0) + frame(TEXT, b"x"), 1002),
    "audio within a text": (frame(TEXT, b"x", 0) + frame(BINARY, b"x"), 1002),
    "text that is not UTF-8": (frame(TEXT, b"\xff"), 1007),
    "text that is not UTF-8 as a whole": (frame(TEXT, b"\xe2\x82", 0) + frame(CONTINUATION, b"\x82\x82"), 1007),
    "half a surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
}
"""Frames that come to the listener, and the close code."""


@pytest.mark.parametrize("name", TOLD)
async def test_a_frame_that_breaks_a_rule_is_answered_and_the_socket_closed(
    doorway: Doorway, socket: Wire, name: str
) -> None:
    frames, code = TOLD[name]
    socket.say(frames + AUTH)
    found = [await socket.message()]
    if frames.startswith(NONSENSE):
        found = [await socket.message()]
    assert [*found, await socket.message()] == [("bad_message", 0), ("close", code)]
    socket.say(close(code))
    assert await socket.closed()


CLOSED_AT_ONCE = {
    **{f"opcode {opcode}": frame(opcode, b"x") for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "no mask": b"\x81\x02{}",
    "half a ping": frame(PING, b"x", 0),
    "half a close": frame(CLOSE, b"", 0),
    "a long ping": frame(PING, b"x" * 126),
    "a long close": close(1000, b"x" * 124),
    "a length in too many bytes": b"\x82\xfe\x00\x05" + bytes(9),
    "a negative length": b"\x82\xff\x80" + bytes(7) + bytes(4),
    "a close of one byte": frame(CLOSE, b"x"),
}
"""Frames that picows refuses by itself."""


@pytest.mark.parametrize("name", CLOSED_AT_ONCE)
async def test_bytes_that_are_no_frame_are_1002_and_are_not_logged_as_an_error(
    socket: Wire, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    socket.say(CLOSED_AT_ONCE[name] + AUTH)
    assert await socket.message() == ("close", 1002)
    assert await socket.closed()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1009, 3000, 4999])
async def test_a_close_is_answered_with_its_own_code(socket: Wire, code: int) -> None:
    socket.say(close(code, b"bye"))
    assert await socket.message() == ("close", code)
    assert await socket.closed()


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535])
async def test_a_forbidden_close_code_is_answered_with_1002(socket: Wire, code: int) -> None:
    socket.say(close(code))
    assert await socket.message() == ("close", 1002)
    assert await socket.closed()


async def test_a_close_without_a_code_is_1000(socket: Wire) -> None:
    socket.say(frame(CLOSE, b""))
    assert await socket.message() == ("close", 1000)


async def test_a_reason_that_is_not_utf_8_is_1007(socket: Wire) -> None:
    socket.say(close(1000, b"\xff"))
    assert await socket.message() == ("close", 1007)


async def test_a_reserved_bit_of_a_close_is_1002(socket: Wire) -> None:
    socket.say(frame(CLOSE, b"", FIN | RSV3))
    assert await socket.message() == ("close", 1002)


async def test_nothing_counts_behind_a_close(doorway: Doorway, socket: Wire) -> None:
    socket.say(close(1000) + NONSENSE + frame(PING, b"x") + AUTH)
    assert await socket.message() == ("close", 1000)
    assert await socket.closed()


async def test_pings_are_answered_between_fragments(socket: Wire) -> None:
    socket.say(frame(TEXT, AUTH[6:20], 0) + frame(PING, b"ping") + frame(PONG, b"") + frame(CONTINUATION, AUTH[20:]))
    assert await socket.frame() == (FIN | PONG, b"ping")
    assert [await socket.message(), await socket.message()] == [REFUSED, CLOSED]


async def test_pongs_do_not_pile_up_for_a_client_that_does_not_read(doorway: Doorway) -> None:
    wire = await doorway.open()
    wire.say(UPGRADE + b"\r\n")
    assert (await wire.answer()).status == 101
    [listener] = doorway.switchboard.unauthenticated
    listener.pause_writing()
    wire.say(frame(PING, b"x" * 125) * 1000)
    wire.say(NONSENSE)
    assert await wire.message() == ("bad_message", 0)

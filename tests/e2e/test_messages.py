"""Invalid, misplaced and oversized messages."""

import json

import pytest

from tests.e2e.checks import check_receipt
from tests.e2e.client import Captions, sound
from tests.e2e.service import Service
from tests.e2e.upstream import WORD, Upstream

NONE = [
    "",
    "no message",
    "null",
    "5",
    "[]",
    '"stop"',
    "{}",
    '{"type":null}',
    '{"type":"STOP"}',
    '{"type":"CloseStream"}',
    '{"type":"unheard-of"}',
    '{"type":["stop"]}',
    '{"type":"stop"',
    '{"type":"stop"}}',
    "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    "[" * 100_000,
    '{"a":' * 50_000,
    '{"type":"' + WORD + '"}',
]


async def answered(captions: Captions, count: int) -> None:
    await captions.until(lambda: len(captions.of("error")) >= count)
    assert captions.errors() == ["bad_message"] * count


async def test_an_invalid_message_is_answered_and_the_session_continues(service: Service, upstream: Upstream) -> None:
    user = await service.user(3600)
    captions = await service.captions(user)
    await captions.ready()
    await captions.send(sound(1))
    for number, text in enumerate(NONE, start=1):
        await captions.socket.send(text)
        await answered(captions, number)
    await captions.auth(user.token)
    await answered(captions, len(NONE) + 1)
    await captions.send(sound(1, seed=1))
    end = await captions.stop()
    assert (end["seconds_used"], end["reason"]) == (2, "client_stop")
    assert bytes(upstream.heard(captions).audio) == sound(1) + sound(1, seed=1)
    assert upstream.heard(captions).types() == ["CloseStream"]
    assert not any(WORD in error["message"] for error in captions.of("error"))


async def test_invalid_messages_before_auth_are_answered_too(service: Service, upstream: Upstream) -> None:
    user = await service.user()
    captions = await service.dial()
    misplaced: list[str | bytes] = [
        sound(0.1),
        *(json.dumps({"type": kind}) for kind in ("keepalive", "finalize", "stop")),
        *NONE,
    ]
    for number, message in enumerate(misplaced, start=1):
        await captions.socket.send(message)
        await answered(captions, number)
    await captions.auth(user.token)
    await captions.ready()
    await captions.send(sound(1, seed=2))
    assert (await captions.stop())["reason"] == "client_stop"
    assert bytes(upstream.heard(captions).audio) == sound(1, seed=2)


async def test_the_hundredth_invalid_message_ends_a_session(service: Service) -> None:
    user = await service.user(3600)
    captions = await service.captions(user)
    await captions.ready()
    await captions.send(sound(3))
    for _ in range(99):
        await captions.socket.send("no message")
    await captions.until(lambda: len(captions.errors()) == 99)
    assert captions.close_code is None
    await captions.socket.send("no message")
    row = await check_receipt(service, user, captions, 3600)
    assert captions.close_code == 1008
    assert (row["reason"], row["status"], row["seconds_used"]) == ("bad_messages", "terminated", 3)


async def test_the_hundredth_invalid_message_before_auth_closes_too(service: Service) -> None:
    captions = await service.dial()
    for _ in range(100):
        await captions.socket.send("no message")
    assert await captions.closed() == 1008
    assert set(captions.errors()) == {"bad_message"}
    assert captions.of("session_end") == []


TOO_BIG = 2**20 + 2


@pytest.mark.parametrize("pieces", [1, 2, 1000])
async def test_a_message_over_a_mebibyte_closes_the_socket(service: Service, upstream: Upstream, pieces: int) -> None:
    user = await service.user(3600)
    captions = await service.captions(user)
    await captions.ready()
    await captions.send(sound(1))
    audio = bytes(TOO_BIG)
    step = -(-TOO_BIG // pieces)
    await captions.socket.send([audio[begin : begin + step] for begin in range(0, TOO_BIG, step)])
    row = await check_receipt(service, user, captions, 3600)
    assert (captions.errors(), captions.close_code) == (["message_too_big"], 1009)
    assert (row["reason"], row["status"]) == ("bad_messages", "terminated")


@pytest.mark.parametrize("pieces", [1, 3])
async def test_long_text_and_early_audio_are_bounded(service: Service, pieces: int) -> None:
    step = -(-TOO_BIG // pieces)
    text = ["x" * step] * pieces
    early = await service.dial()
    await early.socket.send(text)
    assert await early.closed() == 1009
    assert early.errors() == ["message_too_big"]
    captions = await service.captions(await service.user())
    await captions.ready()
    await captions.socket.send(text)
    assert (await captions.end())["reason"] == "bad_messages"
    assert (captions.errors(), captions.close_code) == (["message_too_big"], 1009)


async def test_audio_in_another_format_is_reported_and_the_session_continues(service: Service) -> None:
    captions = await service.captions(await service.user())
    await captions.ready()
    await captions.send(b"\x1aE\xdf\xa3" + sound(1))
    await captions.say("keepalive", answer=True)
    await captions.first("alive")
    assert (await captions.first("warning"))["code"] == "not_raw_audio"
    assert (await captions.stop())["reason"] == "client_stop"


def raw(first: int, data: bytes) -> bytes:
    """Return a client's frame with this first byte and data masked with zeros."""
    assert 126 <= len(data) < 1 << 16
    return bytes([first, 0x80 | 126]) + len(data).to_bytes(2) + bytes(4) + data


TEXT, BINARY, CONTINUATION, FIN = 0x81, 0x82, 0x80, 0x80
FORBIDDEN = {
    "a reserved bit": (raw(BINARY | 0x40, sound(1)), 1002),
    "a reserved bit of a ping": (b"\x99\x80" + bytes(4), 1002),
    "a lone continuation": (raw(CONTINUATION, sound(1)), 1002),
    "audio within a message": (raw(BINARY & ~FIN, sound(1)) + raw(BINARY, sound(1)), 1002),
    "text that is not UTF-8": (raw(TEXT, b'{"type":"finalize","\xff":1}' + b" " * 200), 1007),
}


@pytest.mark.parametrize("name", FORBIDDEN)
async def test_frames_that_the_protocol_forbids_end_the_session_and_are_not_billed(
    service: Service, upstream: Upstream, name: str
) -> None:
    frames, code = FORBIDDEN[name]
    user = await service.user(3600)
    captions = await service.captions(user)
    await captions.ready()
    await captions.send(sound(2))
    captions.socket.transport.write(frames + raw(BINARY, sound(1)))
    row = await check_receipt(service, user, captions, 3600)
    assert (captions.errors(), captions.close_code) == (["bad_message"], code)
    assert (row["reason"], row["status"], row["seconds_used"]) == ("bad_messages", "terminated", 2)
    assert bytes(upstream.heard(captions).audio) == sound(2)


async def test_invalid_frames_end_the_session(service: Service, upstream: Upstream) -> None:
    user = await service.user(3600)
    captions = await service.captions(user)
    session_id = await captions.ready()
    await captions.send(sound(2))
    captions.socket.transport.write(b"\x83\x80" + bytes(4) + raw(BINARY, sound(1)))
    assert await captions.closed() == 1002
    row = await service.session(user, session_id)
    assert (row["reason"], row["status"], row["seconds_used"]) == ("bad_messages", "terminated", 2)
    assert bytes(upstream.heard(captions).audio) == sound(2)

"""The overlay's socket, frame by frame: its key, what it shows, and how it ends."""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.relay.doorway import UPGRADE, Doorway, Keys, Wire, frame, text
from transcription_proxy.overlay import overlay_socket as module
from transcription_proxy.overlay.messages import Clear, Line
from transcription_proxy.overlay.store import Overlay
from transcription_proxy.relay import server_socket

pytestmark = pytest.mark.asyncio(loop_scope="module")
AUTH = text({"type": "auth", "key": "ours"})
HEARTBEAT = {"event": "heartbeat"}
LINE = Line("s", 1.5, "Hello", True)


class Page:
    """A page that has connected, and the messages it is sent."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    @classmethod
    async def open(cls, doorway: Doorway, *sends: bytes) -> "Page":
        wire = await doorway.open()
        wire.say(UPGRADE.replace(b"transcribe", b"overlay") + b"\r\n" + b"".join(sends))
        assert (await wire.answer()).status == 101
        return cls(wire)

    async def next(self) -> Any:
        """Return the next message, or the close code."""
        opcode, payload = await self.wire.frame()
        return int.from_bytes(payload[:2]) if opcode == 0x88 else json.loads(payload)

    async def refused(self) -> tuple[str, int]:
        """Return the code of the error, and the close code that follows."""
        failed = await self.next()
        assert failed["event"] == "error"
        assert set(failed["error"]) == {"code", "message"}
        return failed["error"]["code"], await self.next()


@pytest.fixture
def keys(doorway: Doorway) -> Keys:
    doorway.keys.known["ours"] = Overlay(uuid4(), "ours", 1)
    return doorway.keys


def show(doorway: Doorway, keys: Keys, *shown: Line | Clear) -> None:
    for each in shown:
        doorway.feeds.feed(keys.known["ours"].user_id).show(each)


async def test_lines_and_ends_are_sent_at_once(doorway: Doorway, keys: Keys) -> None:
    page = await Page.open(doorway, AUTH)
    assert await page.next() == HEARTBEAT
    show(doorway, keys, LINE, Clear("s"))
    assert await page.next() == {"event": "line", "session": "s", "start": 1.5, "text": "Hello", "is_final": True}
    assert await page.next() == {"event": "clear", "session": "s"}
    show(doorway, keys, Line("s", 2.0, "Zwei", False, channel=1))
    assert (await page.next())["channel"] == 1


async def test_heartbeats_are_sent_during_silence(
    doorway: Doorway, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.05)
    page = await Page.open(doorway, AUTH)
    for _ in range(3):
        assert await page.next() == HEARTBEAT


async def test_a_closed_page_is_unsubscribed(doorway: Doorway, keys: Keys) -> None:
    feed = doorway.feeds.feed(keys.known["ours"].user_id)
    page = await Page.open(doorway, AUTH)
    assert await page.next() == HEARTBEAT
    assert (feed.is_watched, len(doorway.switchboard.sockets)) == (True, 1)
    page.wire.writer.transport.abort()
    await doorway.until(lambda: not feed.is_watched and not doorway.switchboard.sockets)


@pytest.mark.parametrize(
    "sends",
    [
        text({"type": "auth"}),
        text({"type": "auth", "key": 1}),
        text({"type": "stop"}),
        text("ours"),
        frame(1, b"{"),
        frame(2, b"\xff"),
    ],
)
async def test_a_first_message_without_a_key_is_refused(doorway: Doorway, keys: Keys, sends: bytes) -> None:
    page = await Page.open(doorway, sends + AUTH)
    assert await page.refused() == ("bad_message", 1008)


async def test_an_unknown_key_is_gone(doorway: Doorway, keys: Keys) -> None:
    page = await Page.open(doorway, text({"type": "auth", "key": "theirs"}))
    assert await page.refused() == ("overlay_gone", 4410)


async def test_a_renewed_key_is_gone_and_nothing_more_is_shown(doorway: Doorway, keys: Keys) -> None:
    page = await Page.open(doorway, AUTH)
    assert await page.next() == HEARTBEAT
    user = keys.known["ours"].user_id
    show(doorway, keys, LINE)
    keys.known.clear()
    doorway.feeds._end_outdated(user, 2)
    assert await page.refused() == ("overlay_gone", 4410)


async def test_while_the_database_is_away_the_service_is_unavailable(doorway: Doorway, keys: Keys) -> None:
    keys.away = True
    page = await Page.open(doorway, AUTH)
    assert await page.refused() == ("service_unavailable", 1013)


async def test_one_page_too_many_is_refused(doorway: Doorway, keys: Keys) -> None:
    first = await Page.open(doorway, AUTH)
    assert await first.next() == HEARTBEAT
    doorway.seats.is_full = True
    page = await Page.open(doorway, AUTH)
    assert await page.refused() == ("too_many_watchers", 4429)


async def test_a_page_that_sends_nothing_is_closed(
    doorway: Doorway, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_socket, "AUTH_SECONDS", 0.1)
    page = await Page.open(doorway)
    assert await page.refused() == ("auth_timeout", 4408)


async def test_later_messages_are_ignored_but_must_be_valid_frames(doorway: Doorway, keys: Keys) -> None:
    page = await Page.open(doorway, AUTH + text("more") + AUTH)
    assert await page.next() == HEARTBEAT
    page.wire.say(frame(2, b"x", 0xC0))
    assert await page.refused() == ("bad_message", 1002)


async def test_a_large_message_is_refused(doorway: Doorway, keys: Keys) -> None:
    page = await Page.open(doorway, frame(1, b"x" * 5000))
    assert await page.next() == 1009


async def test_a_page_that_does_not_read_is_disconnected(
    doorway: Doorway, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_STALL_SECONDS", 0.1)
    page = await Page.open(doorway, AUTH)
    assert await page.next() == HEARTBEAT
    [listener] = doorway.switchboard.sockets
    listener.pause_writing()  # type: ignore[attr-defined]
    show(doorway, keys, LINE)
    await doorway.until(lambda: not doorway.switchboard.sockets)


async def test_a_shutdown_refuses_new_pages_and_keeps_open_ones(doorway: Doorway, keys: Keys) -> None:
    page, newcomer = await Page.open(doorway, AUTH), await Page.open(doorway)
    assert await page.next() == HEARTBEAT
    for socket in list(doorway.switchboard.sockets):
        socket.shutdown()
    assert await newcomer.refused() == ("service_unavailable", 1013)
    show(doorway, keys, LINE)
    assert (await page.next())["text"] == "Hello"


async def test_an_ended_page_gets_what_is_pending(doorway: Doorway, keys: Keys) -> None:
    page = await Page.open(doorway, AUTH)
    assert await page.next() == HEARTBEAT
    show(doorway, keys, LINE)
    (subscription,) = doorway.feeds.feed(keys.known["ours"].user_id).subscriptions
    subscription.end()
    assert (await page.next())["text"] == "Hello"
    assert await page.next() == module.SERVICE_RESTART


async def test_an_exception_is_reported_as_internal(
    doorway: Doorway, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_key: str) -> None:
        raise ValueError

    monkeypatch.setattr(keys, "by_key", fails)
    page = await Page.open(doorway, AUTH)
    assert await page.refused() == ("internal", 1011)

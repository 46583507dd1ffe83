"""The overlay's socket, frame by frame: its key, what it shows, and how it ends."""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.relay.doorway import UPGRADE, Doorway, Keys, Watched, Wire, frame, text
from transcription_proxy.overlay import overlay_socket as module
from transcription_proxy.overlay.feeds import MOST_WATCHERS
from transcription_proxy.overlay.messages import Clear, Line
from transcription_proxy.relay import server_socket

pytestmark = pytest.mark.asyncio(loop_scope="module")
AUTH = text({"type": "auth", "key": "ours"})
HEARTBEAT = {"event": "heartbeat"}
LINE = Line("s", 1.5, "Hello", True)


class Page:
    """A page that has connected, and what it is sent."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    @classmethod
    async def open(cls, doorway: Doorway, *says: bytes) -> "Page":
        wire = await doorway.open()
        wire.say(UPGRADE.replace(b"transcribe", b"overlay") + b"\r\n" + b"".join(says))
        assert (await wire.answer()).status == 101
        return cls(wire)

    async def next(self) -> Any:
        """The next message, or the code of the close."""
        opcode, payload = await self.wire.frame()
        return int.from_bytes(payload[:2]) if opcode == 0x88 else json.loads(payload)

    async def refused(self) -> tuple[str, int]:
        """The code of the error, and of the close that follows."""
        failed = await self.next()
        assert failed["event"] == "error"
        assert set(failed["error"]) == {"code", "message"}
        return failed["error"]["code"], await self.next()


@pytest.fixture
def keys(doorway: Doorway) -> Keys:
    doorway.keys.known["ours"] = Watched(uuid4())
    return doorway.keys


def show(doorway: Doorway, keys: Keys, *shown: Line | Clear) -> None:
    for each in shown:
        doorway.stages.feed(keys.known["ours"].user_id).show(each)


async def test_what_is_shown_comes_as_it_is_shown(doorway: Doorway, keys: Keys) -> None:
    page = await Page.open(doorway, AUTH)
    assert await page.next() == HEARTBEAT
    show(doorway, keys, LINE, Clear("s"))
    assert await page.next() == {"event": "line", "session": "s", "start": 1.5, "text": "Hello", "is_final": True}
    assert await page.next() == {"event": "clear", "session": "s"}
    show(doorway, keys, Line("s", 2.0, "Zwei", False, channel=1))
    assert (await page.next())["channel"] == 1


async def test_silence_has_heartbeats(doorway: Doorway, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.05)
    page = await Page.open(doorway, AUTH)
    for _ in range(3):
        assert await page.next() == HEARTBEAT


async def test_a_page_that_leaves_watches_no_more(doorway: Doorway, keys: Keys) -> None:
    stage = doorway.stages.feed(keys.known["ours"].user_id)
    page = await Page.open(doorway, AUTH)
    assert await page.next() == HEARTBEAT
    assert (stage.is_watched, len(doorway.switchboard.sockets)) == (True, 1)
    page.wire.writer.transport.abort()
    await doorway.until(lambda: not stage.is_watched and not doorway.switchboard.sockets)


@pytest.mark.parametrize(
    "says",
    [
        text({"type": "auth"}),
        text({"type": "auth", "key": 1}),
        text({"type": "stop"}),
        text("ours"),
        frame(1, b"{"),
        frame(2, b"\xff"),
    ],
)
async def test_the_first_message_is_the_key(doorway: Doorway, keys: Keys, says: bytes) -> None:
    page = await Page.open(doorway, says + AUTH)
    assert await page.refused() == ("bad_message", 1008)


async def test_a_key_that_is_none_is_gone(doorway: Doorway, keys: Keys) -> None:
    page = await Page.open(doorway, text({"type": "auth", "key": "theirs"}))
    assert await page.refused() == ("overlay_gone", 4410)


async def test_a_key_that_is_renewed_is_gone_and_nothing_more_is_shown(doorway: Doorway, keys: Keys) -> None:
    page = await Page.open(doorway, AUTH)
    assert await page.next() == HEARTBEAT
    user = keys.known["ours"].user_id
    show(doorway, keys, LINE)
    keys.known.clear()
    doorway.stages._drop(user, 2)
    assert await page.refused() == ("overlay_gone", 4410)


async def test_while_the_database_is_away_a_page_is_to_come_back(doorway: Doorway, keys: Keys) -> None:
    keys.away = True
    page = await Page.open(doorway, AUTH)
    assert await page.refused() == ("service_unavailable", 1013)


async def test_one_page_too_many_is_told_so(doorway: Doorway, keys: Keys) -> None:
    pages = [await Page.open(doorway, AUTH) for _ in range(MOST_WATCHERS)]
    assert [await page.next() for page in pages] == [HEARTBEAT] * MOST_WATCHERS
    page = await Page.open(doorway, AUTH)
    assert await page.refused() == ("too_many_watchers", 4429)


async def test_who_says_nothing_is_closed(doorway: Doorway, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_socket, "AUTH_SECONDS", 0.1)
    page = await Page.open(doorway)
    assert await page.refused() == ("auth_timeout", 4408)


async def test_what_a_page_says_later_does_not_count_but_must_be_frames(doorway: Doorway, keys: Keys) -> None:
    page = await Page.open(doorway, AUTH + text("more") + AUTH)
    assert await page.next() == HEARTBEAT
    page.wire.say(frame(2, b"x", 0xC0))
    assert await page.refused() == ("bad_message", 1002)


async def test_no_page_says_much(doorway: Doorway, keys: Keys) -> None:
    page = await Page.open(doorway, frame(1, b"x" * 5000))
    assert await page.next() == 1009


async def test_a_page_that_does_not_read_is_dropped(
    doorway: Doorway, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STALLED_SECONDS", 0.1)
    page = await Page.open(doorway, AUTH)
    assert await page.next() == HEARTBEAT
    [listener] = doorway.switchboard.sockets
    listener.pause_writing()  # type: ignore[attr-defined]
    show(doorway, keys, LINE)
    await doorway.until(lambda: not doorway.switchboard.sockets)


async def test_the_service_that_goes_down_refuses_new_pages(doorway: Doorway, keys: Keys) -> None:
    page, newcomer = await Page.open(doorway, AUTH), await Page.open(doorway)
    assert await page.next() == HEARTBEAT
    for socket in list(doorway.switchboard.sockets):
        socket.shutdown()
    assert await newcomer.refused() == ("service_unavailable", 1013)
    show(doorway, keys, LINE)
    assert (await page.next())["text"] == "Hello"


async def test_pages_end_with_what_was_shown_last(doorway: Doorway, keys: Keys) -> None:
    page = await Page.open(doorway, AUTH)
    assert await page.next() == HEARTBEAT
    show(doorway, keys, LINE)
    (watcher,) = doorway.stages.feed(keys.known["ours"].user_id).watchers
    watcher.end()
    assert (await page.next())["text"] == "Hello"
    assert await page.next() == module.SERVICE_RESTART


async def test_a_failure_of_ours_is_told_as_one(doorway: Doorway, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(_key: str) -> None:
        raise ValueError

    monkeypatch.setattr(keys, "by_key", fails)
    page = await Page.open(doorway, AUTH)
    assert await page.refused() == ("internal", 1011)

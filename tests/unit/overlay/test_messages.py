import json
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription_proxy.overlay import messages
from transcription_proxy.overlay.messages import Ask, Backlog, Clear, Failed, Heartbeat, Line, Passed, Renewed, Watch
from transcription_wire import messages as wire

SESSION = "8c6f2f0e-0000-4000-8000-000000000001"
USER, LIFE = UUID(int=1), UUID(int=2)
NOTIFY_TAKES = 7999
"""Bytes of a payload (PostgreSQL, NOTIFY)."""


def said(**fields: Any) -> bytes:
    message = {"type": "transcript", "text": "Hello", "is_final": True, "start": 1.5, "confidence": None, **fields}
    return json.dumps(message).encode()


# --- what is shown of what the client is told


def test_a_transcript_becomes_a_line() -> None:
    assert messages.line(SESSION, said()) == Line(SESSION, 1.5, "Hello", True)
    assert messages.line(SESSION, said(is_final=False, start=0)) == Line(SESSION, 0, "Hello", False)


@pytest.mark.parametrize(
    "message",
    [
        wire.Ready(SESSION, 600),
        wire.Usage(1, 599),
        wire.SpeechStarted(0.5),
        wire.SessionEnd(1, 1.0, "client_stop"),
    ],
)
def test_nothing_else_is_shown(message: wire.ServerMessage) -> None:
    assert messages.line(SESSION, wire.encode(message)) is None


@pytest.mark.parametrize("message", [b"", b"{", b"[]", b'{"type":"transcript"}', b"\xff", said(text=None)])
def test_what_is_malformed_is_not_shown(message: bytes) -> None:
    assert messages.line(SESSION, message) is None


@pytest.mark.parametrize(("channel", "shown"), [([0, 1], None), ([0, 2], 0), ([1, 2], 1), ([], None)])
def test_the_channel_is_told_where_there_are_several(channel: list[int], shown: int | None) -> None:
    line = messages.line(SESSION, said(channel=channel))
    assert line is not None
    assert ("channel" in msgspec.to_builtins(line)) == (shown is not None)
    assert shown is None or line.channel == shown


@pytest.mark.parametrize("character", ["x", " ", "\0", "ä", "字", "😀", '"', "\\", "\n"])
def test_a_text_of_any_length_is_cut_to_what_notify_takes(character: str) -> None:
    for length in (messages.LONGEST, messages.LONGEST + 1, 500_000):
        line = messages.line(SESSION, said(text=character * length, channel=[7, 8]))
        assert line is not None
        kept = character * messages.LONGEST if length == messages.LONGEST else character * (messages.LONGEST - 1) + "…"
        assert line.text == kept
        assert len(messages.encode(Passed(USER, line)).encode()) <= NOTIFY_TAKES


@pytest.mark.parametrize(
    ("shown", "message"),
    [
        (
            Line("s", 1.5, "Hello", True, 1),
            '"line","session":"s","start":1.5,"text":"Hello","is_final":true,"channel":1',
        ),
        (Line("s", 0, "He", False), '"line","session":"s","start":0.0,"text":"He","is_final":false'),
        (Clear("s"), '"clear","session":"s"'),
        (Heartbeat(), '"heartbeat"'),
        (Failed({"code": "c", "message": "m"}), '"error","error":{"code":"c","message":"m"}'),
    ],
)
def test_a_page_on_a_socket_is_told_the_event_within_the_message(
    shown: Line | Clear | Heartbeat | Failed, message: str
) -> None:
    assert json.loads(messages.message(shown)) == json.loads(f'{{"event":{message}}}')


def test_a_pages_first_message_has_its_key() -> None:
    assert messages.key(b'{"type":"auth","key":"k","more":1}') == "k"


@pytest.mark.parametrize("message", [b"", b"[]", b'{"type":"stop","key":"k"}', b'{"type":"auth","key":1}'])
def test_anything_else_has_none(message: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        messages.key(message)


@given(st.text(max_size=3000), st.floats(0, 1e9), st.booleans())
def test_whatever_is_said_arrives_at_the_other_worker_as_it_left(text: str, start: float, is_final: bool) -> None:
    line = messages.line(SESSION, said(text=text, start=start, is_final=is_final))
    assert line is not None
    payload = messages.encode(Passed(USER, line))
    assert "\0" not in payload
    assert len(payload.encode()) <= NOTIFY_TAKES
    assert messages.decode_passed(payload) == Passed(USER, line)


# --- what is sent


@given(st.text(max_size=200))
def test_no_text_breaks_out_of_its_event(text: str) -> None:
    sent = messages.server_sent(Line(SESSION, 1.5, text, False)).decode()
    name, data, *rest = sent.split("\n")
    assert (name, rest) == ("event: line", ["", ""])
    fields = json.loads(data.removeprefix("data: "))
    assert fields == {"session": SESSION, "start": 1.5, "text": text, "is_final": False}
    assert "\r" not in data


def test_events_as_they_stand_on_the_wire() -> None:
    assert messages.server_sent(Clear("s")) == b'event: clear\ndata: {"session":"s"}\n\n'
    assert b'"channel":1' in messages.server_sent(Line("s", 0, "", True, 1))
    assert messages.event("heartbeat") == b"event: heartbeat\ndata: {}\n\n"


@pytest.mark.parametrize("news", [Watch(LIFE, USER, 3), Ask(), Renewed(USER, 2)])
def test_news_arrive_as_they_left(news: messages.News) -> None:
    assert messages.decode_news(messages.encode(news)) == news


@pytest.mark.parametrize("payload", ["", "{", "[]", '{"type":"other"}', '{"type":"watch","life":"x"}', "null"])
def test_foreign_payloads_are_refused(payload: str) -> None:
    for decode in (messages.decode_news, messages.decode_passed):
        with pytest.raises(msgspec.DecodeError):
            decode(payload)


# --- what waits


def backlog(most: int, *items: tuple[str, str, bool]) -> Backlog[str]:
    made: Backlog[str] = Backlog(most)
    for key, item, interim in items:
        made.add(key, item, interim)
    return made


def test_what_waits_is_taken_once_oldest_first() -> None:
    waiting = backlog(9, ("a", "1", False), ("b", "2", False), ("a", "3", False))
    assert bool(waiting)
    assert (waiting.take(2), waiting.take(2), waiting.take(2)) == (["1", "2"], ["3"], [])
    assert not waiting


def test_an_interim_item_makes_room_for_the_next_of_its_key() -> None:
    waiting = backlog(9, ("a", "i", True), ("b", "x", False), ("a", "in", True), ("a", "in.", False), ("a", "j", True))
    assert waiting.take(9) == ["in.", "x", "j"]


def test_an_interim_item_that_was_taken_is_not_replaced() -> None:
    waiting = backlog(9, ("a", "i", True))
    assert waiting.take(9) == ["i"]
    waiting.add("a", "in.", False)
    assert waiting.take(9) == ["in."]


def test_too_much_drops_the_oldest() -> None:
    waiting = backlog(2, ("a", "1", True), ("b", "2", False), ("c", "3", False))
    waiting.add("a", "4", False)
    assert waiting.take(9) == ["3", "4"]


class Plain:
    """The same by a list."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: list[tuple[str, int, bool]] = []

    def add(self, item: tuple[str, int, bool]) -> None:
        last = max((place for place, waits in enumerate(self._items) if waits[0] == item[0]), default=None)
        if last is not None and self._items[last][2]:
            self._items[last] = item
        else:
            self._items = [*self._items, item][-self._most :]

    def take(self, most: int) -> list[tuple[str, int, bool]]:
        taken, self._items = self._items[:most], self._items[most:]
        return taken


@given(
    st.lists(st.one_of(st.tuples(st.sampled_from("abc"), st.booleans()), st.integers(0, 4)), max_size=60),
    st.integers(1, 6),
)
def test_it_holds_what_a_list_would(steps: list[Any], most: int) -> None:
    waiting: Backlog[tuple[str, int, bool]] = Backlog(most)
    plain = Plain(most)
    for number, step in enumerate([*steps, most]):
        if isinstance(step, int):
            assert waiting.take(step) == plain.take(step)
        else:
            item = (step[0], number, step[1])
            waiting.add(item[0], item, interim=item[2])
            plain.add(item)
    assert not waiting

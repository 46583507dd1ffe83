"""Frames put together to messages: picows' own frames, and a real pair of sockets for the buffer they point into."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect, ws_create_server
from picows.picows import _make_test_ws_frame

from transcription_proxy.relay.fragments import Fragments, Message, Oversize, Violation

TEXT, BINARY, CONTINUATION = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION
CUTS = st.lists(st.integers(0, 200), max_size=4)
MESSAGES = st.one_of(
    st.tuples(st.just(True), st.text(max_size=50).map(str.encode), CUTS),
    st.tuples(st.just(False), st.binary(max_size=200), CUTS),
)
"""Whether it is text, the whole of it, and where it is cut."""


def frame(kind: WSMsgType, payload: bytes, fin: bool = True) -> WSFrame:
    return _make_test_ws_frame(kind, payload, fin, False)


def pieces(is_text: bool, whole: bytes, cuts: list[int]) -> list[tuple[WSMsgType, bytes, bool]]:
    """Kind, payload and end mark of the frames of a message."""
    bounds = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    parts = [whole[begin:end] for begin, end in pairwise(bounds)]
    return [
        (CONTINUATION if count else TEXT if is_text else BINARY, part, count == len(parts) - 1)
        for count, part in enumerate(parts)
    ]


def test_a_message_in_one_frame_is_whole_at_once() -> None:
    fragments = Fragments(10)
    assert fragments.add(frame(TEXT, b"hello")) == Message(True, b"hello")
    assert fragments.add(frame(BINARY, b"\0\1")) == Message(False, b"\0\1")
    assert fragments.add(frame(BINARY, b"")) == Message(False, b"")


def test_a_message_in_many_frames_is_whole_with_the_last() -> None:
    fragments = Fragments(10)
    assert fragments.add(frame(BINARY, b"ab", fin=False)) is None
    assert fragments.add(frame(CONTINUATION, b"", fin=False)) is None
    assert fragments.add(frame(CONTINUATION, b"cd")) == Message(False, b"abcd")


@given(st.lists(MESSAGES, max_size=5))
def test_however_messages_are_cut_they_come_out_whole_and_in_order(
    messages: list[tuple[bool, bytes, list[int]]],
) -> None:
    fragments = Fragments(200)
    found = [fragments.add(frame(*piece)) for message in messages for piece in pieces(*message)]
    assert [message for message in found if message] == [Message(is_text, whole) for is_text, whole, _ in messages]


@pytest.mark.parametrize("sizes", [[10], [10, 0], [0, 10], [5, 5], [1] * 10])
def test_a_message_at_the_limit_passes(sizes: list[int]) -> None:
    fragments = Fragments(10)
    found = [
        fragments.add(frame(CONTINUATION if count else BINARY, b"x" * size, fin=count == len(sizes) - 1))
        for count, size in enumerate(sizes)
    ]
    assert found == [*[None] * (len(sizes) - 1), Message(False, b"x" * 10)]


@pytest.mark.parametrize("sizes", [[11], [10, 1], [1] * 11, [5, 10**6]])
def test_a_message_over_the_limit_is_found_with_the_frame_that_is_too_much(sizes: list[int]) -> None:
    fragments = Fragments(10)
    for count, size in enumerate(sizes[:-1]):
        assert fragments.add(frame(CONTINUATION if count else TEXT, b"x" * size, fin=False)) is None
    with pytest.raises(Oversize):
        fragments.add(frame(CONTINUATION if len(sizes) > 1 else TEXT, b"x" * sizes[-1], fin=False))


def test_the_rest_of_a_message_that_was_too_big_is_dropped_and_the_next_one_comes_through() -> None:
    fragments = Fragments(10)
    with pytest.raises(Oversize):
        fragments.add(frame(BINARY, b"x" * 11, fin=False))
    assert fragments.add(frame(CONTINUATION, b"x" * 11, fin=False)) is None
    assert fragments.add(frame(CONTINUATION, b"x")) is None
    assert fragments.add(frame(TEXT, b"next")) == Message(True, b"next")


def test_a_frame_that_continues_nothing_is_a_violation() -> None:
    for before in ([], [frame(TEXT, b"a")], [frame(TEXT, b"a", fin=False), frame(CONTINUATION, b"b")]):
        fragments = Fragments(10)
        for each in before:
            fragments.add(each)
        with pytest.raises(Violation, match="continues no message") as violation:
            fragments.add(frame(CONTINUATION, b"x"))
        assert violation.value.code.value == 1002


@pytest.mark.parametrize("kind", [TEXT, BINARY])
@pytest.mark.parametrize("fin", [True, False])
def test_a_message_that_begins_within_another_is_a_violation(kind: WSMsgType, fin: bool) -> None:
    fragments = Fragments(10)
    fragments.add(frame(TEXT, b"ab", fin=False))
    assert fragments.unfinished
    with pytest.raises(Violation, match="within another") as violation:
        fragments.add(frame(kind, b"cd", fin=fin))
    assert violation.value.code.value == 1002


@pytest.mark.parametrize("cuts", [[], [1], [2], [1, 2]])
def test_text_is_utf_8_as_a_whole(cuts: list[int]) -> None:
    fragments = Fragments(10)
    *first, last = [frame(*piece) for piece in pieces(True, "\u20ac".encode(), cuts)]
    assert [fragments.add(each) for each in first] == [None] * len(first)
    assert fragments.add(last) == Message(True, "\u20ac".encode())
    *first, last = [frame(*piece) for piece in pieces(True, b"\xe2\x82\x82\x82", cuts)]
    assert [fragments.add(each) for each in first] == [None] * len(first)
    with pytest.raises(Violation, match="UTF-8") as violation:
        fragments.add(last)
    assert violation.value.code.value == 1007
    assert fragments.add(frame(BINARY, b"\xff")) == Message(False, b"\xff")


class Server(WSListener):
    """Puts together what it hears."""

    def __init__(self, expected: int) -> None:
        self.messages: list[Message] = []
        self.complete = asyncio.get_running_loop().create_future()
        self._expected = expected
        self._fragments = Fragments(1 << 20)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        message = self._fragments.add(frame)
        if message is not None:
            self.messages.append(message)
            if len(self.messages) == self._expected:
                self.complete.set_result(None)


async def test_real_frames_are_copied_before_their_buffer_is_used_again() -> None:
    sent = [(count % 2 == 0, bytes([count]) * 999 * count, [1000, 5000] * (count % 3)) for count in range(100)]
    heard = Server(len(sent))
    server = await ws_create_server(lambda _: heard, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport, _ = await ws_connect(WSListener, f"ws://127.0.0.1:{port}/")
    for message in sent:
        for kind, payload, fin in pieces(*message):
            transport.send(kind, payload, fin)
    await asyncio.wait_for(heard.complete, 10)
    assert heard.messages == [Message(is_text, whole) for is_text, whole, _ in sent]
    transport.disconnect()
    server.close()
    await server.wait_closed()

"""What was really heard: distinct audio of a session over all of its connections, and what is none of it."""

import random
from fractions import Fraction

import pytest

from tests.chaos.audio import audio
from tests.chaos.recorder import Spans, UpstreamRecorder
from tests.standin.record import Record, Text

SECOND = 32_000
QUERY = "model=nova-2&language=en-US&encoding=linear16&sample_rate=16000&channels=1"


def connection(number: int = 0, query: str = QUERY, session: str = "s1") -> Record:
    return Record(number, f"/v1/listen?{query}&tag={session}", [])


def closed(record: Record, code: int = 1000, *, first: bool = False, stopped: bool = True) -> Record:
    if stopped:
        record.texts.append(Text('{"type":"CloseStream"}', 0.0, 0))
    record.close_code, record.closed_first = code, first
    return record


def test_replays_and_silence_are_not_counted_twice() -> None:
    recorder = UpstreamRecorder()
    first, second = connection(0), connection(1)
    recorder.heard(first, bytes(3200))
    recorder.heard(first, audio(7, 0, 3 * SECOND))
    recorder.finished(closed(first, 1006, stopped=False))
    recorder.heard(second, audio(7, 2 * SECOND, 3 * SECOND))
    recorder.finished(closed(second))
    (heard,) = recorder.sessions.values()
    assert (heard.session, heard.seconds, heard.connections, heard.complete) == ("s1", Fraction(5), 2, True)
    assert (heard.streams, heard.strange, heard.cost) == ({7}, [], Fraction(1))
    assert heard.spans.end == 5 * SECOND


@pytest.mark.parametrize("size", [1, 2, 7, 3200])
def test_frames_of_any_size_are_recorded(size: int) -> None:
    recorder, record, whole = UpstreamRecorder(), connection(), audio(3, 1234, 3200)
    for begin in range(0, len(whole), size):
        recorder.heard(record, whole[begin : begin + size])
    assert list(recorder.sessions["s1"].spans) == [(1234, 1234 + 3200)]
    assert recorder.sessions["s1"].strange == []


def test_a_gap_is_not_counted() -> None:
    recorder = UpstreamRecorder()
    recorder.heard(connection(0), audio(3, 0, SECOND))
    recorder.heard(connection(1), audio(3, 2 * SECOND, SECOND))
    assert recorder.sessions["s1"].seconds == 2
    assert list(recorder.sessions["s1"].spans) == [(0, SECOND), (2 * SECOND, 3 * SECOND)]


@pytest.mark.parametrize(
    "pieces",
    [
        [audio(1, 0, 3200), audio(1, 6400, 3200)],
        [audio(1, 0, 3200), audio(1, 0, 3200)],
        [audio(1, 0, 3200), audio(2, 3200, 3200)],
        [bytes(6400), audio(1, 0, 3200)],
        [b"RIFF" * 2000],
    ],
    ids=["left out", "twice", "another's", "too much silence", "nobody's"],
)
def test_audio_that_is_not_the_clients_is_noted(pieces: list[bytes]) -> None:
    recorder, record = UpstreamRecorder(), connection()
    for piece in pieces:
        recorder.heard(record, piece)
    assert len(recorder.sessions["s1"].strange) == 1


def test_sessions_are_told_apart_by_their_tag() -> None:
    recorder = UpstreamRecorder()
    recorder.heard(connection(0, session="a"), audio(1, 0, SECOND))
    recorder.heard(connection(1, session="b"), audio(2, 0, SECOND))
    assert {name: heard.streams for name, heard in recorder.sessions.items()} == {"a": {1}, "b": {2}}


@pytest.mark.parametrize(
    ("query", "cost", "bytes_per_second"),
    [
        (QUERY, "1", 32_000),
        (QUERY.replace("nova-2", "nova-3"), "1", 32_000),
        (QUERY.replace("en-US", "multi") + "&keyterm=a&keyterm=b", "1.42", 32_000),
        (QUERY + "&diarize=true", "1.34", 32_000),
        (QUERY.replace("channels=1", "channels=2"), "1", 64_000),
        (QUERY.replace("channels=1", "channels=2") + "&multichannel=true", "2", 64_000),
        (QUERY.replace("16000", "48000"), "1", 96_000),
    ],
)
def test_the_cost_of_a_second_follows_from_the_request(query: str, cost: str, bytes_per_second: int) -> None:
    recorder = UpstreamRecorder()
    recorder.heard(connection(query=query), audio(1, 0, bytes_per_second))
    heard = recorder.sessions["s1"]
    assert (heard.cost, heard.bytes_per_second, heard.seconds) == (Fraction(cost), bytes_per_second, Fraction(1))


@pytest.mark.parametrize(
    "record",
    [
        closed(connection(), stopped=False),
        closed(connection(), first=True),
        closed(connection(), 1006),
    ],
    ids=["no CloseStream", "left before Metadata", "lost"],
)
def test_an_unfinished_connection_has_no_proper_end(record: Record) -> None:
    recorder = UpstreamRecorder()
    recorder.finished(record)
    assert not recorder.sessions["s1"].complete


def test_an_end_changed_by_a_fault_does_not_count() -> None:
    recorder = UpstreamRecorder(spoiled=lambda record: True)
    recorder.finished(closed(connection()))
    assert not recorder.sessions["s1"].complete


def test_a_refused_handshake_is_no_session() -> None:
    recorder, record = UpstreamRecorder(), connection()
    record.refused = 503
    recorder.finished(record)
    assert not recorder.sessions


def test_spans_equal_a_set_of_positions() -> None:
    luck, spans, positions = random.Random(1), Spans(), set[int]()
    assert (spans.end, spans.total) == (0, 0)
    for _ in range(300):
        begin = luck.randrange(2000)
        end = begin + luck.randrange(1, 30)
        spans.add(begin, end)
        positions |= set(range(begin, end))
        assert spans.total == len(positions)
        assert spans.end == max(positions) + 1
    assert {position for begin, end in spans for position in range(begin, end)} == positions

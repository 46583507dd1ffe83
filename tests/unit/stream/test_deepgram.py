"""Deepgram's dialect: what is understood of theirs, and what is nonsense without harm."""

import json
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription_proxy.stream import deepgram


def test_results_as_deepgram_sends_them_are_understood() -> None:
    message = deepgram.parse(
        b'{"type":"Results","channel_index":[0,1],"duration":1.98,"start":5.99,"is_final":true,"speech_final":true,'
        b'"from_finalize":false,"channel":{"alternatives":[{"transcript":"tell me more","confidence":0.99,'
        b'"languages":["en"],"words":[{"word":"tell","start":6.07,"end":6.31,"punctuated_word":"Tell"}]}]},'
        b'"metadata":{"request_id":"r","model_uuid":"m"},"entities":[]}'
    )
    assert isinstance(message, deepgram.Results)
    assert (message.text, message.is_final, message.speech_final) == ("tell me more", True, True)
    assert (message.start, message.duration, message.end_ms) == (5.99, 1.98, 7970)
    assert message.channel.alternatives[0].word_list()[0]["punctuated_word"] == "Tell"


def test_the_other_messages_are_understood() -> None:
    metadata = b'{"type":"Metadata","transaction_key":"deprecated","request_id":"r","duration":25.93,"channels":1}'
    assert deepgram.parse(metadata) == deepgram.Metadata(duration=25.93, request_id="r")
    started = b'{"type":"SpeechStarted","channel":[0,1],"timestamp":9.54}'
    assert deepgram.parse(started) == deepgram.SpeechStarted(9.54, [0, 1])
    ended = b'{"type":"UtteranceEnd","channel":[0,1],"last_word_end":2.395}'
    assert deepgram.parse(ended) == deepgram.UtteranceEnd(2.395, [0, 1])


def spoken(words: list[dict[str, object]]) -> deepgram.Results:
    """From 1 s to 4 s."""
    alternative = deepgram.Alternative("Tell me more.", 0.99, msgspec.Raw(msgspec.json.encode(words)))
    return deepgram.Results(1.0, 3.0, is_final=True, channel=deepgram.Channel([alternative]), channel_index=[1, 2])


TIMED = [
    {"word": "tell", "start": 1.0, "end": 1.5, "punctuated_word": "Tell"},
    {"word": "me", "start": 1.5, "end": 2.0},
    {"word": "more", "start": 2.0, "end": 3.0, "punctuated_word": "more."},
]


@pytest.mark.parametrize(
    ("begin_ms", "text", "start", "duration"),
    [
        (1250, "Tell me more.", 1.0, 3.0),
        (1251, "me more.", 1.251, 2.749),
        (1750, "me more.", 1.75, 2.25),
        (1751, "more.", 1.751, 2.249),
        (2501, "", 2.501, 1.499),
        (5000, "", 5.0, 0.0),
    ],
)
def test_of_words_with_times_those_that_lie_mostly_after_a_moment_can_be_had(
    begin_ms: int, text: str, start: float, duration: float
) -> None:
    later = spoken(TIMED).since(begin_ms)
    assert later is not None
    assert (later.text, later.start, later.duration) == (text, start, duration)
    assert (later.is_final, later.channel_index, later.channel.alternatives[0].confidence) == (True, [1, 2], 0.99)
    assert len(later.channel.alternatives[0].word_list()) == len(text.split())


def test_words_of_a_script_without_spaces_are_joined_without_them() -> None:
    words = [{"word": word, "start": at, "end": at + 1.0} for at, word in enumerate(["今天", "天气", "很好"])]
    later = spoken(words).since(900)
    assert later is not None
    assert later.text == "天气很好"


@pytest.mark.parametrize("words", [[], [{"word": "tell"}], [{"word": "tell", "start": 1.0, "end": "2"}]])
def test_words_without_times_cannot_be_split(words: list[dict[str, object]]) -> None:
    assert spoken(words).since(0) is None
    assert deepgram.Results().since(0) is None


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ("", 0),
        (',"words":[]', 0),
        (',"words":null', 0),
        (',"words":5', 0),
        (',"words":["a"]', 0),
        (',"words": [ {"word":"a"} ]', 1),
    ],
)
def test_anything_but_a_list_of_objects_is_no_words(words: str, count: int) -> None:
    text = '{"type":"Results","channel":{"alternatives":[{"transcript":"a"' + words + "}]}}"
    message = deepgram.parse(text.encode())
    assert isinstance(message, deepgram.Results)
    best = message.channel.alternatives[0]
    assert (best.has_words, len(best.word_list())) == (count > 0, count)


def test_words_that_are_not_utf_8_are_no_message() -> None:
    text = b'{"type":"Results","channel":{"alternatives":[{"transcript":"a","words":[{"word":"\xff"}]}]}}'
    assert deepgram.parse(text) == deepgram.Unknown()


def test_what_is_missing_has_a_harmless_default() -> None:
    message = deepgram.parse(b'{"type":"Results"}')
    assert isinstance(message, deepgram.Results)
    assert (message.text, message.end_ms, message.is_final, message.channel_index) == ("", 0, False, [])
    assert deepgram.parse(b'{"type":"Metadata"}') == deepgram.Metadata(None, None)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"hello", b"[]", b"{}", b'{"type":"ConfigureSuccess"}', b'{"type":"Error","variant":"SchemaError"}',
        b'{"type":"Results","start":"soon"}', b'{"type":"Results","channel":[]}', b'{"type":"Metadata","duration":{}}',
        b"\xff\xfe", b'{"type":"\xff"}', b"[" * 100_000, b'{"type":"Results","channel":' + b'{"x":' * 100_000,
    ],
)  # fmt: skip
def test_anything_else_is_unknown_and_raises_nothing(text: bytes) -> None:
    assert deepgram.parse(text) == deepgram.Unknown()


@given(st.binary(max_size=60) | st.recursive(st.none() | st.floats() | st.text(max_size=5), st.lists).map(
    lambda value: json.dumps({"type": "Results", "start": value}).encode()
))  # fmt: skip
def test_no_bytes_at_all_raise(text: bytes) -> None:
    message = deepgram.parse(text)
    assert not isinstance(message, deepgram.Results) or message.end_ms >= 0


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, 0), (0.0004, 0), (0.0006, 1), (1.9996, 2000), (25.93, 25930), (7, 7000),
        (None, None), (-0.001, None), (float("nan"), None), (float("inf"), None), (-float("inf"), None), (1e18, None),
    ],
)  # fmt: skip
def test_times_are_rounded_to_milliseconds_and_nonsense_is_none(seconds: float | None, expected: int | None) -> None:
    assert deepgram.milliseconds(seconds) == expected


@pytest.mark.parametrize(
    ("start", "duration", "end_ms"), [(-1.0, 2.0, 2000), (1.0, -2.0, 1000), (1e300, 1.5, 1500), (1.0004, 1.0004, 2000)]
)
def test_a_time_that_makes_no_sense_counts_as_nothing(start: float, duration: float, end_ms: int) -> None:
    assert deepgram.Results(start=start, duration=duration).end_ms == end_ms


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (deepgram.KEEP_ALIVE, "KeepAlive"),
        (deepgram.FINALIZE, "Finalize"),
        (deepgram.CLOSE_STREAM, "CloseStream"),
    ],
)
def test_our_control_messages_are_theirs(text: bytes, kind: str) -> None:
    assert json.loads(text) == {"type": kind}


def test_the_request_has_the_options_in_order_repeated_and_encoded_and_a_tag() -> None:
    query = (("model", "nova-2"), ("keyterm", "a b"), ("keyterm", "c&d=é"), ("endpointing", "false"))
    url = urlsplit(deepgram.request_target("wss://api.example.com", query, "session-1"))
    assert (url.scheme, url.netloc, url.path) == ("wss", "api.example.com", "/v1/listen")
    assert parse_qsl(url.query) == [*query, ("tag", "session-1")]
    assert "a%20b" in url.query

"""Our caption protocol: what a client may say, and how the upstream's words look to it."""

import json
from typing import Any

import pytest

from transcription_proxy.stream import captions, deepgram
from transcription_proxy.stream.captions import Clock
from transcription_wire import messages as wire


def told(message: dict[str, Any], shift_ms: int = 0, begin_ms: int = 0) -> Any:
    """Our form of a message of the upstream, as a client reads it."""
    shown = captions.caption(deepgram.parse(json.dumps(message).encode()), Clock(shift_ms, begin_ms))
    return None if shown is None else json.loads(wire.encode(shown))


def results(*alternatives: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "Results", "channel": {"alternatives": list(alternatives)}, **more}


HI = {"transcript": "hi there", "confidence": 0.98}


# The client's messages


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"type":"keepalive"}', wire.Keepalive()),
        (b'{"type":"finalize"}', wire.Finalize()),
        (b'{"type":"stop"}', wire.Stop()),
        (b'{"type":"stop","why":"later versions may say more"}', wire.Stop()),
        (b'{"type":"auth","token":"t","config":{"model":7}}', wire.Auth("t", {"model": 7})),
    ],
)
def test_the_four_messages_are_understood(text: bytes, message: wire.ClientMessage) -> None:
    assert captions.parse(text) == message


@pytest.mark.parametrize(
    "text",
    [
        b"", b"?", b"null", b"[]", b'"stop"', b"{}", b'{"type":1}', b'{"type":"shout"}', b'{"type":"stop"',
        b'{"type":"stop"}{"type":"stop"}', b"\xff\xfe", b'{"type":"\xff"}', b"[" * 100_000, b'{"a":' * 100_000,
    ],
)  # fmt: skip
def test_anything_else_is_a_bad_message_whose_content_is_not_repeated(text: bytes) -> None:
    with pytest.raises(captions.BadMessage) as error:
        captions.parse(text)
    assert str(error.value) == "Send JSON whose type is auth, keepalive, finalize or stop."


# Words


def test_results_with_words_become_a_transcript() -> None:
    message = results(HI, {"transcript": "high there"}, start=1.5, duration=0.75, is_final=True, speech_final=True)
    assert told(message) == {
        "type": "transcript", "text": "hi there", "is_final": True, "confidence": 0.98,
        "start": 1.5, "duration": 0.75, "speech_final": True,
    }  # fmt: skip


@pytest.mark.parametrize("message", [results({"transcript": ""}), results(), {"type": "Results"}])
def test_results_without_words_are_not_sent(message: dict[str, Any]) -> None:
    assert told(message) is None


@pytest.mark.parametrize("message", [{"type": "Metadata", "duration": 3.0}, {"type": "Warning"}, {}])
def test_what_is_no_caption_is_not_sent(message: dict[str, Any]) -> None:
    assert told(message) is None


def test_words_and_channel_are_there_where_the_upstream_gives_them() -> None:
    words = [{"word": "hi", "start": 0.1, "end": 0.4, "speaker": 1}]
    message = told(results({**HI, "words": words}, channel_index=[1, 2]))
    assert (message["words"], message["channel"]) == (words, [1, 2])
    assert {"words", "channel"}.isdisjoint(told(results({**HI, "words": []}, channel_index=[])))


@pytest.mark.parametrize(
    ("alternative", "confidence"),
    [
        ({"confidence": None}, None),
        ({}, None),
        ({"confidence": 0.0}, None),
        ({"confidence": 0.0, "words": []}, None),
        ({"confidence": 0.0, "words": [{"word": "hi"}]}, 0.0),
        ({"confidence": 0.5}, 0.5),
    ],
)
def test_confidence_is_null_where_the_engine_has_none(alternative: dict[str, Any], confidence: float | None) -> None:
    assert told(results({"transcript": "hi", **alternative}))["confidence"] == confidence


# Times


def test_all_times_are_shifted_to_the_session() -> None:
    words = [{"word": "hi", "start": 0.1, "end": 0.4}, {"word": "there", "start": 0.5, "end": 0.9}]
    message = told(results({**HI, "words": words}, start=0.1, duration=0.8), shift_ms=12_345)
    assert (message["start"], message["duration"]) == (12.445, 0.8)
    assert message["words"] == [
        {"word": "hi", "start": 12.445, "end": 12.745},
        {"word": "there", "start": 12.845, "end": 13.245},
    ]
    assert told({"type": "SpeechStarted", "timestamp": 0.3}, 2000) == {"type": "speech_started", "start": 2.3}
    assert told({"type": "UtteranceEnd", "last_word_end": 0.5}, 2000) == {"type": "utterance_end", "last_word_end": 2.5}


def test_times_are_never_before_the_session_and_what_was_cut_off_is_not_in_the_duration() -> None:
    words = [{"word": "hi", "start": 0.05, "end": 0.3}]
    message = told(results({**HI, "words": words}, start=0.0, duration=0.5), shift_ms=-100)
    assert (message["start"], message["duration"]) == (0.0, 0.4)
    assert message["words"] == [{"word": "hi", "start": 0.0, "end": 0.2}]
    assert told(results(HI, start=0.0, duration=0.05), shift_ms=-100)["duration"] == 0.0
    assert told({"type": "UtteranceEnd", "last_word_end": -1}, -100)["last_word_end"] == 0.0


@pytest.mark.parametrize("shift_ms", [4900, 0])
def test_times_are_never_before_the_connection_either(shift_ms: int) -> None:
    words = [{"word": "hi", "start": 0.05, "end": 5.3}]
    message = told(results({**HI, "words": words}, start=0.0, duration=5.5), shift_ms, begin_ms=5000)
    end = 5.5 + shift_ms / 1000
    assert (message["start"], message["start"] + message["duration"]) == (5.0, end)
    assert message["words"] == [{"word": "hi", "start": 5.0, "end": round(end - 0.2, 3)}]
    assert told({"type": "SpeechStarted", "timestamp": 0.05}, shift_ms, 5000)["start"] == 5.0


def test_without_a_shift_times_are_the_upstreams_own() -> None:
    assert told({"type": "UtteranceEnd", "last_word_end": -1})["last_word_end"] == -1
    assert told({"type": "SpeechStarted", "timestamp": 0.123456})["start"] == 0.123456


def test_words_without_times_and_what_else_is_in_them_stay_as_they_are() -> None:
    words = [{"word": "hi"}, {"word": "you", "start": None, "end": "1"}, {"word": "all", "start": 1, "language": "en"}]
    assert told(results({**HI, "words": words}), shift_ms=1000)["words"] == [
        {"word": "hi"}, {"word": "you", "start": None, "end": "1"}, {"word": "all", "start": 2.0, "language": "en"},
    ]  # fmt: skip


# What is left


def said(*remaining: int) -> list[int]:
    mark = captions.LowCreditMarks()
    return [seconds for seconds in remaining if mark.record(seconds)]


def test_falling_through_a_mark_is_reported_once_for_each() -> None:
    assert said(700, 600, 599, 598, 300, 299, 200, 60, 59, 0, -5) == [599, 299, 59]


def test_of_several_marks_at_once_only_the_lowest_is_reported() -> None:
    assert said(700, 10, 200, 500) == [10]
    assert said(250, 59) == [250, 59]


def test_a_mark_is_reported_once_even_after_a_purchase() -> None:
    assert said(599, 5000, 599, 299, 5000, 299, 59) == [599, 299, 59]


# Words that are withdrawn


class Talk:
    """An upstream that says interim and final words, and what the client is sent of them."""

    def __init__(self) -> None:
        self._interims = captions.Interims()

    def says(self, text: str, start: float, duration: float, *, final: bool, known: bool = False, **more: Any) -> Any:
        """`known`: the client has it from an earlier connection."""
        said = results({"transcript": text}, start=start, duration=duration, is_final=final, **more)
        message = deepgram.parse(json.dumps(said).encode())
        sent = self._interims.caption(message, None if known else message, Clock())
        return None if sent is None else json.loads(wire.encode(sent))


def test_a_final_without_text_withdraws_interim_words_once() -> None:
    talk = Talk()
    assert talk.says("hm", 1.0, 0.5, final=False)["text"] == "hm"
    assert talk.says("", 1.0, 1.0, final=False) is None
    assert talk.says("", 1.0, 1.5, final=True, speech_final=True) == {
        "type": "transcript", "text": "", "is_final": True, "confidence": None,
        "start": 1.0, "duration": 1.5, "speech_final": True,
    }  # fmt: skip
    assert talk.says("", 2.5, 1.0, final=True) is None


def test_a_final_without_text_is_not_sent_where_nothing_is_withdrawn() -> None:
    talk = Talk()
    assert talk.says("", 0.0, 1.0, final=True) is None
    talk.says("hello", 1.0, 0.5, final=False)
    talk.says("Hello.", 1.0, 1.0, final=True)
    assert talk.says("", 2.0, 1.0, final=True) is None


def test_each_channel_withdraws_its_own_words() -> None:
    talk = Talk()
    for channel in (0, 1):
        talk.says("hm", 1.0, 0.5, final=False, channel_index=[channel, 2])
    assert talk.says("", 1.0, 1.0, final=True, channel_index=[1, 2])["channel"] == [1, 2]
    assert talk.says("", 2.0, 1.0, final=True, channel_index=[1, 2]) is None
    assert talk.says("", 1.0, 1.0, final=True, channel_index=[0, 2])["channel"] == [0, 2]


def test_a_repeated_final_withdraws_only_what_it_reaches() -> None:
    talk = Talk()
    talk.says("hm", 3.0, 0.5, final=False)
    assert talk.says("known", 0.0, 3.0, final=True, known=True) is None
    withdrawn = talk.says("known", 0.0, 4.0, final=True, known=True)
    assert (withdrawn["text"], withdrawn["start"], withdrawn["duration"]) == ("", 3.0, 1.0)


def test_other_messages_pass_as_they_are() -> None:
    interims = captions.Interims()
    message = deepgram.SpeechStarted(1.5)
    assert interims.caption(message, message, Clock()) == captions.caption(message, Clock())
    assert interims.caption(message, None, Clock()) is None

"""Deepgram's messages, as its clients read them."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription_engine import messages
from transcription_engine.segments import Ended, Segment, SpeechEvent, Started

ID = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")


def said(heard: SpeechEvent, channel: int = 0, channels: int = 1) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(messages.message(heard, channel, channels, ID))
    return read


def test_results_have_every_field_that_clients_read() -> None:
    segment = Segment("Best of “times”.", 1.5, 0.75, is_final=True, speech_final=True, from_finalize=True)
    results = said(segment, 1, 2)
    metadata = results.pop("metadata")
    assert results == {
        "type": "Results",
        "channel_index": [1, 2],
        "start": 1.5,
        "duration": 0.75,
        "is_final": True,
        "speech_final": True,
        "from_finalize": True,
        "channel": {"alternatives": [{"transcript": "Best of “times”.", "confidence": 0.0, "words": []}]},
    }
    assert metadata["request_id"] == str(ID)
    assert metadata["model_info"]["name"] == messages.MODEL
    assert str(UUID(metadata["model_uuid"])) == metadata["model_uuid"]


def test_an_interim_says_so() -> None:
    results = said(Segment("best", 0, 1, is_final=False))
    assert (results["is_final"], results["speech_final"], results["from_finalize"]) == (False, False, False)


@given(st.lists(st.floats(0, 100_000), min_size=3, max_size=3).map(sorted))
def test_rounded_to_milliseconds_finals_still_leave_no_gap(times: list[float]) -> None:
    begin, between, end = times
    first = said(Segment("", begin, between - begin, is_final=True))
    second = said(Segment("", between, end - between, is_final=True))
    assert round(first["start"] + first["duration"], 3) == second["start"]
    assert first["duration"] >= 0
    assert second["start"] + second["duration"] == pytest.approx(end, abs=0.0006)
    assert all(len(str(number).partition(".")[2]) <= 3 for number in (first["start"], first["duration"]))


def test_the_start_of_speech() -> None:
    assert said(Started(9.54321), 1, 2) == {"type": "SpeechStarted", "channel": [1, 2], "timestamp": 9.543}


def test_the_end_of_an_utterance() -> None:
    assert said(Ended(2.3954)) == {"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 2.395}


def test_the_closing_metadata() -> None:
    created = datetime(2026, 1, 2, 3, 4, 5, 678_999, tzinfo=UTC)
    assert json.loads(messages.metadata(ID, "abc", created, 25.93, 2)) == {
        "type": "Metadata",
        "transaction_key": "deprecated",
        "request_id": str(ID),
        "sha256": "abc",
        "created": "2026-01-02T03:04:05.678Z",
        "duration": 25.93,
        "channels": 2,
    }


def test_where_nothing_was_heard_there_were_no_channels() -> None:
    closing = json.loads(messages.metadata(ID, "abc", datetime.now(UTC), 0.0, 2))
    assert (closing["duration"], closing["channels"]) == (0.0, 0)


def test_a_text_that_is_not_understood_comes_back_in_an_error() -> None:
    error = json.loads(messages.schema_error('{"type": "Konfigure"}'))
    assert (error["type"], error["variant"], error["message"]) == ("Error", "SchemaError", '{"type": "Konfigure"}')
    assert error["description"]


def test_a_long_text_comes_back_cut_short() -> None:
    assert len(messages.schema_error("é" * 4_000_000)) < 10_000

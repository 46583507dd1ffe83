"""What is shown of the caption protocol, and how it is encoded for a page."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from transcription_proxy.overlay import messages
from transcription_proxy.overlay.messages import MAX_TEXT_CHARACTERS, Clear, Failed, Heartbeat, Line
from transcription_wire import messages as wire

SESSION = "8c6f2f0e-0000-4000-8000-000000000001"


def transcript(**fields: Any) -> wire.Transcript:
    values = {"text": "Hello", "is_final": True, "start": 1.5, "confidence": None, "duration": 1.0}
    return wire.Transcript(**{**values, "speech_final": False, **fields})


# --- from the caption protocol


def test_a_transcript_becomes_a_line() -> None:
    assert messages.line(SESSION, transcript()) == Line(SESSION, 1.5, "Hello", True)
    assert messages.line(SESSION, transcript(is_final=False, start=0.0)) == Line(SESSION, 0, "Hello", False)


@pytest.mark.parametrize(("channel", "shown"), [([0, 1], UNSET), ([0, 2], 0), ([1, 2], 1), ([], UNSET), (UNSET, UNSET)])
def test_a_line_has_its_channel_if_there_are_several(channel: Any, shown: Any) -> None:
    assert messages.line(SESSION, transcript(channel=channel)).channel == shown


def test_a_long_text_is_shortened() -> None:
    assert messages.line(SESSION, transcript(text="x" * 5000)).text == "x" * (MAX_TEXT_CHARACTERS - 1) + "…"


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
def test_a_websocket_message_contains_the_name_of_its_event(
    shown: Line | Clear | Heartbeat | Failed, message: str
) -> None:
    assert json.loads(messages.encode(shown)) == json.loads(f'{{"event":{message}}}')


def test_a_pages_first_message_has_its_key() -> None:
    assert messages.parse_key(b'{"type":"auth","key":"k","more":1}') == "k"


@pytest.mark.parametrize("message", [b"", b"[]", b'{"type":"stop","key":"k"}', b'{"type":"auth","key":1}'])
def test_any_other_first_message_is_refused(message: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        messages.parse_key(message)


# --- server-sent events


@given(st.text(max_size=200))
def test_no_text_ends_its_event_early(text: str) -> None:
    sent = messages.server_sent(Line(SESSION, 1.5, text, False)).decode()
    name, data, *rest = sent.split("\n")
    assert (name, rest) == ("event: line", ["", ""])
    fields = json.loads(data.removeprefix("data: "))
    assert fields == {"session": SESSION, "start": 1.5, "text": text, "is_final": False}
    assert "\r" not in data


def test_an_event_has_a_name_and_data() -> None:
    assert messages.server_sent(Clear("s")) == b'event: clear\ndata: {"session":"s"}\n\n'
    assert b'"channel":1' in messages.server_sent(Line("s", 0, "", True, 1))
    assert messages.event("heartbeat") == b"event: heartbeat\ndata: {}\n\n"

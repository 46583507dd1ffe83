"""Messages there and back, as the contract writes them, and junk."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import UNSET

from transcription_wire import messages as wire

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SECONDS = st.floats(allow_nan=False, allow_infinity=False)
CREDITS = st.integers(-(10**9), 10**9)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), SECONDS, TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
)
CLIENT = st.one_of(
    st.builds(wire.Auth, JSON, JSON, JSON),
    st.sampled_from([wire.Keepalive(), wire.Keepalive(answer=True), wire.Finalize(), wire.Stop()]),
)
TRANSCRIPTS = st.builds(
    wire.Transcript,
    text=TEXT,
    is_final=st.booleans(),
    confidence=st.one_of(st.none(), SECONDS),
    start=SECONDS,
    duration=SECONDS,
    speech_final=st.booleans(),
    words=st.one_of(st.just(UNSET), st.lists(st.dictionaries(TEXT, JSON, max_size=3), max_size=3)),
    channel=st.one_of(st.just(UNSET), st.lists(st.integers(0, 8), max_size=2)),
)
SERVER = st.one_of(
    TRANSCRIPTS,
    st.builds(wire.Ready, TEXT, CREDITS),
    st.builds(wire.SpeechStarted, SECONDS),
    st.builds(wire.UtteranceEnd, SECONDS),
    st.builds(wire.Usage, CREDITS, CREDITS),
    st.builds(wire.CreditsLow, CREDITS),
    st.builds(wire.UpstreamStatus, st.sampled_from(["reconnecting", "connected"])),
    st.builds(wire.Warning, TEXT, TEXT, st.one_of(st.just(UNSET), SECONDS)),
    st.builds(wire.Error, TEXT, TEXT),
    st.just(wire.Alive()),
    st.builds(wire.SessionEnd, CREDITS, SECONDS, TEXT, st.booleans()),
)


@given(CLIENT)
def test_what_a_client_says_arrives(message: wire.ClientMessage) -> None:
    data = wire.encode(message)
    assert wire.decode_client(data) == wire.decode_client(data.decode()) == message
    assert wire.decode_client(memoryview(data)) == message


@given(SERVER)
def test_what_the_server_says_arrives(message: wire.ServerMessage) -> None:
    data = wire.encode(message)
    assert wire.decode_server(data) == wire.decode_server(data.decode()) == message
    assert json.loads(data)["type"] == type(message).__struct_config__.tag


AS_WRITTEN: list[tuple[wire.ServerMessage, dict[str, Any]]] = [
    (wire.Ready("x", 5), {"type": "ready", "session_id": "x", "seconds_remaining": 5}),
    (
        wire.Transcript("hello", True, None, 1.0, 0.5, False),
        {
            "type": "transcript",
            "text": "hello",
            "is_final": True,
            "confidence": None,
            "start": 1.0,
            "duration": 0.5,
            "speech_final": False,
        },
    ),
    (
        wire.Transcript("a", False, 0.9, 0.0, 0.1, True, words=[{"word": "a"}], channel=[0, 1]),
        {
            "type": "transcript",
            "text": "a",
            "is_final": False,
            "confidence": 0.9,
            "start": 0.0,
            "duration": 0.1,
            "speech_final": True,
            "words": [{"word": "a"}],
            "channel": [0, 1],
        },
    ),
    (wire.SpeechStarted(1.5), {"type": "speech_started", "start": 1.5}),
    (wire.UtteranceEnd(2.5), {"type": "utterance_end", "last_word_end": 2.5}),
    (wire.Usage(8, 92), {"type": "usage", "seconds_used": 8, "seconds_remaining": 92}),
    (wire.CreditsLow(59), {"type": "credits_low", "seconds_remaining": 59}),
    (wire.UpstreamStatus("reconnecting"), {"type": "status", "upstream": "reconnecting"}),
    (wire.Alive(), {"type": "alive"}),
    (wire.Warning("too_quiet", "Quiet."), {"type": "warning", "code": "too_quiet", "message": "Quiet."}),
    (
        wire.Warning("behind", "Late.", 6.5),
        {"type": "warning", "code": "behind", "message": "Late.", "seconds": 6.5},
    ),
    (wire.Warning("behind", "Over.", 0), {"type": "warning", "code": "behind", "message": "Over.", "seconds": 0}),
    (wire.Error("busy", "Wait."), {"type": "error", "code": "busy", "message": "Wait."}),
    (
        wire.SessionEnd(3, 2.5, "idle"),
        {"type": "session_end", "seconds_used": 3, "audio_seconds": 2.5, "reason": "idle"},
    ),
    (
        wire.SessionEnd(3, 2.5, "idle", pending=True),
        {"type": "session_end", "seconds_used": 3, "audio_seconds": 2.5, "reason": "idle", "pending": True},
    ),
]


@pytest.mark.parametrize(("message", "written"), AS_WRITTEN)
def test_it_looks_as_the_contract_writes_it(message: wire.ServerMessage, written: dict[str, Any]) -> None:
    assert json.loads(wire.encode(message)) == written
    assert wire.decode_server(json.dumps(written)) == message


def test_the_clients_messages_as_the_contract_writes_them() -> None:
    text = '{"type":"auth","token":"t","config":{"model":"nova-2","endpointing":300},"replaces":"id"}'
    assert wire.decode_client(text) == wire.Auth("t", {"model": "nova-2", "endpointing": 300}, "id")
    assert wire.decode_client('{"type":"auth"}') == wire.Auth(None, None, None)
    said = [wire.decode_client(f'{{"type":"{kind}"}}') for kind in ("keepalive", "finalize", "stop")]
    assert said == [wire.Keepalive(), wire.Finalize(), wire.Stop()]
    assert wire.decode_client('{"type":"keepalive","answer":true}') == wire.Keepalive(answer=True)


def test_a_client_bears_fields_and_codes_that_it_does_not_know() -> None:
    assert wire.decode_server('{"type":"ready","session_id":"x","seconds_remaining":1,"new":[]}') == wire.Ready("x", 1)
    assert wire.decode_server('{"type":"error","code":"new","message":"m"}') == wire.Error("new", "m")


JUNK: dict[str, str | bytes] = {
    "nothing": b"",
    "brackets": b"[" * 100_000,
    "brackets in a field": b'{"type":"auth","config":' + b"[" * 100_000,
    "brackets in an unknown field": b'{"type":"stop","x":' + b"[" * 100_000,
    "objects without end": b'{"a":' * 20_000,
    "deep, and well formed": b'{"type":"auth","config":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "deep for the client": b'{"type":"transcript","words":[{"w":' + b"[" * 100_000,
    "a lone surrogate": '{"type":"auth","token":"\ud800"}',
    "a lone surrogate, escaped": b'{"type":"auth","token":"\\ud800"}',
    "half a pair, escaped": b'{"type":"auth","token":"\\ud800\\u0041"}',
    "no UTF-8": b'{"type":"auth","token":"\xff\xfe"}',
    "no UTF-8 for the client": b'{"type":"error","code":"\xff","message":""}',
    "no UTF-8 in a key": b'{"type":"auth","config":{"\xc3":1}}',
    "a surrogate in UTF-8": b'{"type":"auth","token":"\xed\xa0\x80"}',
    "UTF-16": '{"type":"stop"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"type":"stop"}',
    "a huge number": b'{"type":"auth","token":' + b"9" * 100_000 + b"}",
    "a number beyond floats": b'{"type":"auth","token":1e400}',
    "a huge number for the client": b'{"type":"usage","seconds_used":' + b"9" * 5000 + b',"seconds_remaining":1}',
    "a time beyond floats": b'{"type":"speech_started","start":-1e400}',
    "not a number": b'{"type":"speech_started","start":NaN}',
    "zero bytes": bytes(100),
    "a list": b'[{"type":"stop"}]',
    "a string": b'"stop"',
    "null": b"null",
    "no type": b"{}",
    "an unknown type": b'{"type":"hello"}',
    "a type that is none": b'{"type":{"type":"stop"}}',
    "a field of the wrong type": b'{"type":"usage","seconds_used":"8","seconds_remaining":1}',
    "a missing field": b'{"type":"ready","session_id":"x"}',
    "more behind it": b'{"type":"stop"}{"type":"stop"}',
    "cut short": b'{"type":"stop"',
}


def decoded_or_refused(text: str | bytes) -> int:
    """Return how many sides take a text. Any exception but msgspec's fails the test."""
    taken = 0
    for decode in (wire.decode_client, wire.decode_server):
        try:
            decode(text)
        except msgspec.DecodeError:
            continue
        taken += 1
    return taken


@pytest.mark.parametrize("name", JUNK)
def test_junk_is_refused_with_an_error_of_msgspec(name: str) -> None:
    assert decoded_or_refused(JUNK[name]) == 0


@given(st.one_of(st.text(), st.binary()))
@example('{"type": "st\udcffop"}')
def test_no_text_brings_out_anything_but_an_error_of_msgspec(text: str | bytes) -> None:
    """Hypothesis also draws constants of the project's code, among them whole messages."""
    assert decoded_or_refused(text) <= 1


@given(SERVER | CLIENT, st.data())
def test_a_broken_message_brings_out_nothing_else_either(message: Any, data: st.DataObject) -> None:
    whole = wire.encode(message)
    begin, end = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    assert decoded_or_refused(whole[:begin] + data.draw(st.binary(max_size=3)) + whole[end:]) <= 1

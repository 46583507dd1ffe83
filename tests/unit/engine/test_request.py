"""What may be asked of the engine, and how the rest is refused."""

import json
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription_engine.request import Encoded, HandshakeRefused, Request, authorized, read, read_recording

RAW = "/v1/listen?encoding=linear16&sample_rate=16000"


def refusal(target: str) -> HandshakeRefused:
    with pytest.raises(HandshakeRefused) as raised:
        read(target)
    return raised.value


def test_an_encoding_and_a_sample_rate_are_enough() -> None:
    assert read(RAW) == Request(
        sample_rate=16_000,
        channels=1,
        multichannel=False,
        interim_results=False,
        endpointing=10,
        vad_events=False,
        utterance_end_ms=None,
    )


def test_all_parameters_are_read() -> None:
    query = "channels=2&multichannel=true&interim_results=true&endpointing=300&vad_events=true&utterance_end_ms=1000"
    assert read(f"{RAW}&{query}") == Request(16_000, 2, True, True, 300, True, 1000)


@pytest.mark.parametrize("model", ["", "&model=", "&model=nova-2", "&model=nova-3-medical", "&model=whisper-large"])
def test_any_model_is_answered(model: str) -> None:
    assert read(RAW + model) == read(RAW)


@pytest.mark.parametrize("language", ["en", "en-US", "EN-gb", "en-x-anything"])
def test_english_is_understood_by_any_of_its_names(language: str) -> None:
    assert read(f"{RAW}&language={language}") == read(RAW)


@pytest.mark.parametrize("language", ["de", "de-AT", "multi", "english", "eng", ""])
def test_any_other_language_is_refused(language: str) -> None:
    refused = refusal(f"{RAW}&language={language}")
    assert refused.status == 400
    assert "English only" in refused.message


@pytest.mark.parametrize(
    "more",
    [
        "tag=a&tag=b&extra=k:v",
        "punctuate=true&smart_format=true&numerals=true&profanity_filter=true&filler_words=true&diarize=true",
        "keyterm=a+b&keyterm=c%20d&keywords=word:2&replace=a:b",
        "no_delay=true&nonsense&x=%FF&=",
    ],
)
def test_what_has_no_effect_is_accepted(more: str) -> None:
    assert read(f"{RAW}&{more}") == read(RAW)


def test_of_a_repeated_parameter_the_first_counts() -> None:
    assert read(f"{RAW}&sample_rate=8000&language=en&language=de") == read(RAW)


@pytest.mark.parametrize(
    ("endpointing", "milliseconds"),
    [("false", None), ("False", None), ("true", 10), ("0", 0), ("300", 300), ("60000", 60_000)],
)
def test_endpointing_is_in_milliseconds_or_off(endpointing: str, milliseconds: int | None) -> None:
    assert read(f"{RAW}&endpointing={endpointing}").endpointing == milliseconds


@pytest.mark.parametrize("query", ["", "sample_rate=16000", "channels=2&sample_rate=banana"])
def test_without_an_encoding_the_header_tells_the_format(query: str) -> None:
    request = read(f"/v1/listen?{query}")
    assert (request.encoding, request.encoded, request.is_raw) == (None, None, False)
    assert request.as_decoded(2) == Request(16_000, channels=2)


@pytest.mark.parametrize(
    ("query", "encoded"),
    [
        ("encoding=opus&sample_rate=48000&channels=2", Encoded("opus", 48_000, 2)),
        ("encoding=ogg-opus", Encoded("ogg-opus", 48_000, 1)),
        ("encoding=amr-nb", Encoded("amr-nb", 8000, 1)),
        ("encoding=flac&sample_rate=44100", Encoded("flac", 44_100, 1)),
        ("encoding=mulaw&sample_rate=8000", Encoded("mulaw", 8000, 1)),
    ],
)
def test_deepgrams_encodings_are_read(query: str, encoded: Encoded) -> None:
    request = read(f"/v1/listen?{query}")
    assert request.encoded == encoded
    assert request.is_raw == (encoded.encoding == "mulaw")


def test_a_file_has_no_packets() -> None:
    with pytest.raises(HandshakeRefused, match="encoding"):
        read_recording("/v1/listen?encoding=opus&sample_rate=48000")
    assert read_recording("/v1/listen?encoding=amr-wb").encoded == Encoded("amr-wb", 16_000, 1)


def test_no_utterance_end_is_wanted_with_zero() -> None:
    assert read(f"{RAW}&utterance_end_ms=0").utterance_end_ms is None


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("encoding=opus", "sample_rate"),
        ("encoding=mp3&sample_rate=16000", "encoding"),
        ("encoding=&sample_rate=16000", "encoding"),
        ("encoding=LINEAR16&sample_rate=16000", "encoding"),
        ("encoding=linear16", "sample_rate"),
        ("encoding=linear16&sample_rate=", "sample_rate"),
        ("encoding=linear16&sample_rate=7999", "sample_rate"),
        ("encoding=linear16&sample_rate=48001", "sample_rate"),
        ("encoding=linear16&sample_rate=16000.0", "sample_rate"),
        ("encoding=linear16&sample_rate=-16000", "sample_rate"),
        ("encoding=linear16&sample_rate=1_6000", "sample_rate"),
        ("encoding=linear16&sample_rate=%EF%BC%9116000", "sample_rate"),
        ("encoding=linear16&sample_rate=16000%0A", "sample_rate"),
        ("encoding=linear16&sample_rate=0000160001", "sample_rate"),
        ("encoding=linear16&sample_rate=" + "9" * 5000, "sample_rate"),
        ("encoding=linear16&sample_rate=16000&channels=0", "channels"),
        ("encoding=linear16&sample_rate=16000&channels=9", "channels"),
        ("encoding=linear16&sample_rate=16000&multichannel=yes", "multichannel"),
        ("encoding=linear16&sample_rate=16000&interim_results=1", "interim_results"),
        ("encoding=linear16&sample_rate=16000&vad_events=", "vad_events"),
        ("encoding=linear16&sample_rate=16000&endpointing=banana", "endpointing"),
        ("encoding=linear16&sample_rate=16000&endpointing=", "endpointing"),
        ("encoding=linear16&sample_rate=16000&endpointing=-1", "endpointing"),
        ("encoding=linear16&sample_rate=16000&endpointing=300.0", "endpointing"),
        ("encoding=linear16&sample_rate=16000&endpointing=60001", "endpointing"),
        ("encoding=linear16&sample_rate=16000&utterance_end_ms=1s", "utterance_end_ms"),
        ("encoding=linear16&sample_rate=16000&utterance_end_ms=60001", "utterance_end_ms"),
        ("encoding=linear16&sample_rate=16000&utterance_end_ms=1000", "interim_results"),
        ("encoding=linear16&sample_rate=16000&utterance_end_ms=1000&interim_results=false", "interim_results"),
    ],
)
def test_a_missing_or_impossible_value_is_refused_by_name(query: str, names: str) -> None:
    refused = refusal(f"/v1/listen?{query}")
    assert (refused.status, refused.code) == (400, "INVALID_QUERY_PARAMETER")
    assert names in refused.message


@pytest.mark.parametrize("path", ["/", "/v2/listen", "/v1/listen/", "//v1/listen", "/V1/LISTEN", "//[::1/", ""])
def test_any_other_path_is_not_found(path: str) -> None:
    refused = refusal(f"{path}?encoding=linear16&sample_rate=16000")
    assert (refused.status, refused.code) == (404, "NOT_FOUND")


@given(st.text() | st.text().map("/v1/listen?".__add__) | st.text().map((RAW + "&channels=").__add__))
def test_any_target_is_read_or_refused(target: str) -> None:
    try:
        request = read(target)
    except HandshakeRefused as refused:
        assert refused.status in (400, 404)
    else:
        assert 8000 <= request.sample_rate <= 48_000
        assert 1 <= request.channels <= 8


def test_a_refusal_has_deepgrams_body() -> None:
    request_id = uuid4()
    body = json.loads(HandshakeRefused(401, "INVALID_AUTH", 'Not "you".').body(request_id))
    assert body == {"err_code": "INVALID_AUTH", "err_msg": 'Not "you".', "request_id": str(request_id)}


@pytest.mark.parametrize(
    ("channels", "multichannel", "ears", "block"),
    [(1, False, 1, 2), (1, True, 1, 2), (2, False, 1, 4), (8, True, 8, 16)],
)
def test_channels_are_recognized_separately_only_when_asked(
    channels: int, multichannel: bool, ears: int, block: int
) -> None:
    request = Request(16_000, channels=channels, multichannel=multichannel)
    assert (request.separate_channels, request.block) == (ears, block)


@pytest.mark.parametrize("header", ["Token k3y", "token k3y", "Bearer k3y", "bearer  k3y "])
def test_the_key_is_accepted_under_both_schemes(header: str) -> None:
    assert authorized(header, "k3y")


@pytest.mark.parametrize("header", [None, "", "k3y", "Token", "Token ", "Token k3y2", "Token K3Y", "Basic k3y"])
def test_a_request_without_the_key_is_refused(header: str | None) -> None:
    assert not authorized(header, "k3y")


@pytest.mark.parametrize("header", [None, "", "Token anything"])
def test_where_there_is_no_key_everybody_is_let_in(header: str | None) -> None:
    assert authorized(header, None)

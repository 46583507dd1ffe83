"""What a Deepgram client may ask for, what it costs, and what goes upstream."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription_proxy.errors import Refusal
from transcription_proxy.metering import rates
from transcription_proxy.metering.audio import AudioFormat
from transcription_proxy.stream import listen_request
from transcription_proxy.stream.listen_request import MILLISECONDS, V1, V2, ListenRequest, keyterm_tokens

RATES = rates.load()
RAW = "model=nova-3&encoding=linear16&sample_rate=16000"


def read(query: str, path: str = V1, **options: Any) -> ListenRequest:
    return listen_request.read(path, query, RATES, **options)


def test_raw_audio_is_measured_in_bytes() -> None:
    request = read(RAW + "&channels=2&multichannel=true")
    assert (request.audio, request.is_raw, request.channels_billed) == (AudioFormat("linear16", 16000, 2), True, 2)
    assert (request.micro, request.hold_cap) == (2_000_000, 90)
    assert read(RAW + "&channels=2").channels_billed == 1


@pytest.mark.parametrize(
    "query",
    ["encoding=opus&sample_rate=16000", "", "encoding=linear16", "encoding=linear16&sample_rate=0", "sample_rate=16000",
     "encoding=linear16&sample_rate=16000&channels=21", "encoding=linear16&sample_rate=x", "encoding=LINEAR16"],
)  # fmt: skip
def test_all_other_audio_is_measured_by_the_upstream(query: str) -> None:
    request = read(f"model=nova-3&{query}")
    assert (request.audio, request.is_raw) == (MILLISECONDS, False)


def test_a_millisecond_is_a_byte_of_the_unit_for_other_audio() -> None:
    assert (MILLISECONDS.block, MILLISECONDS.bytes_per_second, MILLISECONDS.milliseconds(1234)) == (1, 1000, 1234)


@pytest.mark.parametrize(
    ("more", "credits", "cost"),
    [
        ("", "1", "0.006"),
        ("&diarize=true", "1.34", "0.0080"),
        ("&diarize=false&redact=false&detect_entities=false&keyterm=", "1", "0.006"),
        ("&diarize_model=latest", "1.34", "0.0080"),
        ("&diarize=true&diarize_model=latest", "1.34", "0.0080"),
        ("&redact=pci&redact=ssn", "1.34", "0.0080"),
        ("&redact=false&redact=ssn", "1.34", "0.0080"),
        ("&detect_entities=true", "1.29", "0.0077"),
        ("&keyterm=a&keyterm=b", "1.22", "0.0073"),
        ("&key%74erm=a", "1.22", "0.0073"),
        ("&language=multi&diarize=true", "1.54", "0.0092"),
        ("&punctuate=true&no_delay=true&surprise=1", "1", "0.006"),
    ],
)
def test_add_ons_and_languages_have_their_prices(more: str, credits: str, cost: str) -> None:
    rate = read(RAW + more).rate
    assert (Decimal(rate.micro) / 1_000_000, rate.cost) == (Decimal(credits), Decimal(cost))


@pytest.mark.parametrize("name", sorted(listen_request.SINGLE))
def test_a_repeat_of_what_decides_the_price_does_not_pass(name: str) -> None:
    first = {"model": "nova-3", "language": "en"}.get(name, "true")
    query = f"{name}={first}&x=1&{name}=other" if name == "model" else f"model=nova-3&{name}={first}&x=1&{name}=other"
    try:
        assert read(query).query == query.removesuffix(f"&{name}=other")
    except Refusal as refusal:
        assert name == "multichannel", refusal


@given(st.lists(st.sampled_from(["keyterm=a+b", "keyterm=c%20d", "tag=x", "x", "y=", "replace=a%3Ab"]), max_size=8))
def test_everything_else_passes_in_its_order_and_encoding(pieces: list[str]) -> None:
    query = "&".join([RAW, *pieces])
    assert read(query).query == query
    assert read(query).target(UUID(int=1)) == f"/v1/listen?{query}&tag={UUID(int=1)}"


@pytest.mark.parametrize(
    ("query", "path", "code", "named"),
    [
        (RAW + "&callback=http%3A%2F%2Fx", V1, "invalid_config", "callback"),
        (RAW + "&callback_method=PUT", V1, "invalid_config", "callback"),
        ("model=enhanced", V1, "invalid_config", "enhanced"),
        ("encoding=linear16", V1, "invalid_config", "base"),
        ("model=flux-general-en", V1, "invalid_config", "/v2/listen"),
        ("model=nova-3", V2, "invalid_config", "/v2/listen"),
        ("", V2, "invalid_config", "/v2/listen"),
        ("model=nova-3&multichannel=true", V1, "invalid_config", "multichannel"),
    ],
)
def test_what_cannot_be_metered_or_priced_is_refused(query: str, path: str, code: str, named: str) -> None:
    with pytest.raises(Refusal, match=named) as caught:
        read(query, path)
    assert caught.value.code == code


def test_a_key_may_be_limited_to_models() -> None:
    assert read(RAW, models=["nova-3"]).model == "nova-3"
    with pytest.raises(Refusal, match="nova-3") as caught:
        read(RAW, models=["nova-2"])
    assert caught.value.code == "forbidden"


def test_an_add_on_without_a_price_is_refused_also_in_mid_stream() -> None:
    cheap = rates.load('models.nova-3 = { cost_per_minute = "0", credits_per_second = "1" }')
    with pytest.raises(Refusal, match="diarize"):
        listen_request.read(V1, RAW + "&diarize=true", cheap)
    assert listen_request.read(V1, RAW, cheap).keyterm is None


def test_the_rate_with_and_without_keyterms() -> None:
    for query in (RAW, RAW + "&keyterm=a"):
        request = read(query)
        assert [request.micro_with_keyterms(has) for has in (False, True)] == [1_000_000, 1_220_000]


def test_flux_has_its_own_models_and_no_language() -> None:
    request = read("model=flux-general-multi&encoding=linear16&sample_rate=16000&language=multi", V2)
    assert (request.rate.micro, request.path) == (1_300_000, V2)


@pytest.mark.parametrize(("terms", "tokens"), [([], 0), (["a b", "c"], 3), (["heliotrope"], 3), (["日本語"], 3)])
def test_terms_are_counted_by_their_words_and_length(terms: list[str], tokens: int) -> None:
    assert keyterm_tokens(terms) == tokens

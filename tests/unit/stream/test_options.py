"""What may stand in `config`, what it costs, and how it is asked of the upstream."""

from typing import Any

import pytest

from transcription_proxy.metering import rates
from transcription_proxy.metering.audio import AudioFormat
from transcription_proxy.stream import options
from transcription_proxy.stream.options import InvalidConfig, Options

RATES = rates.load()


def read(**config: Any) -> Options:
    return options.read(config, RATES)


# Defaults


@pytest.mark.parametrize("config", [None, {}])
def test_nothing_at_all_means_the_defaults(config: Any) -> None:
    chosen = options.read(config, RATES)
    assert (chosen.model, chosen.language, chosen.audio) == ("nova-2", "en-US", AudioFormat("linear16", 16000, 1))
    assert (chosen.channels_billed, chosen.rate.micro, chosen.micro, chosen.hold_cap) == (1, 1_000_000, 1_000_000, 45)
    assert chosen.query == (
        ("model", "nova-2"), ("language", "en-US"), ("interim_results", "true"),
        ("encoding", "linear16"), ("sample_rate", "16000"), ("channels", "1"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value", "asked"),
    [
        ("model", "nova-3", "nova-3"),
        ("language", "de", "de"),
        ("interim_results", False, "false"),
        ("encoding", "mulaw", "mulaw"),
        ("sample_rate", 8000, "8000"),
        ("channels", 2, "2"),
    ],
)
def test_one_choice_leaves_the_other_defaults(key: str, value: Any, asked: str) -> None:
    assert dict(read(**{key: value}).query) == {**dict(read().query), key: asked}


# How it is asked


@pytest.mark.parametrize(
    ("key", "value", "asked"),
    [
        ("model", "nova-2-meeting", ["nova-2-meeting"]),
        ("language", "multi", ["multi"]),
        ("language", "zh-Hant-TW", ["zh-Hant-TW"]),
        ("interim_results", False, ["false"]),
        ("endpointing", 300, ["300"]),
        ("endpointing", 0, ["0"]),
        ("endpointing", False, ["false"]),
        ("utterance_end_ms", 1000, ["1000"]),
        ("vad_events", True, ["true"]),
        ("punctuate", True, ["true"]),
        ("smart_format", False, ["false"]),
        ("numerals", True, ["true"]),
        ("profanity_filter", True, ["true"]),
        ("filler_words", True, ["true"]),
        ("diarize", True, ["true"]),
        ("keyterm", "Kubernetes", ["Kubernetes"]),
        ("keyterm", ["one", "two words", "drei ümlaut"], ["one", "two words", "drei ümlaut"]),
        ("keywords", ["a:2", "b"], ["a:2", "b"]),
        ("replace", "this:that", ["this:that"]),
        ("encoding", "alaw", ["alaw"]),
        ("sample_rate", 48000, ["48000"]),
        ("channels", 8, ["8"]),
        ("multichannel", True, ["true"]),
    ],
)
def test_each_option_is_asked_of_the_upstream_as_it_understands_it(key: str, value: Any, asked: list[str]) -> None:
    assert [item for name, item in read(**{key: value}).query if name == key] == asked


def test_every_option_of_the_contract_is_offered_and_no_other() -> None:
    assert set(options.CHECKS) == {
        "model", "language", "interim_results", "endpointing", "utterance_end_ms", "vad_events", "punctuate",
        "smart_format", "numerals", "profanity_filter", "filler_words", "diarize", "keyterm", "keywords", "replace",
        "encoding", "sample_rate", "channels", "multichannel",
    }  # fmt: skip


# What it costs


@pytest.mark.parametrize(
    ("config", "rate_micro", "channels"),
    [
        ({}, 1_000_000, 1),
        ({"language": "multi"}, 1_200_000, 1),
        ({"diarize": True}, 1_340_000, 1),
        ({"diarize": False}, 1_000_000, 1),
        ({"keyterm": "a"}, 1_220_000, 1),
        ({"diarize": True, "keyterm": ["a", "b"], "language": "multi"}, 1_760_000, 1),
        ({"keywords": "a", "replace": "a:b", "smart_format": True}, 1_000_000, 1),
        ({"channels": 3}, 1_000_000, 1),
        ({"channels": 3, "multichannel": False}, 1_000_000, 1),
        ({"channels": 3, "multichannel": True}, 1_000_000, 3),
        ({"multichannel": True}, 1_000_000, 1),
    ],
)
def test_addons_language_and_channels_make_the_rate(config: dict[str, Any], rate_micro: int, channels: int) -> None:
    chosen = read(**config)
    assert (chosen.rate.micro, chosen.channels_billed) == (rate_micro, channels)
    assert chosen.micro == rate_micro * channels


def test_what_the_engine_takes_is_kept_with_what_the_user_pays() -> None:
    assert read().rate.cost_micro == 6_000
    assert read(language="multi", diarize=True, keyterm="a").rate.cost_micro == 10_500


@pytest.mark.parametrize(("credits_per_second", "cap"), [("1", 45), ("1.2", 54), ("0.01", 1), ("0.05", 2)])
def test_a_hold_is_at_most_45_s_of_audio_and_at_least_one_credit(credits_per_second: str, cap: int) -> None:
    table = f'[models.nova-2]\ncredits_per_second = "{credits_per_second}"\ncost_per_minute = "0"'
    assert options.read(None, rates.load(table)).hold_cap == cap


# What is refused


@pytest.mark.parametrize("config", [[], "nova-2", 1, True, 0, ""])
def test_a_config_that_is_no_object_is_refused(config: Any) -> None:
    with pytest.raises(InvalidConfig, match=r"config must be an object\."):
        options.read(config, RATES)


@pytest.mark.parametrize("key", ["callback", "tag", "Model", "", "version", "redact"])
def test_an_option_that_is_none_of_this_service_is_named(key: str) -> None:
    with pytest.raises(InvalidConfig, match=rf"^config\.{key} is not an option"):
        read(**{key: True})


def test_a_very_long_name_is_not_repeated_whole() -> None:
    with pytest.raises(InvalidConfig) as error:
        read(**{"x" * 10_000: 1})
    assert len(str(error.value)) < 100


WRONG: dict[str, list[Any]] = {
    "model": ["", "nova 2", "-nova", "a" * 65, 2, None, ["nova-2"], "nova-2\n", "ñova"],
    "language": ["", "e", "en_US", "en-", "en-US\n", "a" * 9, 1, None, "en-a-b-c-d"],
    "interim_results": ["true", 1, 0, None, []],
    "endpointing": [True, -1, 60_001, 1.5, "300", None],
    "utterance_end_ms": [False, True, 0, -1, 60_001, 1000.0, "1000"],
    "vad_events": ["yes", 1, None],
    "diarize": ["true", 1],
    "keyterm": ["", [""], "a" * 201, ["a"] * 101, ["a" * 200] * 21, 1, [1], {}, "a\nb", ["\0"]],
    "keywords": [None, True],
    "replace": [[["a"]], "\x7f"],
    "encoding": ["opus", "LINEAR16", "", 16, None, ["linear16"]],
    "sample_rate": [7999, 48_001, 16000.0, "16000", True, None],
    "channels": [0, 9, -1, 1.0, "1", True, None],
    "multichannel": ["true", 2],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in WRONG.items() for value in values])
def test_a_value_of_the_wrong_kind_is_refused_and_its_option_named(key: str, value: Any) -> None:
    with pytest.raises(InvalidConfig, match=rf"^config\.{key} must be "):
        read(**{key: value})


@pytest.mark.parametrize("terms", ["a" * 200, ["a"] * 100, ["a" * 200] * 20])
def test_terms_may_be_as_many_and_as_long_as_the_request_bears(terms: Any) -> None:
    chosen = read(keywords=terms)
    assert sum(len(item) for name, item in chosen.query if name == "keywords") == len("".join(terms))


def test_a_model_without_a_rate_is_refused_and_the_offer_named() -> None:
    with pytest.raises(InvalidConfig, match=r"^config\.model: .*whisper.*nova-2, nova-3"):
        read(model="whisper-large")


@pytest.mark.parametrize(("addon", "value"), [("diarize", True), ("keyterm", "a")])
def test_an_addon_without_a_rate_is_refused(addon: str, value: Any) -> None:
    plain = rates.load('[models.nova-2]\ncredits_per_second = "1"\ncost_per_minute = "0"')
    with pytest.raises(InvalidConfig, match=rf"^config\.{addon}: "):
        options.read({addon: value}, plain)
    assert options.read({"diarize": False}, plain).rate.micro == 1_000_000


def test_an_empty_list_of_terms_is_none_and_costs_nothing() -> None:
    chosen = options.read({"keyterm": [], "replace": []}, RATES)
    assert chosen.rate.micro == options.read(None, RATES).rate.micro
    assert chosen.query == options.read(None, RATES).query


def test_a_model_of_another_path_is_refused() -> None:
    with pytest.raises(InvalidConfig, match="/v2/listen"):
        read(model="flux-general-en")

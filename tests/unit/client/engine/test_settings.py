"""The `config` of an engine: the plan's keys, with what is missing or wrong told in a sentence."""

from typing import Any

import pytest

from transcription_client.engine import sentences, settings
from transcription_client.errors import ClientError

MANAGED = {"mode": "managed", "server_url": "https://captions.example.com", "auth_token": "a-token"}
BYOK = {"mode": "byok", "byok_api_key": "a-key"}


def test_the_plans_keys_are_enough() -> None:
    plan = {
        "mode": "managed", "server_url": "https://captions.example.com", "auth_token": "a-token", "byok_api_key": "",
        "deepgram_model": "nova-3", "language": "de",
    }  # fmt: skip
    read = settings.read(plan)
    assert (read.mode, read.server_url, read.auth_token) == ("managed", "https://captions.example.com", "a-token")
    assert read.session == {
        "model": "nova-3", "language": "de", "interim_results": True, "punctuate": True, "encoding": "linear16",
        "sample_rate": 16_000, "channels": 1,
    }  # fmt: skip
    assert not read.falls_back


def test_what_is_left_out_has_a_default() -> None:
    read = settings.read(BYOK)
    assert (read.session["model"], read.session["language"]) == ("nova-3", "en-US")
    assert read.deepgram_url == "wss://api.deepgram.com"


def test_a_model_that_is_not_named_is_left_to_the_service_and_fits_the_options() -> None:
    assert "model" not in settings.read(MANAGED | {"deepgram_model": " "}).session
    older = settings.read(BYOK | {"options": {"keywords": "a:2"}})
    assert older.session["model"] == "nova-2"  # nova-3 refuses keywords


def test_other_options_are_passed_on_but_the_audio_stays_as_it_is() -> None:
    read = settings.read(BYOK | {"options": {"diarize": True, "punctuate": False, "sample_rate": 8000}})
    assert (read.session["diarize"], read.session["punctuate"], read.session["sample_rate"]) == (True, False, 16_000)


@pytest.mark.parametrize(
    ("config", "mode"),
    [({"byok_api_key": "a-key"}, "byok"), (MANAGED | {"mode": ""}, "managed"), ({"mode": "local"}, "local")],
)
def test_the_mode(config: dict[str, Any], mode: str) -> None:
    assert settings.read(config).mode == mode


@pytest.mark.parametrize(
    ("config", "falls_back"),
    [
        (MANAGED | {"fallback": "local"}, True),
        (BYOK | {"fallback": "local"}, True),
        (MANAGED | {"fallback": ""}, False),
        (MANAGED | {"fallback": None}, False),
        ({"mode": "local", "fallback": "local"}, False),
        (MANAGED | {"fallback": "local", "language": "en-GB"}, True),
        (MANAGED | {"fallback": "local", "language": "de"}, False),
    ],
)
def test_the_fallback_is_asked_for_and_understands_english_only(config: dict[str, Any], falls_back: bool) -> None:
    assert settings.read(config).falls_back is falls_back


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"mode": "cloud"}, sentences.UNKNOWN_MODE),
        ({"mode": "local", "language": "de"}, sentences.ENGLISH_ONLY),
        ({}, sentences.NO_SERVER),
        (MANAGED | {"server_url": " "}, sentences.NO_SERVER),
        (MANAGED | {"auth_token": None}, sentences.NOT_LOGGED_IN),
        (BYOK | {"byok_api_key": ""}, sentences.NO_KEY),
        (BYOK | {"deepgram_url": "https://x"}, sentences.bad_deepgram_url("https://x")),
        (BYOK | {"deepgram_url": "wss://[x"}, sentences.bad_deepgram_url("wss://[x")),
        (BYOK | {"deepgram_url": "wss://:99999"}, sentences.bad_deepgram_url("wss://:99999")),
    ],
)
def test_what_is_missing_or_wrong(config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ClientError) as error:
        settings.read(config)
    assert str(error.value) == sentence

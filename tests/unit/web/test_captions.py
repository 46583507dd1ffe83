"""What may be chosen for a session, as pages and apps are told."""

import pytest

from transcription_proxy.metering import rates
from transcription_proxy.metering.audio import SAMPLE_BYTES
from transcription_proxy.stream import languages, options
from transcription_proxy.web.captions import describe

OWN = """
[models.nova-3]
cost_per_minute = "0"
credits_per_second = "1.5"
[models.own]
cost_per_minute = "0"
credits_per_second = "0.25"
[languages.DE]
cost_per_minute = "0"
credits_per_second = "3"
"""
EVERYWHERE = {
    "built-in file": rates.load(),
    "built-in engine": rates.load(builtin_engine=True),
    "own file": rates.load(OWN),
    "own file, built-in engine": rates.load(OWN, builtin_engine=True),
}


def test_the_built_in_rates_file_offers_what_the_contract_prices() -> None:
    found = describe(rates.load())
    assert found.engine == "deepgram"
    assert {model.id: model.credits_per_second for model in found.models} == {"nova-2": 1, "nova-3": 1}
    assert {addon.id: addon.credits_per_second for addon in found.addons} == {"diarize": 0.34, "keyterm": 0.22}
    assert {one.id: one.credits_per_second for one in found.languages if one.credits_per_second} == {"multi": 1.2}
    assert found.encodings == list(SAMPLE_BYTES)
    assert found.default == {**options.DEFAULTS, "model": "nova-3"}


def test_an_add_on_names_the_models_that_know_it() -> None:
    assert {addon.id: addon.models for addon in describe(rates.load()).addons} == {
        "diarize": ["nova-2", "nova-3"],
        "keyterm": ["nova-3"],
    }


def test_the_built_in_engine_is_one_model_that_knows_english_and_no_add_on() -> None:
    found = describe(rates.load(builtin_engine=True))
    assert found.engine == "builtin"
    assert [(model.id, model.name, model.credits_per_second, model.languages) for model in found.models] == [
        ("nova-2", "Built-in", 1, ["en-US"])
    ]
    assert [language.id for language in found.languages] == ["en-US"]
    assert (found.addons, found.encodings) == ([], ["linear16"])


def test_a_rates_file_of_ones_own_is_what_is_told() -> None:
    found = describe(rates.load(OWN))
    assert {model.id: model.credits_per_second for model in found.models} == {"nova-3": 1.5, "own": 0.25}
    assert found.models[1].languages is None
    assert [one.id for one in found.languages if one.credits_per_second == 3] == ["de"]
    assert {one.id for one in found.languages} == set(languages.NAMES)
    assert found.addons == []


@pytest.mark.parametrize("where", EVERYWHERE)
def test_whatever_is_offered_is_accepted(where: str) -> None:
    """Each model in each of its languages, with each add-on that it knows; and the config to begin with."""
    table = EVERYWHERE[where]
    offered = describe(table)
    assert options.read(offered.default, table).model in {model.id for model in offered.models}
    for model in offered.models:
        for language in model.languages or [one.id for one in offered.languages]:
            options.read({"model": model.id, "language": language}, table)
        values = {"diarize": True, "keyterm": "a"}
        for addon in offered.addons:
            if model.id in addon.models:
                chosen = options.read({"model": model.id, addon.id: values[addon.id]}, table)
                assert chosen.rate.micro / 1e6 == pytest.approx(model.credits_per_second + addon.credits_per_second)
    for encoding in offered.encodings:
        assert options.read({**offered.default, "encoding": encoding}, table).audio.encoding == encoding

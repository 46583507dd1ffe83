"""Which languages may be chosen for which model."""

import pytest

from transcription_proxy.stream import languages, options


@pytest.mark.parametrize("model", ["nova-2", "nova-2-general", "NOVA-2", "nova-3", "nova-3-general"])
def test_a_general_model_understands_many(model: str) -> None:
    spoken = languages.spoken(model)
    assert spoken is not None
    assert {"multi", "en-US", "de", "es-419", "ja", "zh-TW"} <= set(spoken)
    assert options.DEFAULTS["language"] in spoken


def test_the_newer_model_understands_more() -> None:
    older, newer = languages.spoken("nova-2"), languages.spoken("nova-3")
    assert older is not None
    assert newer is not None
    assert set(older) < set(newer)
    assert set(newer) - set(older) >= {"he", "ta", "ur"}


@pytest.mark.parametrize("model", ["nova-2-meeting", "nova-2-medical", "nova-3-medical", "Nova-2-Drivethru"])
def test_a_special_model_understands_english(model: str) -> None:
    spoken = languages.spoken(model)
    assert spoken is not None
    assert {language.partition("-")[0] for language in spoken} == {"en"}


@pytest.mark.parametrize("model", ["whisper", "own", "nova", "nova-4", ""])
def test_of_an_unknown_model_nothing_is_said(model: str) -> None:
    assert languages.spoken(model) is None
    assert languages.knows_keyterm(model)


@pytest.mark.parametrize(
    ("model", "knows"), [("nova-2", False), ("nova-2-meeting", False), ("nova-3", True), ("nova-3-medical", True)]
)
def test_keyterm_is_for_the_newer_models(model: str, knows: bool) -> None:
    assert languages.knows_keyterm(model) == knows


def test_every_language_has_a_name_of_its_own_and_could_stand_in_a_config() -> None:
    assert len(set(languages.NAMES.values())) == len(languages.NAMES)
    _, fits = options.CHECKS["language"]
    assert [language for language in languages.NAMES if not fits(language)] == []
    assert set(languages.BUILTIN_ENGINE) <= set(languages.NAMES)

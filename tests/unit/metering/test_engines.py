"""One name for whatever listened to a session."""

import pytest

from transcription_proxy.metering import rates
from transcription_proxy.metering.engines import BUILTIN, DEEPGRAM, engine_name


@pytest.mark.parametrize(
    ("engine", "model", "name"),
    [
        (BUILTIN, "nova-2", "Built-in"),
        (BUILTIN, "nova-3", "Built-in"),
        (BUILTIN, None, "Built-in"),
        (DEEPGRAM, "nova-3", "Nova-3"),
        (DEEPGRAM, "nova-2-meeting", "Nova-2-meeting"),
        (None, "nova-2", "Nova-2"),
        (None, None, "Unknown"),
    ],
)
def test_the_name_says_what_listened(engine: str | None, model: str | None, name: str) -> None:
    assert engine_name(engine, model) == name


def test_rates_name_their_engine() -> None:
    assert (rates.load().engine, rates.load(builtin_engine=True).engine) == (DEEPGRAM, BUILTIN)

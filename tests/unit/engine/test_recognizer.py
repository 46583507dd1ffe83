"""Bytes in, what was heard on which channel out; a scripted voice stands for the model."""

from collections.abc import Iterator

import numpy as np
import pytest

from tests.unit.engine.voices import Spoken, Voice
from transcription_engine.recognizer import RESET_SECONDS, ChannelEvent, Recognizer
from transcription_engine.request import Request
from transcription_engine.segments import Ended, Segment, Started

SECOND = bytes(32_000)
"""Of silence, 16 kHz mono."""
OPEN = Spoken(1, "It was", 0.25, 0.75, complete=False)
DONE = Spoken(1, "It was the best.", 0.25, 1.5)


def hearing(*voices: Voice, **wanted: object) -> Recognizer:
    opened: Iterator[Voice] = iter(voices)
    return Recognizer(Request(**{"sample_rate": 16_000, **wanted}), lambda: next(opened))  # type: ignore[arg-type]


def samples(*values: int) -> bytes:
    return np.array(values, "<i2").tobytes()


def texts(heard: list[ChannelEvent]) -> list[tuple[int, str, bool]]:
    return [(channel, what.text, what.is_final) for channel, what in heard if isinstance(what, Segment)]


def test_samples_reach_the_model_between_minus_one_and_one() -> None:
    voice = Voice()
    hearing(voice).feed(samples(-32768, 0, 16384, 32767))
    assert voice.samples.tolist() == [-1, 0, 0.5, 32767 / 32768]


@pytest.mark.parametrize("cut", [1, 2, 3, 5])
@pytest.mark.parametrize("channels", [1, 2])
def test_audio_may_be_cut_anywhere(cut: int, channels: int) -> None:
    voices = [Voice() for _ in range(channels)]
    heard = hearing(*voices, channels=channels, multichannel=True)
    audio = samples(*range(1, 13))
    for begin in range(0, len(audio), cut):
        heard.feed(audio[begin : begin + cut])
    apart = [(32768 * voice.samples).tolist() for voice in voices]
    assert apart == [list(range(1 + channel, 13, channels)) for channel in range(channels)]


def test_channels_are_mixed_unless_they_are_wanted_apart() -> None:
    voice = Voice()
    hearing(voice, channels=2).feed(samples(100, 300, -100, 100))
    assert (32768 * voice.samples).tolist() == [200, 0]


def test_channels_recognized_separately_have_results_of_their_own() -> None:
    heard = hearing(Voice([OPEN]), Voice((), [DONE]), channels=2, multichannel=True, interim_results=True)
    assert texts(heard.feed(SECOND * 2)) == [(0, "It was", False), (1, "", True)]
    assert texts(heard.feed(SECOND * 2)) == [(1, "It was the best.", True)]


def test_other_rates_reach_the_model_at_16_khz() -> None:
    voice = Voice()
    hearing(voice, sample_rate=48_000).feed(bytes(2 * 48_000))
    assert len(voice.samples) == pytest.approx(16_000, abs=20)


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16_000, 2), (44_100, 1), (48_000, 8)])
def test_the_clock_is_the_audio(rate: int, channels: int) -> None:
    heard = hearing(Voice(), sample_rate=rate, channels=channels)
    second = bytes(2 * rate * channels)
    assert heard.feed(second) == [(0, Segment("", 0, 1, is_final=True))]
    assert heard.feed(second[1:]) == []
    assert heard.feed(second[:1]) == [(0, Segment("", 1, 1, is_final=True))]


def test_interims_come_only_when_asked_for() -> None:
    assert texts(hearing(Voice([OPEN]), interim_results=True).feed(SECOND)) == [(0, "It was", False)]
    assert texts(hearing(Voice([OPEN])).feed(SECOND)) == []
    assert texts(hearing(Voice([OPEN], [DONE])).feed(SECOND)) == []


def test_the_start_of_speech_is_reported_only_when_asked_for() -> None:
    assert hearing(Voice([OPEN]), vad_events=True).feed(SECOND) == [(0, Started(0.25))]
    assert hearing(Voice([OPEN]), utterance_end_ms=1000).feed(SECOND) == []


def test_the_end_of_an_utterance_is_reported_only_when_asked_for() -> None:
    ends = hearing(Voice([DONE]), utterance_end_ms=1000)
    assert (0, Ended(1.75)) not in ends.feed(SECOND * 2)
    assert (0, Ended(1.75)) in ends.feed(SECOND)
    other = hearing(Voice([DONE]), vad_events=True)
    assert not any(isinstance(what, Ended) for _, what in other.feed(SECOND * 2) + other.feed(SECOND * 9))


@pytest.mark.parametrize(("endpointing", "speech_final"), [(10, True), (500, True), (None, False)])
def test_a_final_ends_a_speech_when_as_much_silence_follows_as_was_asked_for(
    endpointing: int | None, speech_final: bool
) -> None:
    [(_, said)] = hearing(Voice([DONE]), endpointing=endpointing).feed(SECOND * 2)
    assert isinstance(said, Segment)
    assert (said.is_final, said.speech_final) == (True, speech_final)


def test_a_line_that_waits_is_an_interim() -> None:
    heard = hearing(Voice([DONE]), endpointing=1000, interim_results=True)
    assert texts(heard.feed(SECOND * 2)) == [(0, "It was the best.", False)]
    assert heard.feed(SECOND) == [
        (0, Segment("It was the best.", 0, 1.75, is_final=True, speech_final=True)),
        (0, Segment("", 1.75, 1.25, is_final=True)),
    ]


def test_finalize_makes_all_final_and_says_so_on_each_channel() -> None:
    heard = hearing(Voice([OPEN], rest=[DONE]), Voice(), channels=2, multichannel=True)
    assert heard.feed(SECOND) == []
    assert heard.finalize() == [
        (0, Segment("It was the best.", 0, 0.5, is_final=True, speech_final=True, from_finalize=True)),
        (1, Segment("", 0, 0.5, is_final=True, from_finalize=True)),
    ]


def test_of_several_lines_finalized_at_once_the_last_says_so() -> None:
    lines = [Spoken(1, "One.", 0.0, 0.25), Spoken(2, "Two.", 0.25, 0.25)]
    heard = hearing(Voice(rest=lines))
    heard.feed(SECOND)
    said = [what for _, what in heard.finalize() if isinstance(what, Segment)]
    assert [(what.text, what.from_finalize) for what in said] == [("One.", False), ("Two.", True)]


def test_a_finalize_of_nothing_is_confirmed() -> None:
    assert hearing(Voice()).finalize() == [(0, Segment("", 0, 0, is_final=True, from_finalize=True))]


def test_times_go_on_after_a_finalize_though_the_models_begin_again() -> None:
    heard = hearing(Voice((), [DONE]), vad_events=True)
    heard.feed(SECOND * 3)
    heard.finalize()
    assert heard.feed(SECOND * 2) == [
        (0, Started(3.25)),
        (0, Segment("It was the best.", 3, 1.75, is_final=True, speech_final=True)),
    ]


def test_the_last_words_are_final_and_from_no_finalize() -> None:
    heard = hearing(Voice([OPEN], rest=[DONE]))
    heard.feed(SECOND)
    assert heard.finish() == [(0, Segment("It was the best.", 0, 1, is_final=True, speech_final=True))]


def test_where_all_is_final_there_are_no_last_words() -> None:
    heard = hearing(Voice())
    heard.feed(SECOND * 2)
    assert heard.finish() == []


def test_the_model_forgets_between_two_lines_every_few_minutes() -> None:
    voice = Voice()
    heard = hearing(voice)
    minutes = int(RESET_SECONDS)
    for _ in range(minutes):
        heard.feed(SECOND)
    assert voice.finishes == 0
    heard.feed(SECOND)
    assert voice.finishes == 1
    for _ in range(minutes):
        heard.feed(SECOND)
    assert voice.finishes == 1
    assert heard.feed(SECOND)[0] == (0, Segment("", 2 * minutes + 1, 1, is_final=True))
    assert voice.finishes == 2


def test_when_the_model_forgets_there_is_nothing_to_say() -> None:
    heard = hearing(Voice())
    said = [what for _ in range(int(RESET_SECONDS) + 1) for _, what in heard.feed(SECOND)]
    assert all(isinstance(what, Segment) and what.duration == 1 for what in said)
    assert len(said) == RESET_SECONDS + 1


def test_the_model_does_not_forget_while_somebody_speaks() -> None:
    voice = Voice([OPEN])
    heard = hearing(voice)
    for _ in range(int(RESET_SECONDS) + 9):
        heard.feed(SECOND)
    assert voice.finishes == 0


def test_all_of_the_models_streams_are_closed() -> None:
    voices = [Voice(), Voice()]
    hearing(*voices, channels=2, multichannel=True).close()
    assert [voice.closes for voice in voices] == [1, 1]

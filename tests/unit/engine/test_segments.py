"""From lines and a clock to interims and finals: a few stories, then what holds for any."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.engine.voices import Spoken
from transcription_engine.segments import MAX_FINAL_DELAY_SECONDS, Ended, Segment, Segments, SpeechEvent, Started


def interim(text: str, start: float, duration: float) -> Segment:
    return Segment(text, start, duration, is_final=False)


def final(text: str, start: float, duration: float, *, speech: bool = True) -> Segment:
    return Segment(text, start, duration, is_final=True, speech_final=speech)


def silence(start: float, duration: float) -> Segment:
    return final("", start, duration, speech=False)


def test_a_line_grows_and_becomes_final_at_its_own_end() -> None:
    segments = Segments()
    assert segments.update([Spoken(1, "It was", 0.25, 0.75, complete=False)], 1.0) == [
        Started(0.25),
        interim("It was", 0, 1.0),
    ]
    assert segments.is_speaking
    assert segments.update([Spoken(1, "It was the", 0.25, 1.25, complete=False)], 1.5) == [
        interim("It was the", 0, 1.5)
    ]
    assert segments.update([Spoken(1, "It was the best.", 0.25, 1.5)], 2.0) == [final("It was the best.", 0, 1.75)]
    assert not segments.is_speaking


def test_a_line_that_was_never_open_is_final_at_once() -> None:
    assert Segments().update([Spoken(1, "Yes.", 0.25, 0.5)], 1.0) == [Started(0.25), final("Yes.", 0, 0.75)]


def test_one_line_may_end_and_the_next_begin_in_one_turn() -> None:
    lines = [Spoken(1, "One.", 0.0, 1.0), Spoken(2, "Two", 1.25, 0.25, complete=False)]
    assert Segments().update(lines, 1.5) == [Started(0), final("One.", 0, 1), Started(1.25), interim("Two", 1, 0.5)]


def test_silence_is_an_empty_final_for_each_second() -> None:
    segments = Segments()
    said = [segments.update([], clock / 2) for clock in range(1, 7)]
    assert said == [[], [silence(0, 1)], [], [silence(1, 1)], [], [silence(2, 1)]]


def test_there_is_no_empty_final_while_somebody_speaks() -> None:
    segments = Segments()
    segments.update([Spoken(1, "Well", 0.5, 0.5, complete=False)], 1.0)
    assert segments.update([], 5.0) == []


def test_speech_that_the_model_dates_back_begins_after_the_last_final() -> None:
    segments = Segments()
    assert segments.update([], 1.0) == [silence(0, 1)]
    assert segments.update([Spoken(1, "Well.", 0.75, 0.75)], 1.5) == [Started(1), final("Well.", 1, 0.5)]


def test_a_line_that_ends_before_the_last_final_still_has_its_text() -> None:
    segments = Segments()
    segments.update([], 2.0)
    assert segments.update([Spoken(1, "Oh.", 0.5, 0.5)], 2.5) == [Started(2), final("Oh.", 2, 0)]


def test_a_line_never_ends_in_the_future() -> None:
    assert Segments().update([Spoken(1, "Well.", 1.25, 9.0)], 1.0) == [Started(1), final("Well.", 0, 1)]


@pytest.mark.parametrize(("endpointing", "clock"), [(0, 1.5), (0.01, 1.5), (0.3, 1.5), (0.75, 1.5), (1, 2.0)])
def test_a_line_is_final_with_the_end_of_speech_after_as_much_silence_as_endpointing_says(
    endpointing: float, clock: float
) -> None:
    """The line's own end holds a quarter second of silence."""
    segments = Segments(endpointing=endpointing)
    line = Spoken(1, "Yes.", 0.25, 0.75)
    assert segments.update([line], clock) == [Started(0.25), final("Yes.", 0, 1)] + [silence(1, 1)] * (clock == 2)


def test_a_line_is_an_interim_until_it_is_known_whether_speech_has_ended() -> None:
    segments = Segments(endpointing=1)
    assert segments.update([Spoken(1, "Yes.", 0.25, 0.75)], 1.0) == [Started(0.25), interim("Yes.", 0, 1)]
    assert segments.is_speaking
    assert segments.update([], 1.5) == [interim("Yes.", 0, 1.5)]
    assert segments.update([], 1.75) == [final("Yes.", 0, 1)]
    assert not segments.is_speaking


def test_a_line_is_final_without_the_end_of_speech_when_speech_goes_on_before() -> None:
    segments = Segments(endpointing=1)
    segments.update([Spoken(1, "Yes.", 0.25, 0.75)], 1.0)
    assert segments.update([Spoken(2, "And", 1.0, 0.5, complete=False)], 1.5) == [
        final("Yes.", 0, 1, speech=False),
        Started(1),
        interim("And", 1, 0.5),
    ]


def test_a_pause_between_two_lines_of_one_turn_is_as_long_as_it_was() -> None:
    lines = [Spoken(1, "One.", 0.0, 1.0), Spoken(2, "Two.", 1.25, 0.5)]
    heard = [Segments(endpointing=endpointing).update(lines, 4.0)[1] for endpointing in (0.5, 0.75, 1)]
    assert heard == [final("One.", 0, 1, speech=speech) for speech in (True, True, False)]


def test_a_very_long_endpointing_holds_no_line_back_for_long() -> None:
    """An empty final tells the end of speech when its time has come, once."""
    segments = Segments(endpointing=3.5)
    segments.update([Spoken(1, "Yes.", 0.25, 0.75)], 1.0)
    assert segments.update([], 1.0 + MAX_FINAL_DELAY_SECONDS) == [
        final("Yes.", 0, 1, speech=False),
        silence(1, MAX_FINAL_DELAY_SECONDS),
    ]
    said = [segments.update([], 3.0 + clock / 2) for clock in range(1, 7)]
    assert said == [[], [final("", 3, 1, speech=False)], [], [final("", 4, 1)], [], [final("", 5, 1, speech=False)]]


def test_without_endpointing_nothing_is_an_end_of_speech_and_lines_are_final_at_once() -> None:
    segments = Segments(endpointing=None)
    assert segments.update([Spoken(1, "Yes.", 0.0, 1.0)], 1.0)[1:] == [final("Yes.", 0, 1, speech=False)]
    assert segments.update([], 99.0) == [silence(1, 98)]
    assert segments.finish([Spoken(2, "No.", 1.0, 1.0)])[1:] == [final("No.", 99, 0, speech=False)]


def test_a_line_that_was_cut_is_no_end_of_speech_and_what_follows_no_start() -> None:
    segments = Segments()
    assert segments.update([Spoken(1, "It was", 0.0, 10.0, cut=True)], 10.0) == [Started(0), interim("It was", 0, 10)]
    assert segments.update([Spoken(2, "the best", 9.5, 1.0, complete=False)], 10.5) == [
        final("It was", 0, 10, speech=False),
        interim("the best", 10, 0.5),
    ]


def test_speech_may_end_where_a_line_was_cut() -> None:
    segments = Segments()
    segments.update([Spoken(1, "It was.", 0.0, 10.0, cut=True)], 10.0)
    assert segments.update([], 10.5) == [final("It was.", 0, 10)]
    assert segments.update([Spoken(2, "So", 11.0, 0.5, complete=False)], 11.5)[0] == Started(11)


def test_what_is_finished_is_final_up_to_now() -> None:
    segments = Segments()
    segments.update([Spoken(1, "It", 0.25, 0.75, complete=False)], 1.0)
    assert segments.finish([Spoken(1, "It was.", 0.25, 0.5)]) == [final("It was.", 0, 1)]


def test_a_line_that_is_still_open_when_all_is_finished_is_final_all_the_same() -> None:
    segments = Segments()
    segments.update([], 1.0)
    assert segments.finish([Spoken(1, "It was", 0.5, 0.5, complete=False)]) == [Started(1), final("It was", 1, 0)]
    assert not segments.is_speaking


def test_finishing_silence_gives_an_empty_final() -> None:
    segments = Segments()
    segments.update([], 0.5)
    assert segments.finish([]) == [silence(0, 0.5)]
    assert segments.finish([]) == []
    assert segments.finish([], confirm=True) == [silence(0.5, 0)]


def test_a_line_that_waits_is_final_up_to_now_when_all_is_finished() -> None:
    segments = Segments(endpointing=1)
    segments.update([Spoken(1, "Yes.", 0.25, 0.75)], 1.5)
    assert segments.finish([]) == [final("Yes.", 0, 1.5)]
    assert not segments.is_speaking


def test_an_open_line_that_disappears_is_dropped() -> None:
    segments = Segments()
    segments.update([Spoken(1, "Hm", 0.0, 0.5, complete=False)], 0.5)
    assert segments.finish([]) == [silence(0, 0.5)]
    assert not segments.is_speaking


def test_the_models_time_begins_again_when_all_is_finished() -> None:
    segments = Segments()
    segments.update([], 3.0)
    segments.finish([])
    assert segments.origin == 3.0
    assert segments.update([Spoken(1, "Go.", 0.25, 0.5)], 4.0) == [Started(3.25), final("Go.", 3, 0.75)]


def test_an_utterance_ends_once_after_that_much_silence() -> None:
    segments = Segments(utterance_end=1.0)
    segments.update([Spoken(1, "Yes.", 0.25, 0.5)], 1.0)
    assert segments.update([], 1.5) == []
    assert segments.update([], 2.0) == [silence(0.75, 1.25), Ended(0.75)]
    assert segments.update([], 2.5) == []


def test_an_utterance_does_not_end_while_somebody_speaks() -> None:
    segments = Segments(utterance_end=1.0)
    segments.update([Spoken(1, "Yes.", 0.25, 0.5), Spoken(2, "And", 0.9, 0.1, complete=False)], 1.0)
    assert segments.update([], 3.0) == []


def test_an_utterance_may_end_before_its_line_waited_enough() -> None:
    segments = Segments(endpointing=3, utterance_end=0.5)
    segments.update([Spoken(1, "Yes.", 0.25, 0.5)], 1.0)
    assert segments.update([], 1.5) == [final("Yes.", 0, 0.75, speech=False), Ended(0.75)]


def test_after_a_finalize_the_utterance_still_ends_where_speech_was_last_heard() -> None:
    segments = Segments(utterance_end=1.0)
    segments.update([], 0.75)
    segments.finish([Spoken(1, "Yes.", 0.25, 0.25)])
    assert segments.update([], 1.5) == [Ended(0.5)]


def test_without_utterance_end_there_is_no_ended_event() -> None:
    segments = Segments()
    segments.update([Spoken(1, "Yes.", 0.25, 0.5)], 1.0)
    assert segments.update([], 9.0) == [silence(0.75, 8.25)]


@dataclass(frozen=True, slots=True)
class Turn:
    """So much more audio, with what the model made of it; or all is finished, and confirmed or not."""

    seconds: float
    lines: Sequence[Spoken]
    finish: bool
    confirm: bool = False


seconds = st.integers(0, 640).map(lambda number: number / 64)
"""Exact in binary, so that sums are too."""
any_lines = st.builds(
    Spoken, st.integers(1, 5), st.text(max_size=3), seconds, seconds, complete=st.booleans(), cut=st.booleans()
)
stories = st.lists(st.builds(Turn, seconds, st.lists(any_lines, max_size=3), st.booleans(), st.booleans()), max_size=12)
any_segments = st.builds(Segments, endpointing=st.none() | seconds, utterance_end=st.none() | seconds)


def told(segments: Segments, story: list[Turn]) -> Iterator[tuple[float, Turn, list[SpeechEvent]]]:
    """What is said in each turn, and when."""
    clock = 0.0
    for turn in story:
        if turn.finish:
            yield clock, turn, segments.finish(turn.lines, confirm=turn.confirm)
        else:
            clock += turn.seconds
            yield clock, turn, segments.update(turn.lines, clock)


@given(any_segments, stories)
def test_finals_leave_no_gap_and_never_overlap(segments: Segments, story: list[Turn]) -> None:
    until = 0.0
    for clock, _, said in told(segments, story):
        for final in [heard for heard in said if isinstance(heard, Segment) and heard.is_final]:
            assert final.start == until
            until = final.start + final.duration
            assert final.start <= until <= clock


@given(any_segments, stories)
def test_interims_reach_from_the_last_final_to_now(segments: Segments, story: list[Turn]) -> None:
    until = 0.0
    for clock, _, said in told(segments, story):
        for segment in [heard for heard in said if isinstance(heard, Segment)]:
            assert segment.start == until
            if segment.is_final:
                until += segment.duration
            else:
                assert segment.start + segment.duration == clock
                assert not segment.speech_final


@given(any_segments, stories)
def test_speech_starts_and_utterances_end_in_order_and_never_in_the_future(
    segments: Segments, story: list[Turn]
) -> None:
    until = ended = 0.0
    for clock, _, said in told(segments, story):
        for heard in said:
            match heard:
                case Segment(start=start, duration=duration, is_final=True):
                    until = start + duration
                case Started(at):
                    assert until <= at <= clock
                case Ended(last_word_end):
                    assert ended <= last_word_end <= until
                    ended = last_word_end


@given(any_segments, stories)
def test_all_is_final_up_to_now_when_it_is_finished(segments: Segments, story: list[Turn]) -> None:
    until = 0.0
    for clock, turn, said in told(segments, story):
        finals = [heard for heard in said if isinstance(heard, Segment) and heard.is_final]
        until = finals[-1].start + finals[-1].duration if finals else until
        if turn.finish:
            assert until == clock
            assert said == [] or said[-1] == finals[-1]
            assert finals or not turn.confirm
            assert not segments.is_speaking


@given(any_segments, stories)
def test_every_text_is_final_once_and_in_order(segments: Segments, story: list[Turn]) -> None:
    completed = [line.text for turn in story for line in turn.lines if line.complete or turn.finish]
    said = [heard for _, _, said in told(segments, [*story, Turn(0, [], finish=True)]) for heard in said]
    finals = [heard.text for heard in said if isinstance(heard, Segment) and heard.is_final]
    assert [text for text in finals if text] == [text for text in completed if text]


@given(any_segments, stories)
def test_no_speech_ends_twice(segments: Segments, story: list[Turn]) -> None:
    lines = ends = 0
    for _, turn, said in told(segments, story):
        lines += len(turn.lines)
        ends += sum(isinstance(heard, Segment) and heard.speech_final for heard in said)
        assert ends <= lines

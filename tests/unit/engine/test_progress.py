"""What a stream that is late tells of itself, and when it must not."""

import pytest

from transcription_engine.progress import MAX_TURN_SECONDS, REPORT_SECONDS, Progress
from transcription_engine.segments import Ended, Segment, Started


def interim(text: str, start: float, duration: float) -> Segment:
    return Segment(text, start, duration, is_final=False)


def test_progress_is_reported_after_some_time_without_results_and_then_as_often() -> None:
    progress = Progress(1, 100.0)
    assert progress.due_reports(100.0 + REPORT_SECONDS - 0.1) == []
    assert progress.due_reports(102.0) == [interim("", 0.0, 0.0)]
    assert progress.due_reports(103.9) == []
    progress.record_position(1.5, 103.9)
    assert progress.due_reports(104.0) == [interim("", 0.0, 1.5)]


def test_results_make_it_needless_and_events_do_not() -> None:
    progress = Progress(1, 100.0)
    progress.record_sent(0, interim("one", 0.0, 1.0), 100.9)
    progress.record_sent(0, Started(1.0), 102.8)
    progress.record_sent(0, Ended(1.0), 102.8)
    assert progress.due_reports(102.8) == []
    assert progress.due_reports(102.9) == [interim("one", 0.0, 1.0)]


def test_the_last_interim_words_are_repeated_up_to_what_was_heard_since() -> None:
    progress = Progress(1, 100.0)
    progress.record_sent(0, interim("one two", 2.0, 1.0), 100.0)
    progress.record_position(5.0, 100.5)
    assert progress.due_reports(102.0) == [interim("one two", 2.0, 3.0)]
    assert progress.due_reports(104.0) == [interim("one two", 2.0, 3.0)]


def test_words_that_are_final_are_not_repeated() -> None:
    progress = Progress(1, 100.0)
    progress.record_sent(0, interim("one", 0.0, 1.0), 100.0)
    progress.record_sent(0, Segment("one", 0.0, 2.0, is_final=True, speech_final=True), 100.0)
    progress.record_position(2.5, 100.0)
    assert progress.due_reports(102.0) == [interim("", 2.0, 0.5)]


def test_each_channel_has_its_own_words() -> None:
    progress = Progress(2, 100.0)
    progress.record_sent(1, interim("right", 1.0, 1.0), 100.0)
    progress.record_position(4.0, 100.0)
    assert progress.due_reports(102.0) == [interim("", 0.0, 4.0), interim("right", 1.0, 3.0)]


@pytest.mark.parametrize(("after", "told"), [(MAX_TURN_SECONDS - 0.1, True), (MAX_TURN_SECONDS, False)])
def test_nothing_is_reported_while_the_model_may_hang(after: float, told: bool) -> None:
    progress = Progress(1, 50.0)
    progress.record_position(1.0, 100.0)
    assert bool(progress.due_reports(100.0 + after)) is told
    progress.record_position(2.0, 120.0)
    assert progress.due_reports(122.0) == [interim("", 0.0, 2.0)]


def test_a_turn_that_began_or_another_ones_that_ended_is_a_sign_of_life() -> None:
    progress = Progress(1, 100.0)
    progress.record_turn(95.0)
    assert progress.due_reports(100.0 + MAX_TURN_SECONDS) == []
    progress.record_turn(105.0)
    assert progress.due_reports(100.0 + MAX_TURN_SECONDS) != []

"""What is shown, what can be saved, and how long minutes last: without a window."""

import pytest

from tests.unit.client.gui.fakes import words
from transcription_client.gui.captions import SHOWN, CaptionLog, Forecast, Shown
from transcription_client.output import Segment, as_vtt


@pytest.fixture
def log() -> CaptionLog:
    log = CaptionLog()
    log.begin(100.0)
    return log


def test_a_final_replaces_the_interim_words(log: CaptionLog) -> None:
    log.take(words("hello wor", final=False))
    assert (log.shown.finals, log.shown.interim) == ((), "hello wor")
    log.take(words("Hello world."))
    assert (log.shown.finals, log.shown.interim) == (("Hello world.",), "")


def test_a_final_without_text_withdraws_the_interim_words(log: CaptionLog) -> None:
    log.take(words("hm", final=False))
    log.take(words(""))
    assert (log.shown.finals, log.shown.interim) == ((), "")
    assert not log.unsaved


def test_interim_words_end_with_the_engine(log: CaptionLog) -> None:
    log.take(words("hello", final=False))
    log.end()
    assert log.shown.interim == ""


def test_interim_words_show_as_unfinished() -> None:
    assert Shown((), "hello wor").unfinished == "hello wor\u2026"
    assert Shown((), "Hello world, ").unfinished == "Hello world\u2026"
    assert Shown((), "").unfinished == ""


def test_a_second_start_goes_on_in_time(log: CaptionLog) -> None:
    log.take(words("one", start=1.0))
    log.begin(160.0)
    log.take(words("two", start=1.0))
    assert log.segments == [Segment(1.0, 3.0, "one"), Segment(61.0, 63.0, "two")]


def test_control_characters_are_not_shown(log: CaptionLog) -> None:
    log.take(words("a\x1b[2K\u202eb\nc"))
    assert log.shown.finals == ("a [2K b c",)


def test_only_the_last_finals_are_given_to_a_view_and_all_are_kept(log: CaptionLog) -> None:
    for number in range(SHOWN + 5):
        log.take(words(str(number)))
    assert log.shown.finals == tuple(str(number) for number in range(5, SHOWN + 5))
    assert len(log.segments) == SHOWN + 5


def test_what_is_cleared_begins_at_zero(log: CaptionLog) -> None:
    log.take(words("one"))
    log.clear()
    log.begin(500.0)
    log.take(words("two", start=0.5))
    assert log.segments == [Segment(0.5, 2.5, "two")]


def test_webvtt_has_the_same_cues_and_no_tags() -> None:
    assert as_vtt([Segment(0.5, 2.0, "a <b> & c --> d")]) == (
        "WEBVTT\n\n00:00:00.500 --> 00:00:02.000\na &lt;b&gt; &amp; c -&gt; d\n\n"
    )


def test_before_a_pace_is_known_a_second_lasts_a_second() -> None:
    forecast = Forecast()
    assert forecast.lasts() is None
    forecast.note(600, 0.0)
    assert forecast.lasts() == 600


def test_a_faster_pace_shortens_what_is_left() -> None:
    forecast = Forecast()
    for second in range(0, 61, 5):
        forecast.note(600 - 2 * second, float(second))
    assert forecast.lasts() == pytest.approx(480 / 2)


def test_the_pace_is_that_of_the_last_minute() -> None:
    forecast = Forecast()
    for second in range(0, 600, 5):
        forecast.note(10_000 - second if second < 300 else 10_000 - 300 - 3 * (second - 300), float(second))
    assert forecast.lasts() == pytest.approx((9700 - 3 * 295) / 3)


def test_a_balance_that_stands_still_lasts() -> None:
    forecast = Forecast()
    for second in range(0, 61, 5):
        forecast.note(600, float(second))
    assert forecast.lasts() is None


def test_a_purchase_begins_a_new_pace() -> None:
    forecast = Forecast()
    forecast.note(600, 0.0)
    forecast.note(540, 60.0)
    forecast.note(4140, 61.0)
    assert forecast.lasts() == 4140

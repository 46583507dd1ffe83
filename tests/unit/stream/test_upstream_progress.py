"""What the upstream was sent and what it answered, in session time."""

import json
from typing import Any

import pytest

from transcription_proxy.stream import deepgram
from transcription_proxy.stream.bill import AudioUsage
from transcription_proxy.stream.upstream_progress import UpstreamProgress

RATE = 1000
"""Bytes a second, so that a byte is a millisecond."""


def hearing(channels: int = 1) -> UpstreamProgress:
    """Return the progress of a first connection, opened at 0 s with the first byte."""
    new = UpstreamProgress(channels)
    new.begin_connection("request-1", 0, 0, 0.0)
    return new


def results(start: float, duration: float, text: str = "", **more: Any) -> deepgram.Results:
    alternatives = {"alternatives": [{"transcript": text}]}
    message = {"type": "Results", "start": start, "duration": duration, "channel": alternatives}
    parsed = deepgram.parse(json.dumps({**message, **more}).encode())
    assert isinstance(parsed, deepgram.Results)
    return parsed


def final(start: float, duration: float, channel: int = 0, channels: int = 1) -> deepgram.Results:
    return results(start, duration, "words", is_final=True, channel_index=[channel, channels])


def new(to: UpstreamProgress, message: deepgram.Message | deepgram.Unknown) -> bool:
    """Return whether the client gets the whole message; otherwise it must get nothing."""
    news = to.select_new(message)
    assert news in (message, None)
    return news is not None


def say(to: UpstreamProgress, message: deepgram.Message | deepgram.Unknown, sent_ms: int, now: float = 0.0) -> None:
    """Record a message of the upstream, when `sent_ms` of audio were sent."""
    to.record_message(message, sent_ms * RATE // 1000, sent_ms, now)


# Times


def test_the_first_connection_has_the_time_of_the_session() -> None:
    assert hearing().shift_ms == 0
    assert hearing().clock.is_session_clock


def test_own_silence_is_taken_off_the_time_of_its_connection() -> None:
    heard = hearing()
    heard.silence_ms = 100
    assert heard.shift_ms == -100
    say(heard, final(0.0, 2.1), 5000)
    assert (heard.final_ms, heard.results_ms) == (2000, 2000)


def test_a_later_connection_goes_on_where_its_audio_begins() -> None:
    heard = hearing()
    heard.silence_ms = 100
    heard.begin_connection("request-2", 7000, 7000, 20.0)
    assert (heard.shift_ms, heard.silence_ms, heard.connections, heard.request_id) == (7000, 0, 2, "request-2")
    heard.silence_ms = 100
    say(heard, final(0.0, 1.1), 9000)
    assert heard.final_ms == 8000


def test_what_was_never_sent_cannot_be_final() -> None:
    heard = hearing()
    say(heard, final(0.0, 60.0), 5000)
    assert (heard.final_ms, heard.results_ms) == (5000, 5000)


def test_only_final_results_make_audio_final() -> None:
    heard = hearing()
    say(heard, results(0.0, 3.0, "interim"), 5000)
    assert (heard.final_ms, heard.results_ms) == (0, 3000)


def test_what_is_final_stays_so() -> None:
    heard = hearing()
    say(heard, final(0.0, 3.0), 5000)
    say(heard, final(1.0, 0.5), 5000)
    assert (heard.final_ms, heard.results_ms) == (3000, 3000)


def test_audio_is_final_when_it_is_so_on_all_channels() -> None:
    heard = hearing(channels=2)
    say(heard, final(0.0, 3.0, 0, 2), 5000)
    assert heard.final_ms == 0
    say(heard, final(0.0, 2.0, 1, 2), 5000)
    assert heard.final_ms == 2000


@pytest.mark.parametrize("index", [[], [7, 8], [-1, 2], [1, 2]])
def test_an_odd_channel_counts_as_the_first(index: list[int]) -> None:
    heard = hearing(channels=1)
    say(heard, results(0.0, 3.0, "words", is_final=True, channel_index=index), 5000)
    assert heard.final_ms == 3000


# Repetition


def test_a_final_that_the_upstream_repeats_is_sent_once() -> None:
    heard = hearing(channels=2)
    say(heard, final(0.0, 3.0, 0, 2), 5000)
    say(heard, final(3.0, 1.0, 0, 2), 5000)
    assert not new(heard, final(0.0, 3.0, 0, 2))
    assert not new(heard, final(3.0, 1.0, 0, 2))
    assert new(heard, final(0.0, 3.0, 1, 2))
    assert new(heard, results(0.0, 3.0, "other words", is_final=True))
    assert new(heard, results(0.0, 3.0, "words"))


def test_finals_without_times_are_all_sent() -> None:
    heard = hearing()
    say(heard, final(0.0, 0.0), 5000)
    assert new(heard, final(0.0, 0.0))


def test_a_later_connection_may_say_at_the_same_times_of_its_own_what_is_new() -> None:
    heard = hearing()
    say(heard, final(0.0, 3.0), 5000)
    heard.begin_connection("request-2", 3000, 3000, 10.0)
    assert new(heard, final(0.0, 3.0))


@pytest.mark.parametrize(
    ("start", "duration", "repeated"),
    [(0.0, 1.0, True), (1.0, 1.9, True), (1.0, 2.0, False), (2.0, 1.0, False), (0.0, 0.0, True), (2.0, 0.0, False)],
)
def test_a_replay_repeats_what_lies_mostly_before_the_last_final(start: float, duration: float, repeated: bool) -> None:
    heard = hearing()
    say(heard, final(0.0, 3.0), 5000)
    heard.begin_connection("request-2", 1000, 1000, 10.0)
    assert new(heard, final(start, duration)) is not repeated
    assert new(heard, results(start, duration, "interim")) is not repeated


def test_each_channel_has_its_own_last_final() -> None:
    heard = hearing(channels=2)
    say(heard, final(0.0, 4.0, 0, 2), 5000)
    say(heard, final(0.0, 2.0, 1, 2), 5000)
    heard.begin_connection("request-2", 2000, 2000, 10.0)
    assert not new(heard, final(0.0, 2.0, 0, 2))
    assert new(heard, final(0.0, 2.0, 1, 2))


def test_a_duration_that_makes_no_sense_counts_as_none() -> None:
    heard = hearing()
    say(heard, final(0.0, 3.0), 5000)
    heard.begin_connection("request-2", 3000, 3000, 10.0)
    assert new(heard, final(0.0, -5.0))


def spoken(*words: tuple[str, float, float], start: float = 0.0, end: float = 5.0, **more: Any) -> deepgram.Results:
    """A final with words that have times."""
    timed = [{"word": word, "start": begin, "end": until} for word, begin, until in words]
    best = {"transcript": " ".join(word for word, _, _ in words), "words": timed, "confidence": 0.9}
    channel = {"alternatives": [best]}
    message = {"type": "Results", "start": start, "duration": end - start, "is_final": True, "channel": channel, **more}
    parsed = deepgram.parse(json.dumps(message).encode())
    assert isinstance(parsed, deepgram.Results)
    return parsed


def half_known() -> UpstreamProgress:
    """Two channels, final up to 4 s and 2 s; another connection gets the audio from 2 s on."""
    heard = hearing(channels=2)
    say(heard, final(0.0, 4.0, 0, 2), 6000)
    say(heard, final(0.0, 2.0, 1, 2), 6000)
    heard.begin_connection("request-2", 2000, 2000, 10.0)
    return heard


@pytest.mark.parametrize("end", [2.5, 3.5, 6.0])
def test_of_words_that_are_partly_known_the_others_are_sent(end: float) -> None:
    """Each word is sent once, however the new connection splits them."""
    heard = half_known()
    words = spoken(("a", 0.1, 0.9), ("b", 1.0, 1.9), ("c", 1.9, 2.2), ("d", 2.2, end), end=end)
    news = heard.select_new(words)
    assert isinstance(news, deepgram.Results)
    assert (news.text, news.start, news.duration, news.is_final) == ("c d", 2.0, end - 2.0, True)
    assert [word["word"] for word in news.channel.alternatives[0].word_list()] == ["c", "d"]
    assert news.channel.alternatives[0].confidence == 0.9


def test_known_words_are_not_sent_again_even_with_more_audio() -> None:
    assert half_known().select_new(spoken(("a", 0.1, 0.9), ("b", 1.0, 1.9))) is None


def test_words_that_are_all_new_are_sent_unchanged() -> None:
    heard, words = half_known(), spoken(("Well,", 2.1, 2.3), ("yes", 2.4, 2.5), end=2.6)
    assert heard.select_new(words) is words
    other = spoken(("a", 0.1, 0.9), channel_index=[1, 2])
    assert heard.select_new(other) is other


# Speech that begins and ends


def event(kind: str, at: float, channel: Any = None) -> deepgram.Message | deepgram.Unknown:
    name = "timestamp" if kind == "SpeechStarted" else "last_word_end"
    return deepgram.parse(json.dumps({"type": kind, name: at, "channel": channel}).encode())


EVENTS = pytest.mark.parametrize("kind", ["SpeechStarted", "UtteranceEnd"])


@EVENTS
def test_events_of_the_first_connection_are_all_sent(kind: str) -> None:
    heard = hearing()
    say(heard, results(0.0, 5.0, "words"), 6000)
    for _ in range(2):
        assert new(heard, event(kind, 3.0))
        say(heard, event(kind, 3.0), 6000)


@EVENTS
@pytest.mark.parametrize(("at", "told"), [(0.0, False), (2.0, False), (2.4, False), (2.6, True), (4.0, True)])
def test_a_replay_repeats_no_event_and_drops_none(kind: str, at: float, told: bool) -> None:
    heard = hearing()
    say(heard, event(kind, 3.0), 6000)
    heard.begin_connection("request-2", 1000, 1000, 10.0)
    assert new(heard, event(kind, at)) is told
    say(heard, event(kind, at), 6000)
    assert new(heard, event(kind, at)) is told


def test_speech_whose_words_are_known_has_begun_already() -> None:
    heard = hearing()
    say(heard, results(0.0, 5.0, "words"), 6000)
    say(heard, results(5.0, 1.0, ""), 6000)
    heard.begin_connection("request-2", 1000, 1000, 10.0)
    assert not new(heard, event("SpeechStarted", 3.9))
    assert new(heard, event("SpeechStarted", 4.0))
    assert new(heard, event("UtteranceEnd", 3.9))


def test_a_replay_that_begins_in_the_middle_of_speech_does_not_begin_it_again() -> None:
    heard = hearing()
    say(heard, event("SpeechStarted", 1.0), 6000)
    say(heard, final(0.0, 3.0), 6000)
    heard.begin_connection("request-2", 3000, 3000, 10.0)
    assert not new(heard, event("SpeechStarted", 0.2))
    assert new(heard, event("SpeechStarted", 0.6))


@pytest.mark.parametrize("end", ["UtteranceEnd", "speech_final"])
def test_a_replay_that_begins_after_speech_may_begin_it(end: str) -> None:
    heard = hearing()
    say(heard, event("SpeechStarted", 1.0), 6000)
    ended = event(end, 2.9) if end == "UtteranceEnd" else spoken(("a", 1.0, 2.9), speech_final=True)
    say(heard, ended, 6000)
    heard.begin_connection("request-2", 5000, 5000, 10.0)
    assert new(heard, event("SpeechStarted", 0.2))


@EVENTS
def test_each_channel_has_its_own_events(kind: str) -> None:
    heard = hearing(channels=2)
    say(heard, event(kind, 3.0, [0, 2]), 6000)
    heard.begin_connection("request-2", 0, 0, 10.0)
    assert not new(heard, event(kind, 3.0, [0, 2]))
    assert new(heard, event(kind, 3.0, [1, 2]))


def test_an_unknown_message_is_no_repetition() -> None:
    heard = half_known()
    assert new(heard, deepgram.Unknown())
    assert new(heard, deepgram.Metadata(duration=1.0))


# Own silence


def test_a_connection_is_untouched_until_it_is_sent_something() -> None:
    heard = hearing()
    assert heard.is_untouched(0)
    assert not heard.is_untouched(1)
    heard.silence_ms = 100
    assert not heard.is_untouched(0)
    heard.begin_connection("request-2", 4000, 4000, 10.0)
    assert heard.is_untouched(4000)
    assert not heard.is_untouched(4001)


# The watchdog


@pytest.mark.parametrize(
    ("sent", "seconds", "stalled"), [(15_000, 15.0, True), (14_999, 15.0, False), (15_000, 14.9, False)]
)
def test_an_upstream_has_stalled_after_15_s_of_audio_and_15_s_of_time_without_a_message(
    sent: int, seconds: float, stalled: bool
) -> None:
    assert hearing().check_stalled(sent, RATE, seconds) is stalled


@pytest.mark.parametrize("message", [deepgram.Unknown(), results(0.0, 1.0), deepgram.SpeechStarted(1.0)])
def test_any_message_is_a_sign_of_life(message: deepgram.Message | deepgram.Unknown) -> None:
    heard = hearing()
    say(heard, message, 10_000, 10.0)
    assert heard.check_at == 25.0
    assert not heard.check_stalled(24_999, RATE, 25.0)
    assert heard.check_stalled(25_000, RATE, 25.0)


def test_the_watchdog_restarts_with_a_connection_and_counts_the_replay() -> None:
    heard = hearing()
    heard.begin_connection("request-2", 5000, 5000, 100.0)
    assert heard.check_at == 115.0
    assert not heard.check_stalled(19_999, RATE, 115.0)
    assert heard.check_stalled(20_000, RATE, 115.0)


def test_a_quiet_upstream_is_checked_every_second() -> None:
    heard = hearing()
    assert heard.check_at == 15.0
    heard.check_stalled(0, RATE, 15.0)
    assert heard.check_at == 16.0


# For the bill


def test_one_connection_is_billed_by_its_metadata() -> None:
    heard = hearing()
    heard.silence_ms = 100
    say(heard, final(0.1, 2.0), 5000)
    say(heard, deepgram.Metadata(duration=4.2004, request_id="request-9"), 5000)
    assert heard.audio_usage(5000) == AudioUsage(
        forwarded=5000, reported_ms=4200, silence_ms=100, has_words=True, results_ms=2000
    )
    assert heard.request_id == "request-9"


def test_metadata_without_a_request_id_keeps_the_one_of_the_handshake() -> None:
    heard = hearing()
    say(heard, deepgram.Metadata(duration=1.0), 5000)
    assert heard.request_id == "request-1"


def test_metadata_before_other_words_was_not_the_closing_one() -> None:
    heard = hearing()
    say(heard, deepgram.Metadata(duration=1.0), 5000)
    say(heard, results(0.0, 1.0), 5000)
    assert heard.reported_ms is None


def test_several_connections_are_billed_by_what_was_sent() -> None:
    heard = hearing()
    heard.begin_connection("request-2", 0, 0, 10.0)
    say(heard, deepgram.Metadata(duration=4.0), 5000)
    assert heard.reported_ms == 4000
    assert heard.audio_usage(5000).reported_ms is None


def test_results_without_words_do_not_count_as_spoken() -> None:
    heard = hearing()
    say(heard, results(0.0, 1.0, ""), 5000)
    assert not heard.audio_usage(5000).has_words
    say(heard, results(0.0, 1.0, "hi"), 5000)
    say(heard, results(1.0, 1.0, ""), 5000)
    assert heard.audio_usage(5000).has_words

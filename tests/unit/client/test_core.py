"""Frames and their times, what is shown, and the receipt."""

import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription_client.core import (
    AHEAD_SECONDS,
    CATCH_UP_RATE,
    Captions,
    FastPace,
    Format,
    Lead,
    Pace,
    frames,
    printable,
    receipt,
    what_happened,
)
from transcription_wire import messages as wire

SECOND = Format().bytes_per_second
TENTH = Format().frame_bytes
JOINERS = "\u200c\u200d"


@pytest.mark.parametrize(
    ("audio", "bytes_per_second", "frame_bytes"),
    [
        (Format(), 32_000, 3_200),
        (Format("mulaw", 8_000), 8_000, 800),
        (Format("alaw", 8_000, 2), 16_000, 1_600),
        (Format("linear16", 44_100, 2), 176_400, 17_640),
        (Format("linear32", 11_025), 44_100, 4_408),
    ],
)
def test_a_format_knows_its_bytes(audio: Format, bytes_per_second: int, frame_bytes: int) -> None:
    assert (audio.bytes_per_second, audio.frame_bytes) == (bytes_per_second, frame_bytes)
    assert audio.frame_bytes % audio.block == 0


def test_a_format_that_only_the_service_may_refuse_has_bytes_too() -> None:
    odd = Format("opus", 1, 3)
    assert (odd.block, odd.bytes_per_second, odd.frame_bytes) == (3, 3, 3)


@given(st.lists(st.binary(max_size=50)), st.integers(1, 20))
def test_frames_are_the_same_bytes_in_equal_parts(pieces: list[bytes], size: int) -> None:
    cut = list(frames(pieces, size))
    assert b"".join(cut) == b"".join(pieces)
    assert all(len(frame) == size for frame in cut[:-1])
    assert all(0 < len(frame) <= size for frame in cut[-1:])


def test_a_frame_is_there_before_the_sound_after_it_is_read() -> None:
    def live() -> Iterator[bytes]:
        yield b"abc"
        raise AssertionError("read too far")

    assert next(frames(live(), 2)) == b"ab"


@given(st.floats(0, 1e6), st.lists(st.tuples(st.integers(1, 2 * TENTH), st.floats(0, 1)), min_size=1))
def test_a_frame_is_sent_when_it_has_been_spoken_whatever_held_up_those_before(
    began: float, steps: list[tuple[int, float]]
) -> None:
    pace, now, sent = Pace(Format()), began, 0
    for nbytes, held_up in steps:
        sent += nbytes
        wait = pace.wait(nbytes, now)
        assert wait >= 0
        assert now + wait == pytest.approx(max(now, began + sent / SECOND), abs=1e-6)
        now += wait + held_up


def test_live_sound_waits_whatever_has_come_back() -> None:
    pace = Pace(Format())
    pace.note_words(60.0)
    assert pace.wait(SECOND, 5.0) == 1.0


def spoken(start: float, duration: float, text: str = "words", *, final: bool = False) -> wire.Transcript:
    return wire.Transcript(text, final, 0.9, start, duration, final)


def sent_at_once(pace: FastPace) -> float:
    """How many seconds of sound go without waiting."""
    tenths = 0
    while pace.wait(TENTH, 0.0) == 0:
        tenths += 1
    return tenths / 10


def test_fast_sound_runs_ahead_of_the_words_only_so_far() -> None:
    pace = FastPace(Format())
    assert sent_at_once(pace) == AHEAD_SECONDS
    assert pace.wait(TENTH, 1000.0) == pytest.approx(0.1)  # silence has no words: it goes as fast as it lasts


def test_fast_sound_goes_on_when_its_words_come_back() -> None:
    pace = FastPace(Format())
    sent_at_once(pace)
    pace.note_words(5.0)
    pace.note_words(1.0)  # another channel's, further back
    assert sent_at_once(pace) == pytest.approx(5.0 - 0.1)  # the frame that waited has gone


@given(st.floats(0, 1e5), st.lists(st.floats(0, 0.5), min_size=1, max_size=50))
def test_live_sound_is_never_held_up(began: float, late: list[float]) -> None:
    lead = Lead(began)
    for tenth, held_up in enumerate(late, 1):
        assert lead.wait(tenth / 10, began + tenth / 10 + held_up) == 0


def test_sound_that_had_to_wait_goes_ten_seconds_ahead_and_then_twice_as_fast_as_it_was_spoken() -> None:
    lead = Lead(100.0)
    assert lead.wait(AHEAD_SECONDS, 100.0) == 0
    assert lead.wait(AHEAD_SECONDS + 4, 100.0) == 4 / CATCH_UP_RATE
    assert lead.wait(AHEAD_SECONDS + 4, 101.0) == 4 / CATCH_UP_RATE - 1
    assert lead.wait(AHEAD_SECONDS + 4, 110.0) == 0


def test_sound_that_had_to_wait_goes_on_as_fast_as_its_words_come_back() -> None:
    lead = Lead(100.0)
    lead.note_words(30.0)
    lead.note_words(20.0)  # another channel's, further back
    assert lead.wait(30 + AHEAD_SECONDS, 100.0) == 0
    assert lead.wait(32 + AHEAD_SECONDS, 100.0) == 32 / CATCH_UP_RATE


@pytest.mark.parametrize(
    ("messages", "status"),
    [
        ([], "0 s billed"),
        ([wire.Ready("id", 600)], "0 s billed, 10 min left"),
        ([wire.Ready("id", 600), wire.Usage(8, 592)], "8 s billed, 9 min 52 s left"),
        ([wire.Warning("behind", "Late.", 6.4)], "0 s billed - captions are 6 s behind"),
        ([wire.Warning("behind", "Late.", 6.4), wire.Warning("behind", "Over.", 0)], "0 s billed"),
        ([wire.Warning("behind", "Late.", 6.4), wire.Ready("id", 600)], "0 s billed, 10 min left"),
        ([wire.Warning("too_quiet", "Quiet."), wire.Alive()], "0 s billed"),
        ([wire.CreditsLow(50)], "0 s billed, 50 s left - low on minutes"),
        ([wire.Ready("id", 600), wire.UpstreamStatus("reconnecting")], "0 s billed, 10 min left - reconnecting..."),
        ([wire.UpstreamStatus("reconnecting"), wire.UpstreamStatus("connected")], "0 s billed"),
        ([wire.UpstreamStatus("reconnecting"), wire.Ready("id", 600)], "0 s billed, 10 min left"),
        ([wire.Ready("a", 600), wire.Usage(8, 592), wire.Ready("b", 590)], "8 s billed, 9 min 50 s left"),
        (
            [wire.Ready("a", 600), wire.Usage(8, 592), wire.Ready("b", 590), wire.Usage(3, 587)],
            "11 s billed, 9 min 47 s left",
        ),
        ([wire.Usage(8, 592), wire.SessionEnd(10, 9.5, "client_stop")], "10 s billed, 9 min 50 s left"),
        ([wire.Usage(8, 592), wire.SessionEnd(7, 6.5, "client_stop")], "7 s billed, 9 min 53 s left"),
        ([wire.SessionEnd(3, 2.5, "client_stop")], "3 s billed"),
        ([wire.SpeechStarted(1.0), wire.UtteranceEnd(2.0), wire.Error("busy", "Later.")], "0 s billed"),
    ],
)
def test_the_line_below_says_what_is_used_and_left(messages: list[wire.ServerMessage], status: str) -> None:
    captions = Captions()
    for message in messages:
        assert captions.take(message) is None
    assert captions.status() == status


@pytest.mark.parametrize(
    ("captions", "note"),
    [
        (
            Captions(reconnecting="it was cut, try 2", gap_seconds=1.0, low=True),
            " - reconnecting... (it was cut, try 2)",
        ),
        (Captions(reconnecting="", engine_delay=5), " - reconnecting..."),
        (Captions(engine_delay=5, connection_delay=6.4, gap_seconds=1.0), " - captions are 6 s behind"),
        (Captions(gap_seconds=1.25, low=True), " - 1.2 s of audio lost"),
        (Captions(low=True), " - low on minutes"),
    ],
)
def test_the_line_below_says_the_worst(captions: Captions, note: str) -> None:
    assert captions.status() == f"0 s billed{note}"


def test_interim_words_change_until_they_are_final() -> None:
    captions = Captions()
    assert captions.take(spoken(0, 1, "it wars")) is None
    assert captions.take(spoken(0, 2, "it was the")) is None
    assert captions.interim == "it was the"
    assert captions.take(spoken(0, 3, "It was the best.", final=True)) == "It was the best."
    assert captions.interim == ""


def channel(number: int, text: str, *, final: bool = False) -> wire.Transcript:
    return wire.Transcript(text, final, 0.9, 0.0, 1.0, final, channel=[number, 2])


def test_interim_words_that_are_withdrawn_are_gone_and_nothing_is_to_stay() -> None:
    captions = Captions()
    captions.take(spoken(0, 1, "hm"))
    assert captions.take(spoken(0, 2, "", final=True)) is None
    assert captions.interim == ""


def test_each_channel_has_interim_words_of_its_own() -> None:
    captions = Captions()
    captions.take(channel(1, "two"))
    captions.take(channel(0, "one"))
    assert captions.interim == "one\ntwo"
    assert captions.take(channel(0, "", final=True)) is None
    assert captions.interim == "two"


def test_another_session_repeats_interim_words() -> None:
    captions = Captions()
    captions.take(spoken(0, 1, "hm"))
    captions.take(wire.Ready("another", 600))
    assert captions.interim == ""


def test_final_words_that_were_shown_before_still_replace_interim_ones() -> None:
    captions = Captions()
    captions.take(spoken(0, 1, "known words and mo"))
    assert captions.take(spoken(0, 1, "known words", final=True), repeated=True) is None
    captions.take(spoken(0, 1, "known"), repeated=True)
    assert captions.interim == ""


def test_words_cannot_drive_the_terminal() -> None:
    captions = Captions()
    captions.take(spoken(0, 1, "\x1b[2Jred\x9b1mx"))
    assert captions.interim == " [2Jred 1mx"
    assert captions.take(spoken(0, 1, "a\x07\nb", final=True)) == "a  b"


@given(st.text())
def test_printable_text_has_no_control_or_formatting_characters(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert all(char in JOINERS or not unicodedata.category(char).startswith("C") for char in shown)
    assert all(after in (before, " ") for before, after in zip(text, shown, strict=True))


@pytest.mark.parametrize("text", ["naïve café", "日本語", "می\u200cخواهم", "क्\u200dष", "🙂 – “quoted”"])
def test_what_people_write_is_printed_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("end", "left", "line"),
    [
        (wire.SessionEnd(13, 12.3, "client_stop"), 3600, "Done: 12.3 s of audio, 13 s billed, 59 min 47 s left."),
        (wire.SessionEnd(0, 0.0, "idle"), None, "Captions stopped after a long silence. 0 s of audio, 0 s billed."),
        (
            wire.SessionEnd(9, 9.0, "insufficient_credits"),
            9,
            "You ran out of minutes, so captions stopped. 9 s of audio, 9 s billed, 0 s left.",
        ),
        (wire.SessionEnd(1, 1.0, "new\x1breason"), None, "Ended: new reason. 1 s of audio, 1 s billed."),
        (
            wire.SessionEnd(1, 1234567.8, "idle"),
            None,
            "Captions stopped after a long silence. 342 h 56 min 7.8 s of audio, 1 s billed.",
        ),
        (
            wire.SessionEnd(5, 5.0, "database_away", pending=True),
            None,
            "The service is temporarily unavailable. 5 s of audio, 5 s billed (shown in your balance later).",
        ),
    ],
)
def test_the_receipt(end: wire.SessionEnd, left: int | None, line: str) -> None:
    captions = Captions(seconds_remaining=left)
    captions.take(end)
    assert receipt(captions) == line


def two_sessions(first: wire.SessionEnd | None, second: wire.SessionEnd | None) -> Captions:
    captions = Captions()
    for name, left, end in (("a", 600, first), ("b", 592, second)):
        captions.take(wire.Ready(name, left))
        captions.take(wire.Usage(8, left - 8))
        if end is not None:
            captions.take(end)
    return captions


@pytest.mark.parametrize(
    ("first", "second", "line"),
    [
        (
            wire.SessionEnd(8, 7.7, "service_restart"),
            wire.SessionEnd(10, 9.6, "client_stop"),
            "Done: 17.3 s of audio, 18 s billed in 2 sessions, 9 min 42 s left.",
        ),
        (
            wire.SessionEnd(8, 7.7, "database_away", pending=True),
            wire.SessionEnd(10, 9.6, "client_stop"),
            "Done: 17.3 s of audio, 18 s billed in 2 sessions (shown in your balance later), 9 min 42 s left.",
        ),
        (
            None,
            wire.SessionEnd(10, 9.6, "client_stop"),
            "Done: 9.6 s of audio, 18 s billed in 2 sessions, or more. Run transcription-client balance to check.",
        ),
        (
            wire.SessionEnd(8, 7.7, "upstream_closed"),
            None,
            "The connection was lost. 7.7 s of audio, 16 s billed in 2 sessions, or more. "
            "Run transcription-client balance to check.",
        ),
    ],
)
def test_the_receipt_adds_all_sessions_up(
    first: wire.SessionEnd | None, second: wire.SessionEnd | None, line: str
) -> None:
    assert receipt(two_sessions(first, second)) == line


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("client_gone", "The connection was lost."),
        ("busy", "All caption slots are busy right now."),
        ("new\x1bword", "Ended: new word."),
    ],
)
def test_what_happened(word: str, sentence: str) -> None:
    assert what_happened(word) == sentence

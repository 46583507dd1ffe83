"""Warnings of late words, and of audio that no engine can understand."""

import json
import math
from array import array
from typing import Any

import pytest

from tests.unit.stream.driver import SECOND, SessionDriver, live, noise, results
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.phase import Phase
from transcription_proxy.stream.warnings import Lateness, Loudness
from transcription_wire.sentences import MUTED, QUIET

FULL = 1.0
HUM = 10 ** (-60 / 10)
WEBM = b"\x1aE\xdf\xa3" + noise(0.1)


def warned(driver: SessionDriver) -> list[tuple[str, Any]]:
    return [(each["code"], each.get("seconds")) for each in driver.messages_of("warning")]


def speak(driver: SessionDriver, seconds: float, *, late: float | None, data: bytes = noise(0.1)) -> None:
    """Send audio in real time; every half second come Results up to `late` seconds before its end, or none."""
    for count in range(round(seconds * 10)):
        driver.wait(0.1)
        driver.frame(data)
        if late is not None and count % 5 == 4:
            end = max(0.0, len(driver.sent) / SECOND - late)
            driver.handle(results("word", start=max(0.0, end - 0.5), duration=min(end, 0.5), is_final=True))


# Late words


def test_words_that_come_in_time_are_no_news() -> None:
    driver = live()
    speak(driver, 40, late=3.4)
    assert warned(driver) == []


def test_late_words_are_sent_again_when_it_has_doubled_and_when_the_session_is_over() -> None:
    driver = live()
    speak(driver, 2, late=0.5)
    speak(driver, 10, late=None)
    assert warned(driver) == [("behind", pytest.approx(4.1, abs=0.2)), ("behind", pytest.approx(8.2, abs=0.3))]
    speak(driver, 4, late=6)
    assert len(warned(driver)) == 2
    speak(driver, 1, late=1)
    assert warned(driver)[2:] == [("behind", 0)]
    assert [each["message"] for each in driver.messages_of("warning")] == [
        "Captions are 4 s behind.",
        "Captions are 8 s behind.",
        "Captions are on time again.",
    ]
    speak(driver, 20, late=1)
    assert len(warned(driver)) == 3


def test_an_engine_that_keeps_the_same_distance_is_late_once() -> None:
    driver = live()
    speak(driver, 60, late=6)
    assert warned(driver) == [("behind", pytest.approx(5, abs=1.1))]


def test_words_at_the_limit_do_not_come_and_go() -> None:
    driver = live()
    for count in range(60):
        speak(driver, 1, late=4.5 if count % 2 else 3.5)
    assert len(warned(driver)) == 1


def test_words_are_not_late_while_no_audio_is_sent() -> None:
    driver = live()
    speak(driver, 3, late=0.8)
    driver.wait(120)
    speak(driver, 3, late=0.8)
    assert warned(driver) == []


def test_audio_that_comes_faster_than_it_was_spoken_has_not_waited() -> None:
    driver = live()
    for second in range(30):
        for _ in range(50):
            driver.frame(noise(0.1))
        driver.wait(1)
        driver.handle(results("word", start=second * 5.0, duration=max(0.0, 4.0), is_final=True))
    assert warned(driver) == []


def test_a_silent_upstream_is_late_after_4_s_and_before_it_is_given_up() -> None:
    driver = live()
    speak(driver, 4.2, late=None)
    assert warned(driver) == [("behind", pytest.approx(4, abs=0.2))]
    speak(driver, 12, late=None)
    assert driver.session.phase is Phase.REDIALLING
    assert [seconds for _, seconds in warned(driver)] == pytest.approx([4.1, 8.3], abs=0.2)


def test_what_waited_for_another_upstream_is_late() -> None:
    driver = live()
    speak(driver, 3, late=0.5)
    driver.lose_upstream()
    for _ in range(60):
        driver.wait(0.1)
        driver.frame(noise(0.1))
    driver.open_upstream()
    driver.wait(0.1)
    assert warned(driver) == [("behind", pytest.approx(6.5, abs=0.3))]
    speak(driver, 1, late=0.5)
    assert warned(driver)[1:] == [("behind", 0)]


def test_without_interim_results_a_sentence_may_take_its_time() -> None:
    driver = live(config={"interim_results": False})
    speak(driver, 9, late=None)
    assert warned(driver) == []
    speak(driver, 2, late=None)
    assert warned(driver) == [("behind", pytest.approx(10, abs=0.2))]


def test_a_muted_session_is_not_woken_all_the_time() -> None:
    lateness = Lateness(4000, 100.0)
    now, looks = 100.0, 0
    while now < 160:
        assert lateness.update(500, 0, now) is None
        assert lateness.check_at > now
        now, looks = lateness.check_at, looks + 1
    assert looks < 20


# Audio that is none


@pytest.mark.parametrize(("head", "name"), [(WEBM, "WebM"), (b"RIFF\x24\0\0\0WAVEfmt " + noise(0.1), "WAV")])
def test_a_file_in_the_place_of_raw_audio_is_sent_once(head: bytes, name: str) -> None:
    driver = live()
    driver.frame(head)
    speak(driver, 5, late=0.5)
    assert warned(driver) == [("not_raw_audio", None)]
    (said,) = driver.messages_of("warning")
    assert said["message"].startswith(f"This looks like {name}, not raw audio. Decode it to linear16 at 16000 Hz first")


def test_a_file_is_reported_though_the_upstream_sends_nothing() -> None:
    driver = live()
    driver.frame(WEBM)
    speak(driver, 4.2, late=None)
    assert [code for code, _ in warned(driver)] == ["not_raw_audio", "behind"]


def test_a_file_that_was_sent_before_ready_is_reported() -> None:
    driver = SessionDriver()
    driver.frame(WEBM)
    driver.open_upstream()
    driver.handle(results(""))
    assert warned(driver) == [("not_raw_audio", None)]


def test_a_short_file_is_reported_though_its_words_are_the_last() -> None:
    driver = live()
    driver.frame(WEBM)
    driver.client_sends("stop")
    driver.handle(results("", 0, 0.1, is_final=True))
    assert warned(driver) == [("not_raw_audio", None)]


def test_the_head_of_a_file_later_on_is_sound_like_any_other() -> None:
    driver = live()
    speak(driver, 1, late=0)
    driver.frame(WEBM)
    speak(driver, 1, late=0)
    assert warned(driver) == []


# Quiet audio


def tone(decibels: float, encoding: str = "linear16") -> bytes:
    """A tenth of a second at 16 kHz."""
    samples = [10 ** (decibels / 20) * math.sqrt(2) * math.sin(n * 0.37) for n in range(1600)]
    whole = array("h", [round(32767 * sample) for sample in samples])
    return array("f", samples).tobytes() if encoding == "linear32" else whole.tobytes()


@pytest.mark.parametrize("encoding", ["linear16", "linear32"])
def test_30_s_of_quiet_sound_are_sent_once(encoding: str) -> None:
    driver = live(config={"encoding": encoding})
    for count in range(900):
        driver.wait(0.1)
        driver.frame(tone(-54, encoding))
        if count % 10 == 9:
            driver.handle(results("word", start=count / 10 - 1, duration=1, is_final=True))
        assert warned(driver) == ([] if count < 299 else [("too_quiet", None)])
    assert driver.messages_of("warning")[0]["message"] == QUIET


@pytest.mark.parametrize(("encoding", "silence"), [("linear16", b"\0"), ("mulaw", b"\xff"), ("alaw", b"\xd5")])
def test_a_muted_microphone_is_reported_as_such(encoding: str, silence: bytes) -> None:
    driver = live(config={"encoding": encoding})
    for count in range(310):
        driver.wait(0.1)
        driver.frame(silence * (driver.session.options.audio.bytes_per_second // 10))
        if count % 10 == 9:
            driver.handle(results("", start=count / 10 - 1, duration=1, is_final=True))
    assert [each["message"] for each in driver.messages_of("warning")] == [MUTED]


def test_one_word_in_30_s_is_enough() -> None:
    driver = live()
    for _ in range(3):
        speak(driver, 29, late=0.5, data=tone(-60))
        speak(driver, 1, late=0.5, data=tone(-20))
    assert warned(driver) == []


def test_a_click_is_no_word() -> None:
    loudness = Loudness()
    told = [loudness.record(5e-5 if tenth % 100 == 0 else HUM, 100, (tenth + 1) * 100) for tenth in range(600)]
    assert told.count(True) == 1


def test_a_client_that_is_gone_gets_no_warning() -> None:
    driver = live()
    driver.frame(WEBM)
    driver.handle(ev.ClientLost())
    driver.handle(results("", 0, 0.1, is_final=True))
    assert warned(driver) == []


# A question that a page asks


def test_a_keepalive_is_answered_where_it_asks_for_it() -> None:
    driver = live()
    driver.client_sends("keepalive")
    assert driver.messages_of("alive") == []
    driver.handle(ev.ClientSentText(json.dumps({"type": "keepalive", "answer": True}).encode()))
    assert driver.messages_of("alive") == [{"type": "alive"}]

"""How long a session waits for a late upstream, in each of its phases."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.stream.driver import SECOND, SessionDriver, live, messages, metadata, noise, results, texts
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.phase import Phase
from transcription_proxy.stream.session import DIAL_SECONDS
from transcription_proxy.values import Settlement
from transcription_wire.codes import Reason


def final(text: str, start: float, duration: float, **more: Any) -> ev.UpstreamSentText:
    return results(text, start, duration, is_final=True, **more)


def closing(driver: SessionDriver) -> tuple[int, int]:
    """Credits and milliseconds of audio that are booked at the end."""
    booked = driver.only(ev.Close).closing
    return booked.total, booked.audio_ms


# While it is dialled


def test_a_dial_that_is_never_answered_is_given_up() -> None:
    driver = SessionDriver()
    driver.frame()
    driver.wait(DIAL_SECONDS - 0.1)
    assert driver.session.phase is Phase.DIALLING
    done = driver.wait(0.1)
    assert done.index(ev.CloseUpstream()) < done.index(ev.Close(driver.only(ev.Close).closing))
    assert [message["code"] for message in messages(done)] == ["upstream_unavailable"]
    driver.commit()
    assert (driver.only(ev.CloseClient).code, driver.messages_of("session_end")) == (1011, [])


def test_a_drain_that_begins_ends_a_session_that_is_not_ready() -> None:
    driver = SessionDriver()
    assert [message["code"] for message in messages(driver.handle(ev.DrainBegan()))] == ["service_unavailable"]
    driver.commit()
    assert driver.only(ev.CloseClient).code == 1013


@pytest.mark.parametrize("phase", [Phase.LIVE, Phase.REDIALLING])
def test_a_drain_that_begins_lets_a_live_session_go_on(phase: Phase) -> None:
    driver = live()
    if phase is Phase.REDIALLING:
        driver.lose_upstream()
    assert driver.handle(ev.DrainBegan()) == []
    assert driver.session.phase is phase


# After `stop`, an upstream that does not answer


def unanswered(*events: ev.Event, audio: float = 7) -> SessionDriver:
    """Send a burst of audio, some Results, and a stop that the upstream does not answer."""
    driver = live(grant=100)
    driver.frame(noise(audio))
    driver.handle(*events)
    driver.client_sends("stop")
    assert texts(driver.actions)[-1] == "CloseStream"
    return driver


def test_an_upstream_that_owes_words_and_does_not_answer_is_replaced() -> None:
    driver = unanswered(final("one", 0.0, 5.0))
    assert ev.CloseUpstream() not in driver.wait(4.9)
    assert driver.wait(0.1) == [ev.CloseUpstream()]
    assert driver.session.phase is Phase.REDIALLING
    assert texts(driver.redial()) == ["CloseStream"]
    assert driver.upstream_audio == noise(7)[5 * SECOND :]
    driver.handle(final("two", 0.0, 2.0), metadata(2.0))
    assert [message["text"] for message in driver.messages_of("transcript")] == ["one", "two"]
    assert closing(driver) == (7, 7000)
    assert driver.ending() == ("client_stop", 1000, None)


@pytest.mark.parametrize("next_one", ["cannot be reached", "does not answer either"])
def test_where_no_other_is_found_the_client_is_reported_and_billed_5_s_of_silence(next_one: str) -> None:
    driver = unanswered(results("one", 0.0, 1.0), audio=9)
    driver.wait(5)
    if next_one == "cannot be reached":
        driver.cannot_dial()
    else:
        driver.redial()
        driver.wait(5)
    assert closing(driver) == (6, 6000)
    assert driver.ending() == ("upstream_closed", 1011, "upstream_closed")


def test_an_upstream_that_takes_audio_and_sends_nothing_is_billed_5_s() -> None:
    driver = unanswered(audio=9)
    driver.wait(5)
    driver.redial()
    assert len(driver.upstream_audio) == 9 * SECOND
    driver.wait(5)
    assert closing(driver) == (5, 5000)
    assert driver.ending() == ("upstream_closed", 1011, "upstream_closed")


def test_an_upstream_that_does_not_read_loses_nothing_after_a_stop() -> None:
    driver = live(grant=100)
    driver.frame(noise(2))
    driver.handle(ev.UpstreamStalled())
    driver.frame(noise(5)[2 * SECOND :])
    driver.client_sends("stop")
    driver.pongs = False
    while driver.session.phase is Phase.LIVE:
        driver.wait(1)
        driver.handle(ev.ClientPonged())
    driver.redial()
    assert driver.upstream_audio == noise(5)
    driver.handle(final("all", 0.0, 5.0), metadata(5.0))
    assert driver.ending() == ("client_stop", 1000, None)


def test_an_upstream_that_sent_all_words_is_not_replaced_though_it_does_not_answer() -> None:
    driver = unanswered(final("all", 0.0, 7.0))
    driver.wait(5)
    assert closing(driver) == (7, 7000)
    assert driver.ending() == ("client_stop", 1000, None)


def test_a_client_that_left_needs_no_other() -> None:
    driver = unanswered(results("one", 0.0, 1.0))
    driver.handle(ev.ClientLost())
    driver.wait(5)
    assert driver.every(ev.Dial) == [ev.Dial()]
    assert closing(driver) == (6, 6000)


def ended_by_user(driver: SessionDriver) -> None:
    def ending(settlement: Settlement) -> ev.Event:
        return driver.granted(settlement, 100, ending=Reason.ENDED_BY_USER)

    driver.ledger = ending
    driver.handle(ev.RowChanged())


ENDS: dict[str, Callable[[SessionDriver], object]] = {
    "client_gone": lambda driver: driver.handle(ev.ClientLost()),
    "service_restart": lambda driver: driver.handle(ev.DrainEnded()),
    "ended_by_user": ended_by_user,
    "internal": lambda driver: driver.handle(ev.SessionFailed()),
    "idle": lambda driver: driver.wait(8),
}


@pytest.mark.parametrize("reason", ENDS)
@pytest.mark.parametrize("lost", [False, True], ids=["silent", "lost"])
def test_unanswered_audio_is_billed_5_s_at_most_whatever_the_reason(reason: str, lost: bool) -> None:
    driver = live(grant=100, idle=8 if reason == "idle" else 900)
    driver.frame(noise(9.5))
    driver.handle(results("one", 0.0, 1.0))
    if lost:
        driver.lose_upstream()
        driver.dialled()
    ENDS[reason](driver)
    driver.wait(5)
    assert driver.only(ev.Close).closing.reason.value == reason
    assert closing(driver) == (6, 6000)


# After `stop`, one that is late


def test_an_upstream_that_goes_on_is_awaited_for_30_s() -> None:
    driver = unanswered(audio=8)
    for second in range(1, 25):
        driver.wait(1)
        driver.handle(results("and so on", 0.0, second / 4))
    driver.handle(final("all of it", 0.0, 8.0), metadata(8.0))
    assert driver.every(ev.Dial) == [ev.Dial()]
    assert closing(driver) == (8, 8000)
    assert driver.ending() == ("client_stop", 1000, None)


def test_an_upstream_that_says_where_it_is_is_awaited_though_it_got_no_further() -> None:
    driver = unanswered(audio=8)
    for _ in range(4):
        driver.wait(4)
        driver.handle(results("", 0.0, 1.0))
    assert driver.session.phase is Phase.FINISHING


def test_an_upstream_that_is_too_late_is_not_replaced_but_told() -> None:
    driver = unanswered(audio=8)
    for second in range(1, 30):
        driver.wait(1)
        driver.handle(results("and so on", 0.0, second / 10))
    done = driver.wait(1)
    assert ev.CloseUpstream() in done
    assert ev.Dial() not in done
    assert closing(driver) == (8, 7900)
    assert driver.ending() == ("upstream_closed", 1011, "upstream_closed")


def test_in_the_middle_an_upstream_that_says_where_it_is_is_not_given_up() -> None:
    driver = live(grant=100)
    for second in range(40):
        driver.wait(1)
        driver.frame(bytes(SECOND))
        if second % 10 == 9:
            driver.handle(results("", 0.0, second / 10))
    assert driver.session.phase is Phase.LIVE
    assert driver.session._upstream.behind_ms == 36_100


# Metadata that answers nothing


def test_metadata_of_no_audio_that_was_on_its_way_is_no_answer() -> None:
    driver = unanswered(final("one", 0.0, 5.0))
    driver.handle(metadata(0.0))
    assert driver.session.phase is Phase.FINISHING
    driver.lose_upstream(1011)
    driver.redial()
    assert driver.upstream_audio == noise(7)[5 * SECOND :]
    driver.handle(final("two", 0.0, 2.0), metadata(2.0))
    assert closing(driver) == (7, 7000)
    assert driver.ending() == ("client_stop", 1000, None)


@pytest.mark.parametrize("said", [0.2, 7.0])
def test_metadata_of_some_audio_is_the_answer(said: float) -> None:
    driver = unanswered(final("one", 0.0, 5.0))
    driver.handle(metadata(said))
    assert driver.session.phase is Phase.CLOSING


def test_metadata_of_no_audio_is_the_answer_where_no_words_are_owed() -> None:
    driver = live()
    driver.client_sends("stop")
    driver.handle(metadata(0.0))
    assert closing(driver) == (0, 0)


# Our own failures


def test_a_failure_of_ours_while_it_finishes_books_it() -> None:
    driver = unanswered()
    done = driver.handle(ev.SessionFailed())
    assert ev.Close(driver.only(ev.Close).closing) in done
    assert driver.handle(ev.SessionFailed()) == []
    assert driver.ending() == ("client_stop", 1000, None)


# Repetition


def test_a_final_that_the_upstream_says_twice_is_sent_once() -> None:
    driver = live()
    driver.frame(noise(4))
    driver.handle(final("one", 0.0, 2.0), final("one", 0.0, 2.0), final("two", 2.0, 1.0), final("one", 0.0, 2.0))
    assert [message["text"] for message in driver.messages_of("transcript")] == ["one", "two"]

"""What may happen while a lost upstream is redialled: a stop, an end, a client that leaves."""

from typing import Any

import pytest

from tests.unit.stream.driver import (
    SECOND,
    SessionDriver,
    live,
    messages,
    metadata,
    noise,
    results,
    texts,
)
from tests.unit.stream.losses import UNDER_WAY, closing, final, lost
from transcription_proxy.stream import endings
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.phase import Phase
from transcription_wire.codes import Reason

# After `stop`


def stopped(*events: ev.Event) -> SessionDriver:
    """Send 3 s of audio and a stop, handle events, then lose the upstream."""
    driver = live()
    driver.frame(noise(3))
    driver.client_sends("stop")
    driver.handle(*events)
    driver.lose_upstream()
    return driver


def test_a_session_redials_for_the_last_words_when_the_upstream_is_lost_after_a_stop() -> None:
    driver = stopped(final("one", 0.0, 1.0))
    assert driver.session.phase is Phase.REDIALLING
    assert driver.frame(noise(1)) == driver.client_sends("finalize") == driver.client_sends("nonsense") == []
    assert texts(driver.redial()) == ["CloseStream"]
    assert driver.upstream_audio == noise(3)[SECOND:]
    driver.handle(final("two", 0.0, 2.0), metadata(2.0))
    assert [message["text"] for message in driver.messages_of("transcript")] == ["one", "two"]
    assert closing(driver) == (3, 3000)
    assert driver.ending() == ("client_stop", 1000, None)


def test_last_words_are_retried_once_if_the_next_upstream_dies_too() -> None:
    driver = stopped()
    since = driver.now
    driver.redial()
    driver.handle(results("more", 0.0, 60.0))
    driver.lose_upstream(None)
    assert driver.now - since <= 0.2
    assert closing(driver) == (3, 3000)
    assert driver.ending() == ("upstream_closed", 1011, "upstream_closed")


def test_last_words_are_retried_as_long_as_each_upstream_finds_some() -> None:
    driver = stopped(final("one", 0.0, 1.0))
    for _ in range(3):
        driver.redial()
        driver.handle(final("more", 0.0, 0.5))
        driver.lose_upstream(None)
    driver.redial()
    driver.lose_upstream(None)
    assert [message["start"] for message in driver.messages_of("transcript")] == [0.0, 1.0, 1.5, 2.0]
    assert driver.ending() == ("upstream_closed", 1011, "upstream_closed")


def test_last_words_have_the_usual_budget_where_no_upstream_is_reached() -> None:
    driver = stopped()
    dials = sum(isinstance(action, ev.Dial) for action in driver.cannot_dial())
    assert dials == 5
    assert driver.ending() == ("upstream_closed", 1011, "upstream_closed")


@pytest.mark.parametrize("code", [1000, 1008])
def test_an_upstream_that_closes_properly_after_a_stop_is_believed(code: int) -> None:
    driver = live()
    driver.frame(noise(3))
    driver.client_sends("stop")
    driver.lose_upstream(code)
    assert driver.ending() == ("client_stop", 1000, None)


@pytest.mark.parametrize("until", [3.0, 2.995, 2.95], ids=["all", "all but a few samples", "all but a breath"])
def test_a_session_does_not_redial_when_all_was_final(until: float) -> None:
    driver = stopped(final("all", 0.0, until))
    assert driver.ending() == ("client_stop", 1000, None)


def test_a_session_does_not_redial_for_a_client_that_is_gone() -> None:
    driver = stopped(ev.ClientLost())
    assert driver.session.phase is Phase.CLOSING
    assert driver.only(ev.Close).closing.reason is Reason.CLIENT_STOP
    assert driver.commit() == [ev.Finish()]


@pytest.mark.parametrize(
    "event", [ev.DrainEnded(), ev.ClientBrokeProtocol(endings.TOO_BIG), ev.SessionFailed(), ev.ClientLost()]
)
def test_a_session_does_not_redial_after_an_end_that_is_no_stop(event: ev.Event) -> None:
    driver = live()
    driver.frame(noise(3))
    driver.handle(event)
    driver.lose_upstream()
    assert driver.session.phase is Phase.CLOSING


def test_a_client_that_leaves_during_the_redial_for_last_words_ends_the_session() -> None:
    driver = stopped()
    driver.dialled()
    done = driver.handle(ev.ClientLost())
    assert done == [ev.CloseUpstream(), ev.Close(driver.only(ev.Close).closing)]
    assert driver.every(ev.CloseClient) == []


def test_the_time_for_the_last_words_is_given_again() -> None:
    driver = stopped()
    driver.dialled()
    driver.wait(4)
    driver.open_upstream()
    assert driver.wait(4.9) == []
    assert driver.wait(0.1)[0] == ev.CloseUpstream()


# What may happen while it is dialled


@UNDER_WAY
def test_a_stop_waits_for_the_last_words(under_way: bool) -> None:
    driver = lost(under_way=under_way)
    assert driver.client_sends("stop") == []
    assert driver.frame() == driver.client_sends("finalize") == []
    driver.open_upstream() if under_way else driver.redial()
    assert driver.texts == ["CloseStream"]
    driver.handle(final("two", 0.0, 1.0), metadata(1.0))
    assert driver.messages_of("transcript")[-1]["start"] == 1.0
    assert driver.ending() == ("client_stop", 1000, None)


@UNDER_WAY
def test_a_stop_when_all_is_final_ends_it_at_once(under_way: bool) -> None:
    driver = live()
    driver.frame(noise(2))
    driver.handle(final("all", 0.0, 2.0))
    driver.lose_upstream()
    if under_way:
        driver.dialled()
    done = driver.client_sends("stop")
    assert (ev.CloseUpstream() in done) is under_way
    assert closing(driver) == (2, 2000)
    assert driver.ending() == ("client_stop", 1000, None)


def test_a_stop_that_waited_for_an_upstream_that_did_not_read_survives_its_loss() -> None:
    driver = live()
    driver.frame(noise(1))
    driver.handle(ev.UpstreamStalled())
    driver.client_sends("stop")
    driver.lose_upstream()
    driver.redial()
    assert driver.upstream_audio == noise(1)
    assert driver.texts == ["CloseStream"]


def test_a_stop_that_waited_with_nothing_to_hear_ends_with_the_loss() -> None:
    driver = live()
    driver.handle(ev.UpstreamStalled())
    driver.client_sends("stop")
    driver.lose_upstream()
    assert driver.ending() == ("client_stop", 1000, None)


def test_a_stop_whose_words_are_not_found_ends_as_an_upstream_that_closed() -> None:
    driver = lost()
    driver.client_sends("stop")
    driver.cannot_dial()
    assert driver.ending() == ("upstream_closed", 1011, "upstream_closed")


@UNDER_WAY
def test_a_finalize_is_sent_after_the_audio_before_it(under_way: bool) -> None:
    driver = lost(under_way=under_way)
    driver.frame(b"ab")
    driver.client_sends("finalize")
    driver.frame(b"cd")
    done = driver.open_upstream() if under_way else driver.redial()
    up = [action for action in done if isinstance(action, ev.SendAudio | ev.SendUpstream)]
    assert up[-2:] == [ev.SendUpstream(b'{"type":"Finalize"}'), ev.SendAudio(b"cd")]
    assert driver.upstream_audio == noise(2)[SECOND:] + b"abcd"


def test_a_keepalive_is_a_sign_of_life_and_not_audio() -> None:
    driver = lost(under_way=True, idle=15)
    driver.pongs = False
    for _ in range(3):
        driver.wait(4.5)
        assert driver.client_sends("keepalive") == []
    assert driver.every(ev.PingClient) == []
    driver.wait(1.5)
    assert driver.session.reason is Reason.IDLE


def test_a_bad_message_is_answered() -> None:
    driver = lost()
    assert [message["code"] for message in messages(driver.handle(ev.ClientSentText(b"?")))] == ["bad_message"]
    assert driver.session.phase is Phase.REDIALLING


def test_an_empty_frame_is_nothing() -> None:
    driver = lost()
    assert driver.handle(ev.AudioArrived(b"")) == []


@UNDER_WAY
@pytest.mark.parametrize(
    ("event", "reason", "close", "error"),
    [
        (ev.DrainEnded(), "service_restart", 1012, "service_restart"),
        (ev.SessionFailed(), "internal", 1011, "internal"),
        (ev.ClientBrokeProtocol(endings.TOO_BIG), "bad_messages", 1009, "message_too_big"),
    ],
)
def test_an_end_from_outside_stops_the_dialling(
    event: ev.Event, reason: str, close: int, error: str, under_way: bool
) -> None:
    driver = lost(under_way=under_way)
    done = driver.handle(event)
    assert (ev.CloseUpstream() in done) is under_way
    assert closing(driver) == (2, 2000)
    assert driver.ending() == (reason, close, error)
    assert driver.open_upstream() == driver.lose_upstream() == []


@UNDER_WAY
def test_a_client_that_leaves_stops_the_dialling(under_way: bool) -> None:
    driver = lost(under_way=under_way)
    done = driver.handle(ev.ClientLost())
    assert done == [ev.CloseUpstream()] * under_way + [ev.Close(driver.only(ev.Close).closing)]
    assert driver.only(ev.Close).closing.reason is Reason.CLIENT_GONE
    assert driver.commit() == [ev.Finish()]


@pytest.mark.parametrize(
    ("news", "expected"),
    [
        ({"ending": Reason.REPLACED}, ("replaced", 4409, None)),
        ({"ending": Reason.ENDED_BY_USER}, ("ended_by_user", 1000, None)),
        ({"ending": Reason.ENDED_BY_OPERATOR, "blocked": True}, ("ended_by_operator", 4401, "unauthorized")),
        ({"ending": Reason.INSUFFICIENT_CREDITS}, ("insufficient_credits", 4402, "insufficient_credits")),
    ],
)
def test_a_changed_row_causes_a_settle_that_may_end_the_session(
    news: dict[str, Any], expected: tuple[str, int, str | None]
) -> None:
    driver = lost(under_way=True)
    driver.ledger = lambda settlement: driver.granted(settlement, 45, **news)
    assert ev.CloseUpstream() in driver.handle(ev.RowChanged())
    assert driver.ending() == expected


def test_a_changed_row_that_does_not_end_the_session_lets_it_dial_on() -> None:
    driver = lost(under_way=True)
    before = len(driver.settlements)
    driver.handle(ev.RowChanged())
    assert len(driver.settlements) == before + 1
    driver.open_upstream()
    assert driver.session.phase is Phase.LIVE


def test_a_client_that_does_not_read_for_10_s_is_too_slow() -> None:
    driver = lost(under_way=True)
    driver.handle(ev.ClientStalled())
    driver.wait(9.9)
    assert driver.session.phase is Phase.REDIALLING
    driver.wait(0.1)
    assert driver.ending() == ("too_slow", 1008, None)


def test_a_client_that_is_gone_without_a_word_is_found() -> None:
    driver = lost(under_way=True)
    driver.pongs = False
    driver.wait(19.9)
    assert driver.session.reason is Reason.CLIENT_GONE
    assert driver.only(ev.CloseClient).code == 1011
    assert ev.CloseUpstream() in driver.actions


def test_audio_that_comes_meanwhile_keeps_it_from_being_idle() -> None:
    driver = lost(under_way=True, idle=6)
    for _ in range(4):
        driver.wait(4)
        driver.frame()
    assert driver.session.phase is Phase.REDIALLING

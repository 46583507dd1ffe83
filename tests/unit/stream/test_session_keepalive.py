"""What a session does about silence: keepalives, pings, the idle limit, and an upstream that sends nothing."""

import pytest

from tests.unit.stream.driver import (
    CLOSE_STREAM,
    SECOND,
    live,
    metadata,
    results,
    texts,
)
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.phase import Phase
from transcription_wire.codes import Reason

# Keeping it alive


def test_a_keepalive_is_sent_after_each_4_s_without_audio() -> None:
    driver = live()
    driver.stream(1)
    assert texts(driver.wait(3.9)) == []
    assert texts(driver.wait(0.1)) == ["KeepAlive"]
    assert texts(driver.wait(3.9)) == []
    assert texts(driver.wait(0.1)) == ["KeepAlive"]
    driver.frame()
    assert texts(driver.wait(3.9)) == []


def test_own_silence_is_sent_once_after_4_s_without_a_first_frame_and_costs_nothing() -> None:
    driver = live()
    driver.wait(3.9)
    assert not driver.sent
    driver.wait(16)
    assert driver.sent == bytes(SECOND // 10)
    driver.client_sends("stop")
    driver.handle(metadata(0.1))
    closing = driver.only(ev.Close).closing
    assert (closing.total, closing.audio_ms, closing.upstream_ms) == (0, 0, 100)


def test_audio_within_4_s_makes_own_silence_needless() -> None:
    driver = live()
    driver.stream(3)
    driver.wait(30)
    assert len(driver.sent) == 3 * SECOND


def test_silence_is_in_the_encoding_of_the_session() -> None:
    driver = live(config={"encoding": "mulaw", "sample_rate": 8000})
    driver.wait(4)
    assert driver.sent == b"\xff" * 800


@pytest.mark.parametrize("spoken", [True, False])
def test_no_audio_for_idle_minutes_ends_it_keepalive_or_not(spoken: bool) -> None:
    driver = live(idle=60)
    driver.stream(1)
    for _ in range(59):
        driver.wait(1)
        if spoken:
            driver.client_sends("keepalive")
    assert driver.session.phase is Phase.LIVE
    driver.wait(1)
    assert driver.ending() == ("idle", 1000, None)


def test_a_peer_that_is_silent_for_10_s_is_pinged_and_after_10_more_it_is_gone() -> None:
    driver = live()
    driver.pongs = False
    driver.wait(9.9)
    assert not driver.every(ev.PingClient) and not driver.every(ev.PingUpstream)
    driver.wait(0.1)
    assert len(driver.every(ev.PingClient)) == len(driver.every(ev.PingUpstream)) == 1
    driver.handle(ev.UpstreamPonged())
    driver.wait(9.9)
    driver.handle(ev.UpstreamPonged())
    assert driver.session.phase is Phase.LIVE
    driver.wait(0.1)
    assert driver.session.reason is Reason.CLIENT_GONE
    assert driver.only(ev.CloseClient).code == 1011
    driver.wait(5)
    driver.commit()
    assert driver.messages_of("session_end") == []


def test_admitted_audio_is_a_sign_of_life_and_asking_for_the_deadline_changes_nothing() -> None:
    driver = live()
    driver.pongs = False
    driver.frame()
    driver.wait(1)
    assert driver.frame() == []
    heartbeat = driver.session._client.heartbeat
    before = (heartbeat.deadline, driver.session.deadline)
    assert (heartbeat.deadline, driver.session.deadline) == before
    assert heartbeat.deadline == 1010.0
    driver.wait(9.9)
    assert driver.every(ev.PingClient) == []
    driver.wait(0.1)
    assert len(driver.every(ev.PingClient)) == 1


def test_an_upstream_that_does_not_pong_is_closed() -> None:
    driver = live()
    driver.pongs = False
    driver.wait(10)
    driver.handle(ev.ClientPonged())
    driver.wait(10)
    assert driver.only(ev.CloseUpstream)
    assert CLOSE_STREAM not in [action.text for action in driver.every(ev.SendUpstream)]
    driver.handle(ev.ClientPonged())
    driver.pongs = True
    driver.cannot_dial()
    assert driver.ending() == ("upstream_closed", 1011, "upstream_closed")


def test_what_a_dead_upstream_did_not_answer_is_billed_5_s_at_most() -> None:
    driver = live()
    driver.frame(bytes(SECOND))
    driver.handle(results("one", 0.0, 1.0))
    driver.pongs = False
    for _ in range(20):
        driver.wait(1)
        driver.handle(ev.ClientPonged())
        driver.frame(bytes(SECOND // 2))
    driver.pongs = True
    driver.cannot_dial()
    assert driver.session.reason is Reason.UPSTREAM_CLOSED
    assert driver.only(ev.Close).closing.audio_ms == 6000


def test_a_paused_client_is_not_taken_for_dead() -> None:
    driver = live()
    driver.handle(ev.UpstreamStalled())
    driver.pongs = False
    for _ in range(6):
        driver.wait(5)
        driver.handle(ev.UpstreamPonged())
    assert driver.session.phase is Phase.LIVE


def test_an_upstream_that_takes_15_s_of_audio_in_15_s_and_sends_nothing_is_given_up() -> None:
    driver = live()
    driver.frame(bytes(SECOND))
    driver.handle(results("hello", 0.0, 1.0))
    for _ in range(14):
        driver.wait(1)
        driver.frame(bytes(SECOND))
    assert driver.session.phase is Phase.LIVE
    driver.wait(1)
    driver.frame(bytes(SECOND))
    driver.wait(1)
    assert driver.only(ev.CloseUpstream)
    driver.cannot_dial()
    closing = driver.only(ev.Close).closing
    assert (closing.audio_ms, closing.total) == (6000, 6)
    assert driver.ending() == ("upstream_closed", 1011, "upstream_closed")


def test_a_muted_session_does_not_alarm_the_watchdog() -> None:
    driver = live()
    driver.stream(1)
    driver.wait(120)
    assert driver.session.phase is Phase.LIVE

"""What a session sends upstream, whether its client is read, and whether it settles, from the state of all three."""

from collections.abc import Callable

import pytest

from tests.unit.stream.driver import CLOSE_STREAM, SECOND, SessionDriver, live
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.phase import Phase

STOP = ev.ClientSentText(b'{"type":"stop"}')
FINALIZE = ev.ClientSentText(b'{"type":"finalize"}')


def stalled(grant: int = 45) -> SessionDriver:
    """Return a live session whose upstream does not read."""
    driver = live(grant=grant)
    driver.handle(ev.UpstreamStalled())
    return driver


# What goes up


def test_audio_and_requests_are_sent_in_order() -> None:
    driver = stalled()
    driver.handle(ev.AudioArrived(b"ab"), FINALIZE, ev.AudioArrived(b"cd"))
    done = driver.handle(ev.UpstreamRecovered())
    assert done[:3] == [ev.SendAudio(b"ab"), ev.SendUpstream(b'{"type":"Finalize"}'), ev.SendAudio(b"cd")]


def test_the_session_ends_when_the_stop_is_reached() -> None:
    driver = stalled()
    driver.handle(ev.AudioArrived(b"ab"), STOP)
    assert not driver.sent and not driver.texts
    done = driver.handle(ev.UpstreamRecovered())
    assert driver.session.phase is Phase.FINISHING
    sent = [action for action in done if isinstance(action, ev.SendAudio | ev.SendUpstream)]
    assert sent == [ev.SendAudio(b"ab"), ev.SendUpstream(CLOSE_STREAM)]


def test_a_stop_is_not_reached_before_the_audio_in_front_of_it_is_paid() -> None:
    driver = live(grant=1)
    driver.ledger = driver.silent
    driver.handle(ev.AudioArrived(bytes(2 * SECOND)), STOP)
    assert driver.session.phase is Phase.LIVE
    assert len(driver.sent) == SECOND


# Whether to read on


def dialling() -> SessionDriver:
    return SessionDriver()


def redialling() -> SessionDriver:
    driver = live()
    driver.lose_upstream()
    return driver


@pytest.mark.parametrize(("make", "seconds"), [(dialling, 5), (redialling, 30)])
def test_without_an_upstream_the_client_is_read_while_audio_can_be_buffered(
    make: Callable[..., SessionDriver], seconds: int
) -> None:
    driver = make()
    driver.frame(bytes(seconds * SECOND - 2))
    assert not driver.paused
    driver.frame(bytes(2))
    assert driver.paused


@pytest.mark.parametrize("make", [dialling, redialling])
def test_without_an_upstream_the_client_is_paused_when_very_many_requests_wait(
    make: Callable[..., SessionDriver],
) -> None:
    driver = make()
    for _ in range(63):
        driver.handle(ev.AudioArrived(b"ab"), FINALIZE)
    assert not driver.paused
    driver.handle(ev.AudioArrived(b"ab"), FINALIZE)
    assert driver.paused


def test_the_client_is_paused_while_the_upstream_does_not_read() -> None:
    driver = stalled()
    assert driver.paused
    driver.handle(ev.UpstreamRecovered())
    assert not driver.paused


def test_a_live_session_reads_no_more_while_anything_waits() -> None:
    driver = live(grant=1)
    driver.ledger = driver.silent
    driver.handle(ev.AudioArrived(bytes(SECOND)))
    assert not driver.paused
    driver.handle(ev.AudioArrived(b"ab"))
    assert driver.paused


def test_a_session_that_ends_reads_on_to_notice_a_disconnect() -> None:
    driver = stalled()
    driver.handle(ev.AudioArrived(bytes(SECOND)), ev.DrainEnded())
    assert driver.session.phase is Phase.FINISHING
    assert not driver.paused
    driver.wait(5)
    assert driver.every(ev.Close)
    assert not driver.paused


def test_frames_are_admitted_only_while_nothing_is_in_front_of_them() -> None:
    driver = live()
    assert driver.session.admit(2, driver.now)
    driver.handle(ev.UpstreamStalled(), ev.AudioArrived(b"ab"))
    assert not driver.session.admit(2, driver.now)
    driver.handle(ev.UpstreamRecovered())
    assert driver.session.admit(2, driver.now)
    driver.lose_upstream()
    assert not driver.session.admit(2, driver.now)


# Whether to settle


@pytest.mark.parametrize("make", [live, redialling])
def test_a_running_session_settles_when_it_is_time(make: Callable[..., SessionDriver]) -> None:
    driver = make()
    driver.ledger = driver.silent
    driver.now += 9.9
    driver.handle(ev.UpstreamStalled())
    assert len(driver.settlements) == 1
    driver.now += 0.1
    driver.handle(ev.UpstreamStalled())
    assert len(driver.settlements) == 2
    driver.now += 10
    driver.handle(ev.UpstreamStalled())
    assert len(driver.settlements) == 2  # one is under way


def test_a_session_that_does_not_run_does_not_settle() -> None:
    driver = dialling()
    driver.now += 20
    driver.frame()
    assert driver.settlements == []
    driver = live()
    driver.handle(STOP)
    driver.now += 20
    driver.handle(ev.UpstreamStalled())
    assert driver.session.phase is Phase.FINISHING
    assert len(driver.settlements) == 1


def test_a_session_settles_at_once_when_only_credit_is_missing() -> None:
    driver = live(grant=0)
    driver.ledger = driver.silent
    driver.frame()
    assert len(driver.settlements) == 2


def without_upstream(grant: int) -> SessionDriver:
    driver = live(grant=grant)
    driver.lose_upstream()
    return driver


@pytest.mark.parametrize("make", [stalled, without_upstream])
def test_credit_is_not_what_is_missing_while_the_upstream_takes_no_audio(make: Callable[..., SessionDriver]) -> None:
    driver = make(grant=0)
    driver.frame()
    assert len(driver.settlements) == 1

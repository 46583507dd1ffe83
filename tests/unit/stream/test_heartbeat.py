"""A peer that is silent for 10 s is pinged, and one that is silent for 10 s after that is dead."""

from transcription_proxy.stream.heartbeat import QUIET_SECONDS, Heartbeat, Verdict


def test_a_peer_is_alive_until_it_was_quiet_for_ten_seconds() -> None:
    pulse = Heartbeat(100.0)
    assert pulse.deadline == 100.0 + QUIET_SECONDS == 110.0
    assert pulse.check(109.9) is Verdict.ALIVE
    assert pulse.check(110.0) is Verdict.PING


def test_a_peer_is_pinged_once_for_each_silence_and_then_it_is_dead() -> None:
    pulse = Heartbeat(100.0)
    assert pulse.check(112.0) is Verdict.PING
    assert pulse.deadline == 122.0
    assert pulse.check(121.9) is Verdict.ALIVE
    assert pulse.check(122.0) is Verdict.DEAD


def test_traffic_restarts_the_silence() -> None:
    pulse = Heartbeat(100.0)
    assert pulse.check(110.0) is Verdict.PING
    pulse.record_traffic(115.0)
    assert pulse.deadline == 125.0
    assert pulse.check(124.9) is Verdict.ALIVE
    assert pulse.check(125.0) is Verdict.PING


def test_a_sign_of_life_from_before_changes_nothing() -> None:
    pulse = Heartbeat(100.0)
    pulse.check(110.0)
    pulse.record_traffic(100.0)
    assert pulse.check(120.0) is Verdict.DEAD


def test_a_dead_peer_is_found_within_thirty_seconds() -> None:
    assert 2 * QUIET_SECONDS < 30


def test_the_deadline_given_unrecorded_traffic_changes_nothing() -> None:
    pulse = Heartbeat(100.0)
    pulse.check(110.0)
    assert pulse.deadline_given(99.0) == pulse.deadline == 120.0
    assert pulse.deadline_given(112.0) == 122.0
    assert pulse.deadline == 120.0

"""The upstream of a session: how it is kept alive, and found dead."""

import pytest

from tests.unit.stream.driver import SECOND, noise
from tests.unit.stream.uplink_harness import UplinkHarness
from transcription_proxy.stream import deepgram
from transcription_proxy.stream import events as ev

# Keeping it alive


def keep_alive(harness: UplinkHarness, now: float) -> list[ev.Action]:
    harness.actions.clear()
    harness.uplink.send_keep_alive(now)
    return harness.actions.copy()


def test_an_upstream_without_any_audio_is_sent_own_silence_once() -> None:
    harness = UplinkHarness()
    assert harness.uplink.keep_alive_at == 104.0
    silence, alive = ev.SendAudio(bytes(SECOND // 10)), ev.SendUpstream(b'{"type":"KeepAlive"}')
    assert keep_alive(harness, 104.0) == [silence, alive]
    assert harness.uplink.keep_alive_at == 108.0
    assert keep_alive(harness, 108.0) == [alive]
    assert harness.credit.forwarded == 0
    assert harness.uplink.progress.silence_ms == 100


def test_the_next_upstream_is_sent_silence_of_its_own() -> None:
    harness = UplinkHarness()
    harness.hear(noise(1))
    harness.say("one", 0.0, 1.0, is_final=True)
    assert len(keep_alive(harness, 104.0)) == 1
    harness.lose(200.0)
    assert harness.uplink.keep_alive_at == 204.0
    assert len(keep_alive(harness, 204.0)) == 2
    assert len(keep_alive(harness, 208.0)) == 1


def test_an_upstream_that_hears_a_replay_needs_no_silence() -> None:
    harness = UplinkHarness()
    harness.hear(noise(1))
    harness.lose(200.0)
    harness.replay()
    assert len(keep_alive(harness, 204.0)) == 1


def test_audio_and_text_both_keep_it_alive() -> None:
    harness = UplinkHarness()
    harness.hear(noise(1), now=103.0)
    assert harness.uplink.keep_alive_at == 107.0
    harness.uplink.send_text(deepgram.FINALIZE, 105.0)
    assert harness.uplink.keep_alive_at == 109.0


# Whether it is there


def test_the_upstream_is_pinged_when_it_is_quiet_and_dead_when_it_stays_so() -> None:
    harness = UplinkHarness()
    assert harness.uplink.check_at == 110.0
    assert harness.uplink.check_connection(109.0)
    assert harness.actions == []
    assert harness.uplink.check_connection(110.0)
    assert harness.actions == [ev.PingUpstream()]
    assert not harness.uplink.check_connection(120.0)


def test_a_pong_counts_as_traffic_and_a_new_connection_has_its_own_heartbeat() -> None:
    harness = UplinkHarness()
    harness.uplink.check_connection(110.0)
    harness.uplink.record_pong(111.0)
    assert harness.uplink.check_connection(120.0)
    harness.lose(200.0)
    assert harness.uplink.check_at == 210.0


@pytest.mark.parametrize(("seconds", "fine"), [(15, False), (14.5, True)])
def test_an_upstream_that_takes_audio_and_sends_nothing_is_given_up_though_it_pongs(seconds: float, fine: bool) -> None:
    harness = UplinkHarness()
    harness.hear(noise(seconds))
    for now in (105.0, 112.0):
        harness.uplink.record_pong(now)
    assert harness.uplink.check_at == 115.0
    assert harness.uplink.check_connection(114.9)
    assert harness.uplink.check_connection(115.0) is fine

"""What the client is told of a lost upstream, and when a stalled one is replaced."""

import pytest

from tests.unit.stream.driver import (
    CLOSE_STREAM,
    SECOND,
    live,
    messages,
    noise,
    results,
)
from tests.unit.stream.losses import closing, final, lost
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.phase import Phase

# What the client is told


def test_a_short_loss_is_not_mentioned() -> None:
    driver = lost()
    driver.dialled()
    driver.wait(1.8)
    driver.open_upstream()
    assert driver.messages_of("status") == []


def test_one_of_two_seconds_is_reported_and_so_is_its_end() -> None:
    driver = lost()
    since = driver.now
    driver.dialled()
    assert messages(driver.wait(since + 1.9 - driver.now)) == []
    assert messages(driver.wait(0.2)) == [{"type": "status", "upstream": "reconnecting"}]
    assert messages(driver.wait(5)) == []
    driver.open_upstream()
    driver.wait(1.9)
    assert len(driver.messages_of("status")) == 1
    assert messages(driver.wait(0.2)) == [{"type": "status", "upstream": "connected"}]
    driver.wait(5)
    assert len(driver.messages_of("status")) == 2
    assert driver.messages_of("ready") == driver.messages[:1]


def test_its_end_is_reported_with_the_first_words_that_are_more_than_a_replay() -> None:
    driver = lost(under_way=True)
    driver.wait(5)
    driver.frame(noise(1))
    assert messages(driver.open_upstream()) == []
    assert [message["type"] for message in messages(driver.handle(results("two", 0.0, 1.0)))] == ["transcript"]
    connected, transcript = messages(driver.handle(results("two three", 0.0, 1.5)))
    assert connected == {"type": "status", "upstream": "connected"}
    assert transcript["text"] == "two three"
    driver.wait(5)
    assert len(driver.messages_of("status")) == 2


def test_a_new_an_upstream_that_dies_at_once_again_and_again_is_a_loss_that_lasts() -> None:
    driver = lost()
    while driver.session.phase is Phase.REDIALLING:
        driver.redial()
        driver.wait(0.2)
        driver.lose_upstream()
    assert [message["upstream"] for message in driver.messages_of("status")] == ["reconnecting"]
    assert driver.ending() == ("upstream_closed", 1011, "upstream_closed")


def test_a_loss_is_sent_once_though_others_die_before_one_speaks() -> None:
    driver = lost()
    for _ in range(4):
        driver.redial()
        driver.wait(0.2)
        driver.lose_upstream()
    driver.redial()
    driver.handle(results("two", 0.0, 1.0))
    driver.wait(2)
    assert [message["upstream"] for message in driver.messages_of("status")] == ["reconnecting", "connected"]


@pytest.mark.parametrize("said", [0.0, 1.0])
def test_an_upstream_that_opens_speaks_and_dies_at_once_is_a_loss_that_lasts(said: float) -> None:
    driver = lost()
    since, told_at = driver.now, 0.0
    while driver.session.phase is Phase.REDIALLING:
        driver.redial()
        driver.handle(results("two" if said else "", 0.0, said))
        driver.wait(0.1)
        driver.lose_upstream()
        told_at = told_at or (driver.now if driver.messages_of("status") else 0.0)
    assert [message["upstream"] for message in driver.messages_of("status")] == ["reconnecting"]
    assert told_at - since <= 5


def test_each_long_loss_is_reported() -> None:
    driver = lost(under_way=True)
    for _ in range(2):
        driver.wait(3)
        driver.open_upstream()
        driver.frame(noise(1))
        driver.handle(results("on", 0.0, 10.0))
        driver.lose_upstream()
        driver.dialled()
    assert [message["upstream"] for message in driver.messages_of("status")] == ["reconnecting", "connected"] * 2


# An upstream that stalls


def test_an_upstream_that_takes_15_s_of_audio_in_15_s_and_sends_nothing_is_replaced() -> None:
    driver = live()
    for _ in range(15):
        driver.wait(1)
        driver.frame(bytes(SECOND))
    assert driver.every(ev.CloseUpstream) == []
    done = driver.wait(1)
    assert ev.CloseUpstream() in done
    assert driver.session.phase is Phase.REDIALLING
    assert CLOSE_STREAM not in [action.text for action in driver.every(ev.SendUpstream)]
    driver.redial()
    assert len(driver.upstream_audio) == 15 * SECOND
    driver.handle(final("all of it", 0.0, 15.0))
    driver.client_sends("stop")
    driver.wait(5)
    assert closing(driver) == (15, 15_000)


def test_an_upstream_that_does_not_pong_is_replaced() -> None:
    driver = live()
    driver.pongs = False
    for _ in range(4):
        driver.wait(5)
        driver.handle(ev.ClientPonged())
    assert ev.CloseUpstream() in driver.actions
    driver.pongs = True
    driver.redial()
    assert driver.session.phase is Phase.LIVE


def test_the_watchdog_counts_a_replay_but_gives_the_new_one_15_s_of_time() -> None:
    driver = live()
    driver.stream(20)
    driver.lose_upstream()
    driver.redial()
    assert len(driver.upstream_audio) == 20 * SECOND
    assert ev.CloseUpstream() not in driver.wait(14.9)
    assert ev.CloseUpstream() in driver.wait(0.2)


def test_its_silence_is_paid_for_5_s_at_most_where_no_other_is_found() -> None:
    driver = live()
    driver.frame(bytes(SECOND))
    driver.handle(results("one", 0.0, 1.0))
    for _ in range(16):
        driver.wait(1)
        driver.frame(bytes(SECOND))
    driver.cannot_dial()
    assert closing(driver) == (6, 6000)


def test_its_silence_is_paid_for_as_far_as_another_one_answered() -> None:
    driver = live()
    for _ in range(16):
        driver.wait(1)
        driver.frame(bytes(SECOND))
    driver.redial()
    driver.handle(results("one", 0.0, 10.0))
    driver.lose_upstream()
    driver.cannot_dial()
    assert closing(driver) == (15, 15_000)


# Several channels


def test_with_two_channels_what_is_not_final_on_both_is_replayed_and_reported_once() -> None:
    driver = live(grant=90, config={"channels": 2, "multichannel": True})
    audio = noise(8)
    driver.frame(audio)  # 4 s of two channels
    driver.handle(
        final("left one", 0.0, 2.0, channel_index=[0, 2]),
        final("right one", 0.0, 1.0, channel_index=[1, 2]),
        final("left two", 2.0, 1.0, channel_index=[0, 2]),
    )
    driver.lose_upstream()
    driver.redial()
    assert driver.upstream_audio == audio[2 * SECOND :]
    done = driver.handle(
        final("left two", 0.0, 2.0, channel_index=[0, 2]),
        final("right two", 0.0, 2.0, channel_index=[1, 2]),
        final("left three", 2.0, 1.0, channel_index=[0, 2]),
    )
    said = [(message["text"], message["start"]) for message in messages(done)]
    assert said == [("right two", 1.0), ("left three", 3.0)]
    driver.client_sends("stop")
    driver.lose_upstream(1000)
    assert closing(driver) == (8, 4000)

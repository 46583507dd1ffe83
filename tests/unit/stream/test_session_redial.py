"""A lost upstream is redialled: a short delay, no gap, no final text twice, and no byte billed twice."""

import pytest

from tests.unit.stream.driver import (
    SECOND,
    live,
    messages,
    metadata,
    noise,
    results,
    texts,
)
from tests.unit.stream.losses import UNDER_WAY, closing, final, lost
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.phase import Phase

# A short delay


@pytest.mark.parametrize("code", [None, 1000, 1001, 1006, 1011, 1012, 4000])
def test_an_upstream_that_closes_is_dialled_again_within_a_tenth_of_a_second(code: int | None) -> None:
    driver = live()
    assert driver.lose_upstream(code) == []
    assert driver.session.phase is Phase.REDIALLING
    assert driver.wait(0.1) == [ev.Dial()]


def test_the_session_hears_what_was_not_final_and_what_came_meanwhile_in_order() -> None:
    driver = live()
    audio = noise(5)
    driver.frame(audio[: 3 * SECOND])
    driver.handle(final("one", 0.0, 1.5), results("tw", 1.5, 1.0))
    driver.lose_upstream()
    driver.frame(audio[3 * SECOND : 4 * SECOND])
    driver.redial()
    driver.frame(audio[4 * SECOND :])
    assert driver.upstream_audio == audio[SECOND * 3 // 2 :]


def test_what_comes_while_it_is_dialled_is_kept_though_reading_goes_on() -> None:
    driver = lost()
    assert driver.frame(noise(3)) == []
    assert not driver.paused
    assert len(driver.sent) == 2 * SECOND
    driver.redial()
    assert driver.upstream_audio == noise(2)[SECOND:] + noise(3)
    assert not driver.paused


def test_times_go_on_and_final_words_are_not_repeated() -> None:
    driver = live()
    driver.frame(noise(4))
    driver.handle(final("one", 0.0, 1.5))
    driver.lose_upstream()
    driver.redial()
    done = driver.handle(
        final("two", 0.5, 1.0, channel_index=[0, 1]),
        ev.UpstreamSentText(b'{"type":"UtteranceEnd","last_word_end":1.5}'),
    )
    transcript, utterance = messages(done)
    assert (transcript["text"], transcript["start"], transcript["duration"]) == ("two", 2.0, 1.0)
    assert utterance["last_word_end"] == 3.0


def test_words_that_were_final_on_the_way_to_the_loss_are_not_sent_again() -> None:
    driver = live()
    driver.frame(bytes(SECOND - 2))
    driver.handle(final("one", 0.0, 0.9))
    driver.lose_upstream()
    driver.redial()
    assert messages(driver.handle(final("ne", 0.0, 0.0))) != []
    assert messages(driver.handle(results("two", 0.0, 0.1))) != []
    assert [message["start"] for message in driver.messages_of("transcript")] == [0.0, 0.9, 0.9]


def test_no_byte_is_billed_twice_and_several_connections_are_billed_by_what_was_sent() -> None:
    driver = live()
    driver.stream(4)
    for _ in range(3):
        driver.lose_upstream()
        driver.redial()
        driver.stream(1)
        driver.handle(results("on", 0.0, 5.0))
    assert len(driver.sent) > 7 * SECOND
    driver.client_sends("stop")
    driver.handle(metadata(1.0))
    assert closing(driver) == (7, 7000)
    [closed] = [action.closing for action in driver.actions if isinstance(action, ev.Close)]
    assert sum(one.sent_ms or 0 for one in closed.connections) == len(driver.sent) * 1000 // SECOND
    assert [one.reported_ms for one in closed.connections] == [None, None, None, 1000]
    assert closed.connections[0].socket_ms == 4000


def test_a_finalize_is_sent_again_after_the_same_audio_unless_its_audio_is_final() -> None:
    driver = live()
    driver.frame(noise(1))
    driver.client_sends("finalize")
    driver.frame(noise(1))
    driver.lose_upstream()
    up = [action for action in driver.redial() if isinstance(action, ev.SendAudio | ev.SendUpstream)]
    assert up == [ev.SendAudio(noise(1)), ev.SendUpstream(b'{"type":"Finalize"}'), ev.SendAudio(noise(1))]
    driver.handle(final("one", 0.0, 1.0))
    driver.lose_upstream()
    assert texts(driver.redial()) == []


# How long it is tried


@pytest.mark.parametrize("status", [None, 429, 500, 502, 503, 504])
def test_an_upstream_that_cannot_be_reached_is_tried_five_times_and_then_it_ends_with_a_receipt(
    status: int | None,
) -> None:
    driver = lost()
    began = driver.now
    for tries in range(1, 6):
        driver.dialled()
        assert driver.now <= began + 20
        driver.handle(ev.UpstreamRefused(status))
        assert (driver.session.phase is Phase.REDIALLING) is (tries < 5)
    assert driver.every(ev.CloseUpstream) == []
    assert closing(driver) == (2, 2000)
    assert driver.ending() == ("upstream_closed", 1011, "upstream_closed")


def test_tries_wait_longer_and_longer() -> None:
    driver = lost()
    gaps = []
    while driver.session.phase is Phase.REDIALLING:
        since = driver.now
        driver.dialled()
        gaps.append(driver.now - since)
        driver.handle(ev.UpstreamRefused())
    assert gaps == sorted(gaps)
    assert gaps[0] <= 0.1 + 1e-6
    assert gaps[-1] > 2


def test_a_dial_that_hangs_is_given_up_after_20_s() -> None:
    driver = lost(under_way=True)
    began = driver.now
    driver.wait(19.8)
    assert driver.session.phase is Phase.REDIALLING
    done = driver.wait(0.2)
    assert ev.CloseUpstream() in done
    assert done.index(ev.CloseUpstream()) < done.index(ev.Close(driver.only(ev.Close).closing))
    assert driver.now - began <= 20
    assert driver.ending() == ("upstream_closed", 1011, "upstream_closed")
    assert driver.open_upstream() == []


@pytest.mark.parametrize(
    ("status", "code", "close"),
    [
        (400, "invalid_config", 4400),
        (401, "upstream_unavailable", 1011),
        (402, "upstream_unavailable", 1011),
        (403, "upstream_unavailable", 1011),
        (404, "upstream_unavailable", 1011),
    ],
)
def test_a_refusal_with_4xx_is_not_retried_and_reported_as_itself(status: int, code: str, close: int) -> None:
    driver = lost(under_way=True)
    driver.handle(ev.UpstreamRefused(status))
    assert closing(driver) == (2, 2000)
    assert driver.ending() == ("upstream_closed", close, code)


@pytest.mark.parametrize("again", [True, False], ids=["the second upstream", "the first upstream"])
def test_a_close_with_1008_is_not_retried(again: bool) -> None:
    driver = lost() if again else live()
    if again:
        driver.redial()
    driver.lose_upstream(1008)
    assert driver.ending() == ("upstream_closed", 1011, "upstream_closed")


def test_an_upstream_that_makes_progress_each_time_is_redialled_for_ever() -> None:
    driver = live()
    driver.frame(bytes(SECOND))
    for _ in range(12):
        driver.lose_upstream()
        driver.redial()
        driver.wait(3)
        driver.frame(bytes(SECOND))
        driver.handle(final("on", 0.0, len(driver.upstream_audio) / SECOND))
    assert driver.session.phase is Phase.LIVE
    assert len(driver.sent) == 13 * SECOND + SECOND


@pytest.mark.parametrize("claimed", [0.0, 1.0, 60.0], ids=["silent", "honest", "boasting"])
def test_an_upstream_that_dies_every_3_s_without_progress_is_not_redialled_for_ever(claimed: float) -> None:
    driver = lost()
    replays = 0
    while driver.session.phase is Phase.REDIALLING:
        driver.redial()
        replays += 1
        driver.handle(results("on", 0.0, min(claimed, 60.0)))
        driver.wait(3)
        driver.lose_upstream()
    assert replays == 5
    assert driver.ending() == ("upstream_closed", 1011, "upstream_closed")


def test_the_time_of_the_budget_restarts_only_with_progress() -> None:
    driver = lost()
    driver.redial()
    driver.frame(noise(1))
    driver.wait(19)
    driver.lose_upstream()
    driver.redial()
    driver.frame(noise(1))
    driver.wait(2)
    driver.lose_upstream()
    assert driver.session.phase is Phase.CLOSING


def test_progress_restarts_the_whole_budget() -> None:
    driver = lost()
    driver.redial()
    driver.frame(noise(1))
    driver.wait(10)
    driver.handle(results("on", 0.0, 1.5))
    driver.wait(11)
    driver.lose_upstream()
    for _ in range(5):
        driver.dialled()
        driver.handle(ev.UpstreamRefused())
    assert driver.session.phase is Phase.CLOSING


def test_the_upstream_may_be_lost_twice_in_a_row() -> None:
    driver = live()
    audio = noise(6)
    driver.frame(audio[: 2 * SECOND])
    driver.lose_upstream()
    driver.frame(audio[2 * SECOND : 4 * SECOND])
    driver.redial()
    assert driver.upstream_audio == audio[: 4 * SECOND]
    driver.lose_upstream()
    driver.frame(audio[4 * SECOND :])
    driver.redial()
    assert driver.upstream_audio == audio
    driver.handle(final("all", 0.0, 6.0))
    assert [message["start"] for message in driver.messages_of("transcript")] == [0.0]


def test_an_upstream_that_is_lost_before_its_opening_was_told_is_tried_again() -> None:
    driver = lost(under_way=True)
    assert driver.lose_upstream() == []
    assert driver.open_upstream() == []
    driver.redial()
    assert driver.session.phase is Phase.LIVE
    assert driver.upstream_audio == noise(2)[SECOND:]


# While the upstream does not read


def test_a_loss_while_it_does_not_read_loses_nothing() -> None:
    driver = live()
    audio = noise(4)
    driver.frame(audio[:SECOND])
    driver.handle(ev.UpstreamStalled())
    driver.frame(audio[SECOND : 2 * SECOND])
    driver.client_sends("finalize")
    driver.frame(audio[2 * SECOND : 3 * SECOND])
    assert driver.paused
    driver.lose_upstream()
    assert not driver.paused
    driver.frame(audio[3 * SECOND :])
    done = driver.redial()
    assert texts(done) == ["Finalize"]
    assert driver.upstream_audio == audio
    assert not driver.paused


def test_an_upstream_that_stalls_in_the_middle_of_a_replay_gets_the_rest_later() -> None:
    driver = live()
    audio = noise(9)
    driver.frame(audio[: 8 * SECOND])
    driver.lose_upstream()
    driver.redial()
    driver.handle(ev.UpstreamStalled())
    driver.frame(audio[8 * SECOND :])
    assert driver.paused
    driver.handle(ev.UpstreamRecovered())
    assert driver.upstream_audio == audio
    assert not driver.paused


@pytest.mark.parametrize("event", [ev.UpstreamStalled(), ev.UpstreamRecovered(), ev.UpstreamPonged()])
def test_what_a_lost_upstream_still_reports_changes_nothing(event: ev.Event) -> None:
    driver = lost()
    assert driver.handle(event) == []
    driver.redial()
    assert driver.upstream_audio == noise(2)[SECOND:]
    assert not driver.paused


@UNDER_WAY
def test_words_of_a_lost_upstream_are_ignored(under_way: bool) -> None:
    driver = lost(under_way=under_way)
    assert driver.handle(results("late", 1.0, 1.0), metadata(2.0)) == []

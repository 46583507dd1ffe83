"""A lost upstream is redialled: a short delay, no gap, no final text twice, and no byte billed twice."""

from typing import Any

import pytest

from tests.unit.stream.driver import (
    CLOSE_STREAM,
    ID,
    SECOND,
    SessionDriver,
    live,
    messages,
    metadata,
    noise,
    results,
    texts,
)
from transcription_proxy.stream import endings
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.phase import Phase
from transcription_proxy.values import Settlement
from transcription_wire.codes import Reason

UNDER_WAY = pytest.mark.parametrize("under_way", [True, False], ids=["while it is dialled", "between two tries"])


def lost(*, under_way: bool = False, **settings: Any) -> SessionDriver:
    """Return a driver after 2 s of audio, one of them final, whose upstream was lost."""
    driver = live(**settings)
    driver.frame(noise(2))
    driver.handle(results("one", 0.0, 1.0, is_final=True))
    driver.lose_upstream()
    if under_way:
        driver.dialled()
    return driver


def final(text: str, start: float, duration: float, **more: Any) -> ev.UpstreamSentText:
    return results(text, start, duration, is_final=True, **more)


def closing(driver: SessionDriver) -> tuple[int, int]:
    """Credits and milliseconds of audio that are booked at the end."""
    booked = driver.only(ev.Close).closing
    return booked.total, booked.audio_ms


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


# While credit is short


def short(left: int = 1) -> SessionDriver:
    """Return a driver with 3 s of audio and credit for 1 s; other sessions hold the rest."""
    driver = live(grant=1, remaining=50)
    driver.ledger = lambda settlement: driver.granted(settlement, 1, elsewhere=left)
    driver.frame(noise(3))
    assert driver.paused
    return driver


def test_a_replay_costs_no_credit_and_what_is_not_covered_still_waits() -> None:
    driver = short()
    driver.lose_upstream()
    driver.redial()
    assert driver.upstream_audio == noise(3)[:SECOND]
    assert driver.paused
    driver.ledger = driver.generous
    driver.wait(1)
    assert driver.upstream_audio == noise(3)
    driver.client_sends("stop")
    driver.lose_upstream(1000)
    assert closing(driver) == (3, 3000)


def test_the_wait_for_credit_does_not_run_out_while_there_is_no_upstream() -> None:
    driver = short()
    driver.wait(8)
    driver.lose_upstream()
    driver.dialled()
    driver.wait(15)
    driver.open_upstream()
    driver.wait(9)
    assert driver.session.phase is Phase.LIVE
    driver.wait(1)
    assert driver.session.reason is Reason.INSUFFICIENT_CREDITS


def test_credit_that_is_refused_for_good_ends_it_though_the_upstream_is_away() -> None:
    driver = live(grant=1, remaining=1)
    driver.ledger = driver.silent
    driver.frame(noise(3))
    driver.lose_upstream()
    driver.handle(driver.granted(driver.settlements[-1], 1))
    assert driver.ending() == ("insufficient_credits", 4402, "insufficient_credits")


def test_a_grant_that_ran_out_of_time_covers_the_replay_only() -> None:
    driver = live()
    driver.frame(noise(1))
    driver.ledger = driver.failing
    for _ in range(9):
        driver.wait(4)
        driver.frame(noise(1))
    driver.lose_upstream()
    driver.dialled()
    driver.frame(noise(1))
    driver.wait(10)
    driver.open_upstream()
    assert driver.upstream_audio == noise(1) * 10
    assert driver.paused
    driver.ledger = driver.generous
    driver.wait(1)
    assert driver.upstream_audio == noise(1) * 11


# While a settle is under way


def under_way() -> SessionDriver:
    """Return a driver whose upstream is lost while 8 s of audio are being settled."""
    driver = live()
    driver.ledger = driver.silent
    driver.stream(8)
    assert len(driver.settlements) == 2
    driver.lose_upstream()
    return driver


def test_a_settle_is_answered_while_there_is_no_upstream() -> None:
    driver = under_way()
    (usage,) = messages(driver.handle(driver.granted(driver.settlements[-1], 53)))
    assert usage == {"type": "usage", "seconds_used": 8, "seconds_remaining": 992}
    driver.redial()
    driver.ledger = driver.generous
    driver.stream(8)
    assert [settlement.total for settlement in driver.settlements] == [0, 8, 16]
    assert [settlement.number for settlement in driver.settlements] == [1, 2, 3]


def test_a_settle_that_fails_meanwhile_is_tried_again_meanwhile() -> None:
    driver = under_way()
    driver.handle(ev.SettleFailed())
    driver.dialled()
    driver.ledger = driver.generous
    driver.wait(1)
    assert [settlement.total for settlement in driver.settlements] == [0, 8, 8]
    assert driver.session.phase is Phase.REDIALLING


def test_settles_go_on_while_there_is_no_upstream_and_state_what_was_sent() -> None:
    driver = lost(under_way=True)
    driver.frame(noise(5))
    driver.wait(19)
    assert [settlement.total for settlement in driver.settlements] == [0, 2]
    assert all(settlement.extend for settlement in driver.settlements)


def test_a_session_that_the_ledger_has_ended_stops_dialling() -> None:
    driver = lost(under_way=True)
    driver.ledger = lambda settlement: driver.granted(settlement, 2, gone=True)
    done = driver.handle(ev.RowChanged())
    assert ev.CloseUpstream() in done
    assert texts(done) == []
    assert driver.commit()[-2:] == [ev.CloseClient(1011), ev.Finish()]
    assert driver.messages_of("session_end")[0]["reason"] == "lease_expired"


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


# The ring


def test_reading_pauses_when_30_s_are_kept_and_goes_on_with_the_upstream() -> None:
    driver = lost(under_way=True)
    audio = noise(29)
    driver.frame(audio[:-2])
    assert not driver.paused
    driver.frame(audio[-2:])
    assert driver.paused
    driver.open_upstream()
    assert driver.upstream_audio == noise(2)[SECOND:] + audio[: len(driver.upstream_audio) - SECOND]
    for _ in range(3):
        driver.wait(1)
    assert driver.upstream_audio == noise(2)[SECOND:] + audio
    assert not driver.paused


def test_of_more_than_30_s_without_a_final_the_last_30_are_replayed() -> None:
    driver = live()
    audio = noise(42)
    for begin in range(0, len(audio) - 2 * SECOND, SECOND):
        driver.wait(1)
        driver.frame(audio[begin : begin + SECOND])
        driver.handle(results("and so on", 0.0, begin / SECOND))
    assert not driver.paused
    driver.lose_upstream()
    assert driver.paused
    driver.frame(audio[40 * SECOND : 41 * SECOND])
    driver.redial()
    assert not driver.paused
    driver.frame(audio[41 * SECOND :])
    assert driver.upstream_audio == audio[10 * SECOND :]
    driver.handle(final("the end", 29.0, 1.0))
    assert driver.messages_of("transcript")[-1]["start"] == 39.0


def test_a_burst_while_settles_fail_is_not_kept_as_far_as_its_hold_goes() -> None:
    """Here 82 s: what 30 s of a replay and 8 s more need is all that stays."""
    driver = live(grant=90, remaining=5000)
    driver.ledger = driver.failing
    driver.frame(bytes(8 * SECOND))
    driver.ledger = driver.silent
    driver.wait(1)
    kept = []
    for _ in range(10 * 82):
        driver.frame()
        kept.append(len(driver.session._upstream.buffer))
    assert len(driver.sent) == 90 * SECOND
    assert max(kept) <= 38 * SECOND


def test_a_huge_frame_that_waits_takes_no_room_from_what_may_be_replayed() -> None:
    driver = live(grant=20)
    driver.ledger = driver.silent
    audio = noise(50)
    driver.frame(audio[: 5 * SECOND])
    driver.frame(audio[5 * SECOND :])
    assert len(driver.sent) == 10 * SECOND
    driver.handle(driver.granted(driver.settlements[-1], 10))
    driver.lose_upstream()
    assert driver.paused
    driver.redial()
    assert driver.upstream_audio == audio[: 10 * SECOND]


def test_a_flood_of_requests_pauses_reading() -> None:
    driver = lost()
    for _ in range(64):
        driver.frame(b"ab")
        driver.client_sends("finalize")
    assert driver.paused
    driver.redial()
    assert not driver.paused
    assert driver.texts == ["Finalize"] * 64
    assert driver.upstream_audio == noise(2)[SECOND:] + b"ab" * 64


def test_odd_frames_are_cut_at_a_sample_in_a_replay() -> None:
    driver = live()
    audio = noise(1)
    driver.frame(audio[:9999])
    driver.frame(audio[9999:20_001])
    driver.handle(final("one", 0.0, 0.4))
    driver.lose_upstream()
    driver.frame(audio[20_001:])
    driver.redial()
    assert driver.upstream_audio == audio[12_800:]


# Muted


def test_a_session_that_starts_muted_stays_up_when_its_upstream_is_lost_at_no_cost() -> None:
    driver = live()
    driver.wait(6)
    driver.lose_upstream()
    driver.redial()
    assert not driver.upstream_audio
    driver.wait(4)
    assert driver.upstream_audio == bytes(SECOND // 10)
    assert texts(driver.wait(8)) == ["KeepAlive"] * 2
    assert len(driver.upstream_audio) == SECOND // 10
    driver.client_sends("stop")
    driver.handle(metadata(0.1))
    assert closing(driver) == (0, 0)


def test_a_session_that_mutes_gets_own_silence_from_the_next_upstream_and_its_times_are_right() -> None:
    driver = live()
    driver.frame(noise(2))
    driver.handle(final("one", 0.0, 2.0))
    driver.wait(30)
    driver.lose_upstream()
    driver.redial()
    driver.wait(4)
    assert driver.upstream_audio == bytes(SECOND // 10)
    driver.frame(noise(1))
    (two,) = messages(driver.handle(final("two", 0.0, 1.1)))
    assert (two["start"], two["duration"]) == (2.0, 1.0)
    driver.client_sends("stop")
    driver.handle(metadata(1.1))
    assert closing(driver) == (3, 3000)


def test_a_muted_session_holds_nothing_while_it_is_dialled() -> None:
    driver = live()
    driver.wait(6)
    driver.lose_upstream()
    driver.dialled()
    driver.wait(15)
    driver.open_upstream()
    driver.wait(15)
    assert all((settlement.keep, settlement.total) == (0, 0) for settlement in driver.settlements[1:])


def test_a_muted_session_is_redialled_as_often_as_need_be_until_it_is_idle() -> None:
    driver = live(idle=300)
    driver.frame(noise(2))
    driver.handle(final("one", 0.0, 1.0))
    for _ in range(9):
        driver.wait(30)
        driver.lose_upstream()
        driver.redial()
    driver.wait(31)
    assert driver.ending() == ("idle", 1000, None)


def test_a_muted_session_whose_upstream_dies_every_3_s_gives_up_too() -> None:
    driver = live()
    dials = 0
    while driver.session.phase is not Phase.CLOSING:
        driver.wait(3)
        driver.lose_upstream()
        if driver.session.phase is Phase.REDIALLING:
            driver.redial()
            dials += 1
    assert dials <= 6
    assert driver.session.reason is Reason.UPSTREAM_CLOSED


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


# The receipt


def test_the_ledger_learns_of_the_upstream_that_was_heard_last() -> None:
    driver = live()
    driver.handle(metadata(1.0, "first"))
    driver.lose_upstream()
    driver.dialled()
    driver.open_upstream("second")
    driver.client_sends("stop")
    driver.wait(5)
    booked = driver.only(ev.Close).closing
    assert (booked.session_id, booked.request_id, booked.upstream_ms) == (ID, "second", None)


def test_every_statement_has_a_number_of_its_own_over_all_upstreams() -> None:
    driver = live()
    for _ in range(4):
        driver.stream(9)
        driver.handle(results("on", 0.0, 60.0))
        driver.lose_upstream()
        driver.redial()
    driver.client_sends("stop")
    driver.lose_upstream(1000)
    numbers = [settlement.number for settlement in driver.settlements]
    assert numbers == list(range(1, len(numbers) + 1))
    assert driver.only(ev.Close).closing.number == numbers[-1] + 1
    totals = [settlement.total for settlement in driver.settlements]
    assert totals == sorted(totals)
    assert isinstance(driver.settlements[-1], Settlement)

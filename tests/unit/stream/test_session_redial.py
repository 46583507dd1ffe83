"""A lost upstream is taken up again: a short delay, no gap, no final text twice, and no byte is paid for twice."""

from typing import Any

import pytest

from tests.unit.stream.stage import CLOSE_STREAM, ID, SECOND, Stage, live, messages, metadata, noise, results, texts
from transcription_proxy.stream import endings
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.phase import Phase
from transcription_proxy.values import Settlement
from transcription_wire.codes import Reason

UNDER_WAY = pytest.mark.parametrize("under_way", [True, False], ids=["while it is dialled", "between two tries"])


def lost(*, under_way: bool = False, **settings: Any) -> Stage:
    """A stage that heard 2 s, of which one is final, and whose upstream was lost."""
    stage = live(**settings)
    stage.frame(noise(2))
    stage.tell(results("one", 0.0, 1.0, is_final=True))
    stage.lose()
    if under_way:
        stage.dialled()
    return stage


def final(text: str, start: float, duration: float, **more: Any) -> ev.UpstreamSpoke:
    return results(text, start, duration, is_final=True, **more)


def closing(stage: Stage) -> tuple[int, int]:
    """Credits and milliseconds of audio that are booked at the end."""
    booked = stage.only(ev.Close).closing
    return booked.total, booked.audio_ms


# A short delay


@pytest.mark.parametrize("code", [None, 1000, 1001, 1006, 1011, 1012, 4000])
def test_an_upstream_that_closes_is_dialled_again_within_a_tenth_of_a_second(code: int | None) -> None:
    stage = live()
    assert stage.lose(code) == []
    assert stage.session.phase is Phase.REDIALLING
    assert stage.wait(0.1) == [ev.Dial()]


def test_it_hears_what_was_not_final_and_what_came_meanwhile_in_order() -> None:
    stage = live()
    audio = noise(5)
    stage.frame(audio[: 3 * SECOND])
    stage.tell(final("one", 0.0, 1.5), results("tw", 1.5, 1.0))
    stage.lose()
    stage.frame(audio[3 * SECOND : 4 * SECOND])
    stage.redial()
    stage.frame(audio[4 * SECOND :])
    assert stage.heard == audio[SECOND * 3 // 2 :]


def test_what_comes_while_it_is_dialled_is_kept_though_reading_goes_on() -> None:
    stage = lost()
    assert stage.frame(noise(3)) == []
    assert not stage.paused
    assert len(stage.sent) == 2 * SECOND
    stage.redial()
    assert stage.heard == noise(2)[SECOND:] + noise(3)
    assert not stage.paused


def test_times_go_on_and_final_words_are_not_repeated() -> None:
    stage = live()
    stage.frame(noise(4))
    stage.tell(final("one", 0.0, 1.5))
    stage.lose()
    stage.redial()
    done = stage.tell(
        final("two", 0.5, 1.0, channel_index=[0, 1]),
        ev.UpstreamSpoke(b'{"type":"UtteranceEnd","last_word_end":1.5}'),
    )
    transcript, utterance = messages(done)
    assert (transcript["text"], transcript["start"], transcript["duration"]) == ("two", 2.0, 1.0)
    assert utterance["last_word_end"] == 3.0


def test_words_that_were_final_on_the_way_to_the_loss_are_not_told_again() -> None:
    stage = live()
    stage.frame(bytes(SECOND - 2))
    stage.tell(final("one", 0.0, 0.9))
    stage.lose()
    stage.redial()
    assert messages(stage.tell(final("ne", 0.0, 0.0))) != []
    assert messages(stage.tell(results("two", 0.0, 0.1))) != []
    assert [message["start"] for message in stage.told("transcript")] == [0.0, 0.9, 0.9]


def test_no_byte_is_billed_twice_and_several_connections_are_billed_by_what_was_sent() -> None:
    stage = live()
    stage.stream(4)
    for _ in range(3):
        stage.lose()
        stage.redial()
        stage.stream(1)
        stage.tell(results("on", 0.0, 5.0))
    assert len(stage.sent) > 7 * SECOND
    stage.say("stop")
    stage.tell(metadata(1.0))
    assert closing(stage) == (7, 7000)


def test_a_finalize_is_said_again_after_the_same_audio_unless_its_audio_is_final() -> None:
    stage = live()
    stage.frame(noise(1))
    stage.say("finalize")
    stage.frame(noise(1))
    stage.lose()
    up = [action for action in stage.redial() if isinstance(action, ev.SendAudio | ev.SendUpstream)]
    assert up == [ev.SendAudio(noise(1)), ev.SendUpstream(b'{"type":"Finalize"}'), ev.SendAudio(noise(1))]
    stage.tell(final("one", 0.0, 1.0))
    stage.lose()
    assert texts(stage.redial()) == []


# What the client is told


def test_a_short_loss_is_not_mentioned() -> None:
    stage = lost()
    stage.dialled()
    stage.wait(1.8)
    stage.open()
    assert stage.told("status") == []


def test_one_of_two_seconds_is_told_and_so_is_its_end() -> None:
    stage = lost()
    since = stage.now
    stage.dialled()
    assert messages(stage.wait(since + 1.9 - stage.now)) == []
    assert messages(stage.wait(0.2)) == [{"type": "status", "upstream": "reconnecting"}]
    assert messages(stage.wait(5)) == []
    stage.open()
    stage.wait(1.9)
    assert len(stage.told("status")) == 1
    assert messages(stage.wait(0.2)) == [{"type": "status", "upstream": "connected"}]
    stage.wait(5)
    assert len(stage.told("status")) == 2
    assert stage.told("ready") == stage.messages[:1]


def test_its_end_is_told_with_the_first_words_that_are_more_than_a_replay() -> None:
    stage = lost(under_way=True)
    stage.wait(5)
    stage.frame(noise(1))
    assert messages(stage.open()) == []
    assert [message["type"] for message in messages(stage.tell(results("two", 0.0, 1.0)))] == ["transcript"]
    connected, transcript = messages(stage.tell(results("two three", 0.0, 1.5)))
    assert connected == {"type": "status", "upstream": "connected"}
    assert transcript["text"] == "two three"
    stage.wait(5)
    assert len(stage.told("status")) == 2


def test_a_new_one_that_dies_at_once_again_and_again_is_a_loss_that_lasts() -> None:
    stage = lost()
    while stage.session.phase is Phase.REDIALLING:
        stage.redial()
        stage.wait(0.2)
        stage.lose()
    assert [message["upstream"] for message in stage.told("status")] == ["reconnecting"]
    assert stage.ending() == ("upstream_closed", 1011, "upstream_closed")


def test_a_loss_is_told_once_though_others_die_before_one_speaks() -> None:
    stage = lost()
    for _ in range(4):
        stage.redial()
        stage.wait(0.2)
        stage.lose()
    stage.redial()
    stage.tell(results("two", 0.0, 1.0))
    stage.wait(2)
    assert [message["upstream"] for message in stage.told("status")] == ["reconnecting", "connected"]


@pytest.mark.parametrize("said", [0.0, 1.0])
def test_one_that_opens_speaks_and_dies_at_once_is_a_loss_that_lasts(said: float) -> None:
    stage = lost()
    since, told_at = stage.now, 0.0
    while stage.session.phase is Phase.REDIALLING:
        stage.redial()
        stage.tell(results("two" if said else "", 0.0, said))
        stage.wait(0.1)
        stage.lose()
        told_at = told_at or (stage.now if stage.told("status") else 0.0)
    assert [message["upstream"] for message in stage.told("status")] == ["reconnecting"]
    assert told_at - since <= 5


def test_each_long_loss_is_told() -> None:
    stage = lost(under_way=True)
    for _ in range(2):
        stage.wait(3)
        stage.open()
        stage.frame(noise(1))
        stage.tell(results("on", 0.0, 10.0))
        stage.lose()
        stage.dialled()
    assert [message["upstream"] for message in stage.told("status")] == ["reconnecting", "connected"] * 2


# An upstream that stalls


def test_one_that_hears_15_s_in_15_s_and_says_nothing_is_replaced() -> None:
    stage = live()
    for _ in range(15):
        stage.wait(1)
        stage.frame(bytes(SECOND))
    assert stage.every(ev.HangUp) == []
    done = stage.wait(1)
    assert ev.HangUp() in done
    assert stage.session.phase is Phase.REDIALLING
    assert CLOSE_STREAM not in [action.text for action in stage.every(ev.SendUpstream)]
    stage.redial()
    assert len(stage.heard) == 15 * SECOND
    stage.tell(final("all of it", 0.0, 15.0))
    stage.say("stop")
    stage.wait(5)
    assert closing(stage) == (15, 15_000)


def test_one_that_does_not_pong_is_replaced() -> None:
    stage = live()
    stage.pongs = False
    for _ in range(4):
        stage.wait(5)
        stage.tell(ev.ClientPonged())
    assert ev.HangUp() in stage.actions
    stage.pongs = True
    stage.redial()
    assert stage.session.phase is Phase.LIVE


def test_the_watchdog_counts_a_replay_but_gives_the_new_one_15_s_of_time() -> None:
    stage = live()
    stage.stream(20)
    stage.lose()
    stage.redial()
    assert len(stage.heard) == 20 * SECOND
    assert ev.HangUp() not in stage.wait(14.9)
    assert ev.HangUp() in stage.wait(0.2)


def test_its_silence_is_paid_for_5_s_at_most_where_no_other_is_found() -> None:
    stage = live()
    stage.frame(bytes(SECOND))
    stage.tell(results("one", 0.0, 1.0))
    for _ in range(16):
        stage.wait(1)
        stage.frame(bytes(SECOND))
    stage.cannot_dial()
    assert closing(stage) == (6, 6000)


def test_its_silence_is_paid_for_as_far_as_another_one_answered() -> None:
    stage = live()
    for _ in range(16):
        stage.wait(1)
        stage.frame(bytes(SECOND))
    stage.redial()
    stage.tell(results("one", 0.0, 10.0))
    stage.lose()
    stage.cannot_dial()
    assert closing(stage) == (15, 15_000)


# How long it is tried


@pytest.mark.parametrize("status", [None, 429, 500, 502, 503, 504])
def test_one_that_cannot_be_reached_is_tried_five_times_and_then_it_ends_with_a_receipt(status: int | None) -> None:
    stage = lost()
    began = stage.now
    for tries in range(1, 6):
        stage.dialled()
        assert stage.now <= began + 20
        stage.tell(ev.UpstreamRefused(status))
        assert (stage.session.phase is Phase.REDIALLING) is (tries < 5)
    assert stage.every(ev.HangUp) == []
    assert closing(stage) == (2, 2000)
    assert stage.ending() == ("upstream_closed", 1011, "upstream_closed")


def test_tries_wait_longer_and_longer() -> None:
    stage = lost()
    gaps = []
    while stage.session.phase is Phase.REDIALLING:
        since = stage.now
        stage.dialled()
        gaps.append(stage.now - since)
        stage.tell(ev.UpstreamRefused())
    assert gaps == sorted(gaps)
    assert gaps[0] <= 0.1 + 1e-6
    assert gaps[-1] > 2


def test_a_dial_that_hangs_is_given_up_after_20_s() -> None:
    stage = lost(under_way=True)
    began = stage.now
    stage.wait(19.8)
    assert stage.session.phase is Phase.REDIALLING
    done = stage.wait(0.2)
    assert ev.HangUp() in done
    assert done.index(ev.HangUp()) < done.index(ev.Close(stage.only(ev.Close).closing))
    assert stage.now - began <= 20
    assert stage.ending() == ("upstream_closed", 1011, "upstream_closed")
    assert stage.open() == []


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
def test_a_refusal_with_4xx_is_not_retried_and_told_as_itself(status: int, code: str, close: int) -> None:
    stage = lost(under_way=True)
    stage.tell(ev.UpstreamRefused(status))
    assert closing(stage) == (2, 2000)
    assert stage.ending() == ("upstream_closed", close, code)


@pytest.mark.parametrize("again", [True, False], ids=["the second upstream", "the first upstream"])
def test_a_close_with_1008_is_not_retried(again: bool) -> None:
    stage = lost() if again else live()
    if again:
        stage.redial()
    stage.lose(1008)
    assert stage.ending() == ("upstream_closed", 1011, "upstream_closed")


def test_one_that_makes_headway_each_time_is_taken_up_for_ever() -> None:
    stage = live()
    stage.frame(bytes(SECOND))
    for _ in range(12):
        stage.lose()
        stage.redial()
        stage.wait(3)
        stage.frame(bytes(SECOND))
        stage.tell(final("on", 0.0, len(stage.heard) / SECOND))
    assert stage.session.phase is Phase.LIVE
    assert len(stage.sent) == 13 * SECOND + SECOND


@pytest.mark.parametrize("claimed", [0.0, 1.0, 60.0], ids=["silent", "honest", "boasting"])
def test_one_that_dies_every_3_s_without_headway_is_not_fed_for_ever(claimed: float) -> None:
    stage = lost()
    replays = 0
    while stage.session.phase is Phase.REDIALLING:
        stage.redial()
        replays += 1
        stage.tell(results("on", 0.0, min(claimed, 60.0)))
        stage.wait(3)
        stage.lose()
    assert replays == 5
    assert stage.ending() == ("upstream_closed", 1011, "upstream_closed")


def test_the_clock_too_starts_anew_only_with_headway() -> None:
    stage = lost()
    stage.redial()
    stage.frame(noise(1))
    stage.wait(19)
    stage.lose()
    stage.redial()
    stage.frame(noise(1))
    stage.wait(2)
    stage.lose()
    assert stage.session.phase is Phase.CLOSING


def test_headway_gives_it_the_whole_time_again() -> None:
    stage = lost()
    stage.redial()
    stage.frame(noise(1))
    stage.wait(10)
    stage.tell(results("on", 0.0, 1.5))
    stage.wait(11)
    stage.lose()
    for _ in range(5):
        stage.dialled()
        stage.tell(ev.UpstreamRefused())
    assert stage.session.phase is Phase.CLOSING


def test_it_is_lost_twice_in_a_row() -> None:
    stage = live()
    audio = noise(6)
    stage.frame(audio[: 2 * SECOND])
    stage.lose()
    stage.frame(audio[2 * SECOND : 4 * SECOND])
    stage.redial()
    assert stage.heard == audio[: 4 * SECOND]
    stage.lose()
    stage.frame(audio[4 * SECOND :])
    stage.redial()
    assert stage.heard == audio
    stage.tell(final("all", 0.0, 6.0))
    assert [message["start"] for message in stage.told("transcript")] == [0.0]


def test_one_that_is_lost_before_its_opening_was_told_is_tried_again() -> None:
    stage = lost(under_way=True)
    assert stage.lose() == []
    assert stage.open() == []
    stage.redial()
    assert stage.session.phase is Phase.LIVE
    assert stage.heard == noise(2)[SECOND:]


# While the upstream does not read


def test_a_loss_while_it_does_not_read_loses_nothing() -> None:
    stage = live()
    audio = noise(4)
    stage.frame(audio[:SECOND])
    stage.tell(ev.UpstreamStalled())
    stage.frame(audio[SECOND : 2 * SECOND])
    stage.say("finalize")
    stage.frame(audio[2 * SECOND : 3 * SECOND])
    assert stage.paused
    stage.lose()
    assert not stage.paused
    stage.frame(audio[3 * SECOND :])
    done = stage.redial()
    assert texts(done) == ["Finalize"]
    assert stage.heard == audio
    assert not stage.paused


def test_one_that_stalls_in_the_middle_of_a_replay_gets_the_rest_later() -> None:
    stage = live()
    audio = noise(9)
    stage.frame(audio[: 8 * SECOND])
    stage.lose()
    stage.redial()
    stage.tell(ev.UpstreamStalled())
    stage.frame(audio[8 * SECOND :])
    assert stage.paused
    stage.tell(ev.UpstreamRecovered())
    assert stage.heard == audio
    assert not stage.paused


@pytest.mark.parametrize("event", [ev.UpstreamStalled(), ev.UpstreamRecovered(), ev.UpstreamPonged()])
def test_what_a_lost_upstream_still_reports_changes_nothing(event: ev.Event) -> None:
    stage = lost()
    assert stage.tell(event) == []
    stage.redial()
    assert stage.heard == noise(2)[SECOND:]
    assert not stage.paused


@UNDER_WAY
def test_words_of_a_lost_upstream_are_not_heard(under_way: bool) -> None:
    stage = lost(under_way=under_way)
    assert stage.tell(results("late", 1.0, 1.0), metadata(2.0)) == []


# While credit is short


def short(left: int = 1) -> Stage:
    """3 s of audio came, credit for one second is there, and the rest is held by neighbours."""
    stage = live(grant=1, remaining=50)
    stage.ledger = lambda settlement: stage.granted(settlement, 1, elsewhere=left)
    stage.frame(noise(3))
    assert stage.paused
    return stage


def test_a_replay_costs_no_credit_and_what_is_not_covered_still_waits() -> None:
    stage = short()
    stage.lose()
    stage.redial()
    assert stage.heard == noise(3)[:SECOND]
    assert stage.paused
    stage.ledger = stage.generous
    stage.wait(1)
    assert stage.heard == noise(3)
    stage.say("stop")
    stage.lose(1000)
    assert closing(stage) == (3, 3000)


def test_patience_for_credit_does_not_run_out_while_there_is_no_upstream() -> None:
    stage = short()
    stage.wait(8)
    stage.lose()
    stage.dialled()
    stage.wait(15)
    stage.open()
    stage.wait(9)
    assert stage.session.phase is Phase.LIVE
    stage.wait(1)
    assert stage.session.reason is Reason.INSUFFICIENT_CREDITS


def test_credit_that_is_refused_for_good_ends_it_though_the_upstream_is_away() -> None:
    stage = live(grant=1, remaining=1)
    stage.ledger = stage.silent
    stage.frame(noise(3))
    stage.lose()
    stage.tell(stage.granted(stage.settlements[-1], 1))
    assert stage.ending() == ("insufficient_credits", 4402, "insufficient_credits")


def test_a_grant_that_ran_out_of_time_covers_the_replay_only() -> None:
    stage = live()
    stage.frame(noise(1))
    stage.ledger = stage.failing
    for _ in range(9):
        stage.wait(4)
        stage.frame(noise(1))
    stage.lose()
    stage.dialled()
    stage.frame(noise(1))
    stage.wait(10)
    stage.open()
    assert stage.heard == noise(1) * 10
    assert stage.paused
    stage.ledger = stage.generous
    stage.wait(1)
    assert stage.heard == noise(1) * 11


# While a settle is under way


def under_way() -> Stage:
    """8 s went up and are being settled when the upstream is lost."""
    stage = live()
    stage.ledger = stage.silent
    stage.stream(8)
    assert len(stage.settlements) == 2
    stage.lose()
    return stage


def test_a_settle_is_answered_while_there_is_no_upstream() -> None:
    stage = under_way()
    (usage,) = messages(stage.tell(stage.granted(stage.settlements[-1], 53)))
    assert usage == {"type": "usage", "seconds_used": 8, "seconds_remaining": 992}
    stage.redial()
    stage.ledger = stage.generous
    stage.stream(8)
    assert [settlement.total for settlement in stage.settlements] == [0, 8, 16]
    assert [settlement.number for settlement in stage.settlements] == [1, 2, 3]


def test_a_settle_that_fails_meanwhile_is_tried_again_meanwhile() -> None:
    stage = under_way()
    stage.tell(ev.SettleFailed())
    stage.dialled()
    stage.ledger = stage.generous
    stage.wait(1)
    assert [settlement.total for settlement in stage.settlements] == [0, 8, 8]
    assert stage.session.phase is Phase.REDIALLING


def test_settles_go_on_while_there_is_no_upstream_and_state_what_went_up() -> None:
    stage = lost(under_way=True)
    stage.frame(noise(5))
    stage.wait(19)
    assert [settlement.total for settlement in stage.settlements] == [0, 2]
    assert all(settlement.extend for settlement in stage.settlements)


def test_a_session_that_the_ledger_has_ended_stops_dialling() -> None:
    stage = lost(under_way=True)
    stage.ledger = lambda settlement: stage.granted(settlement, 2, gone=True)
    done = stage.tell(ev.Nudged())
    assert ev.HangUp() in done
    assert texts(done) == []
    assert stage.commit()[-2:] == [ev.CloseClient(1011), ev.Finish()]
    assert stage.told("session_end")[0]["reason"] == "lease_expired"


# After `stop`


def stopped(*events: ev.Event) -> Stage:
    """3 s of audio and a stop; then events, and the upstream is lost."""
    stage = live()
    stage.frame(noise(3))
    stage.say("stop")
    stage.tell(*events)
    stage.lose()
    return stage


def test_the_last_words_are_sought_elsewhere_when_the_upstream_is_lost_after_a_stop() -> None:
    stage = stopped(final("one", 0.0, 1.0))
    assert stage.session.phase is Phase.REDIALLING
    assert stage.frame(noise(1)) == stage.say("finalize") == stage.say("nonsense") == []
    assert texts(stage.redial()) == ["CloseStream"]
    assert stage.heard == noise(3)[SECOND:]
    stage.tell(final("two", 0.0, 2.0), metadata(2.0))
    assert [message["text"] for message in stage.told("transcript")] == ["one", "two"]
    assert closing(stage) == (3, 3000)
    assert stage.ending() == ("client_stop", 1000, None)


def test_they_are_sought_once_where_the_next_upstream_dies_of_them_too() -> None:
    stage = stopped()
    since = stage.now
    stage.redial()
    stage.tell(results("more", 0.0, 60.0))
    stage.lose(None)
    assert stage.now - since <= 0.2
    assert closing(stage) == (3, 3000)
    assert stage.ending() == ("upstream_closed", 1011, "upstream_closed")


def test_they_are_sought_for_as_long_as_each_upstream_finds_some() -> None:
    stage = stopped(final("one", 0.0, 1.0))
    for _ in range(3):
        stage.redial()
        stage.tell(final("more", 0.0, 0.5))
        stage.lose(None)
    stage.redial()
    stage.lose(None)
    assert [message["start"] for message in stage.told("transcript")] == [0.0, 1.0, 1.5, 2.0]
    assert stage.ending() == ("upstream_closed", 1011, "upstream_closed")


def test_they_are_sought_as_often_as_anything_else_where_no_upstream_is_reached() -> None:
    stage = stopped()
    dials = sum(isinstance(action, ev.Dial) for action in stage.cannot_dial())
    assert dials == 5
    assert stage.ending() == ("upstream_closed", 1011, "upstream_closed")


@pytest.mark.parametrize("code", [1000, 1008])
def test_an_upstream_that_closes_properly_after_a_stop_is_believed(code: int) -> None:
    stage = live()
    stage.frame(noise(3))
    stage.say("stop")
    stage.lose(code)
    assert stage.ending() == ("client_stop", 1000, None)


@pytest.mark.parametrize("until", [3.0, 2.995, 2.95], ids=["all", "all but a few samples", "all but a breath"])
def test_nothing_is_sought_when_all_was_final(until: float) -> None:
    stage = stopped(final("all", 0.0, until))
    assert stage.ending() == ("client_stop", 1000, None)


def test_nothing_is_sought_for_a_client_that_is_gone() -> None:
    stage = stopped(ev.ClientLost())
    assert stage.session.phase is Phase.CLOSING
    assert stage.only(ev.Close).closing.reason is Reason.CLIENT_STOP
    assert stage.commit() == [ev.Finish()]


@pytest.mark.parametrize("event", [ev.Drained(), ev.ClientViolated(endings.TOO_BIG), ev.Broke(), ev.ClientLost()])
def test_nothing_is_sought_after_an_end_that_is_no_stop(event: ev.Event) -> None:
    stage = live()
    stage.frame(noise(3))
    stage.tell(event)
    stage.lose()
    assert stage.session.phase is Phase.CLOSING


def test_a_client_that_leaves_while_its_last_words_are_sought_ends_it() -> None:
    stage = stopped()
    stage.dialled()
    done = stage.tell(ev.ClientLost())
    assert done == [ev.HangUp(), ev.Close(stage.only(ev.Close).closing)]
    assert stage.every(ev.CloseClient) == []


def test_the_time_for_the_last_words_is_given_again() -> None:
    stage = stopped()
    stage.dialled()
    stage.wait(4)
    stage.open()
    assert stage.wait(4.9) == []
    assert stage.wait(0.1)[0] == ev.HangUp()


# What may happen while it is dialled


@UNDER_WAY
def test_a_stop_waits_for_the_last_words(under_way: bool) -> None:
    stage = lost(under_way=under_way)
    assert stage.say("stop") == []
    assert stage.frame() == stage.say("finalize") == []
    stage.open() if under_way else stage.redial()
    assert stage.texts == ["CloseStream"]
    stage.tell(final("two", 0.0, 1.0), metadata(1.0))
    assert stage.told("transcript")[-1]["start"] == 1.0
    assert stage.ending() == ("client_stop", 1000, None)


@UNDER_WAY
def test_a_stop_when_all_is_final_ends_it_at_once(under_way: bool) -> None:
    stage = live()
    stage.frame(noise(2))
    stage.tell(final("all", 0.0, 2.0))
    stage.lose()
    if under_way:
        stage.dialled()
    done = stage.say("stop")
    assert (ev.HangUp() in done) is under_way
    assert closing(stage) == (2, 2000)
    assert stage.ending() == ("client_stop", 1000, None)


def test_a_stop_that_waited_for_an_upstream_that_did_not_read_survives_its_loss() -> None:
    stage = live()
    stage.frame(noise(1))
    stage.tell(ev.UpstreamStalled())
    stage.say("stop")
    stage.lose()
    stage.redial()
    assert stage.heard == noise(1)
    assert stage.texts == ["CloseStream"]


def test_a_stop_that_waited_with_nothing_to_hear_ends_with_the_loss() -> None:
    stage = live()
    stage.tell(ev.UpstreamStalled())
    stage.say("stop")
    stage.lose()
    assert stage.ending() == ("client_stop", 1000, None)


def test_a_stop_whose_words_are_not_found_ends_as_an_upstream_that_closed() -> None:
    stage = lost()
    stage.say("stop")
    stage.cannot_dial()
    assert stage.ending() == ("upstream_closed", 1011, "upstream_closed")


@UNDER_WAY
def test_a_finalize_goes_up_after_the_audio_before_it(under_way: bool) -> None:
    stage = lost(under_way=under_way)
    stage.frame(b"ab")
    stage.say("finalize")
    stage.frame(b"cd")
    done = stage.open() if under_way else stage.redial()
    up = [action for action in done if isinstance(action, ev.SendAudio | ev.SendUpstream)]
    assert up[-2:] == [ev.SendUpstream(b'{"type":"Finalize"}'), ev.SendAudio(b"cd")]
    assert stage.heard == noise(2)[SECOND:] + b"abcd"


def test_a_keepalive_is_a_sign_of_life_and_not_audio() -> None:
    stage = lost(under_way=True, idle=15)
    stage.pongs = False
    for _ in range(3):
        stage.wait(4.5)
        assert stage.say("keepalive") == []
    assert stage.every(ev.PingClient) == []
    stage.wait(1.5)
    assert stage.session.reason is Reason.IDLE


def test_a_bad_message_is_answered() -> None:
    stage = lost()
    assert [message["code"] for message in messages(stage.tell(ev.ClientSpoke(b"?")))] == ["bad_message"]
    assert stage.session.phase is Phase.REDIALLING


def test_an_empty_frame_is_nothing() -> None:
    stage = lost()
    assert stage.tell(ev.AudioArrived(b"")) == []


@UNDER_WAY
@pytest.mark.parametrize(
    ("event", "reason", "close", "error"),
    [
        (ev.Drained(), "service_restart", 1012, "service_restart"),
        (ev.Broke(), "internal", 1011, "internal"),
        (ev.ClientViolated(endings.TOO_BIG), "bad_messages", 1009, "message_too_big"),
    ],
)
def test_an_end_from_outside_stops_the_dialling(
    event: ev.Event, reason: str, close: int, error: str, under_way: bool
) -> None:
    stage = lost(under_way=under_way)
    done = stage.tell(event)
    assert (ev.HangUp() in done) is under_way
    assert closing(stage) == (2, 2000)
    assert stage.ending() == (reason, close, error)
    assert stage.open() == stage.lose() == []


@UNDER_WAY
def test_a_client_that_leaves_stops_the_dialling(under_way: bool) -> None:
    stage = lost(under_way=under_way)
    done = stage.tell(ev.ClientLost())
    assert done == [ev.HangUp()] * under_way + [ev.Close(stage.only(ev.Close).closing)]
    assert stage.only(ev.Close).closing.reason is Reason.CLIENT_GONE
    assert stage.commit() == [ev.Finish()]


@pytest.mark.parametrize(
    ("news", "expected"),
    [
        ({"ending": Reason.REPLACED}, ("replaced", 4409, None)),
        ({"ending": Reason.ENDED_BY_USER}, ("ended_by_user", 1000, None)),
        ({"ending": Reason.ENDED_BY_OPERATOR, "blocked": True}, ("ended_by_operator", 4401, "unauthorized")),
        ({"ending": Reason.INSUFFICIENT_CREDITS}, ("insufficient_credits", 4402, "insufficient_credits")),
    ],
)
def test_a_nudge_is_asked_about_and_may_end_it(news: dict[str, Any], expected: tuple[str, int, str | None]) -> None:
    stage = lost(under_way=True)
    stage.ledger = lambda settlement: stage.granted(settlement, 45, **news)
    assert ev.HangUp() in stage.tell(ev.Nudged())
    assert stage.ending() == expected


def test_a_nudge_without_news_lets_it_dial_on() -> None:
    stage = lost(under_way=True)
    before = len(stage.settlements)
    stage.tell(ev.Nudged())
    assert len(stage.settlements) == before + 1
    stage.open()
    assert stage.session.phase is Phase.LIVE


def test_a_client_that_does_not_read_for_10_s_is_too_slow() -> None:
    stage = lost(under_way=True)
    stage.tell(ev.ClientStalled())
    stage.wait(9.9)
    assert stage.session.phase is Phase.REDIALLING
    stage.wait(0.1)
    assert stage.ending() == ("too_slow", 1008, None)


def test_a_client_that_is_gone_without_a_word_is_found() -> None:
    stage = lost(under_way=True)
    stage.pongs = False
    stage.wait(19.9)
    assert stage.session.reason is Reason.CLIENT_GONE
    assert stage.only(ev.CloseClient).code == 1011
    assert ev.HangUp() in stage.actions


def test_audio_that_comes_meanwhile_keeps_it_from_being_idle() -> None:
    stage = lost(under_way=True, idle=6)
    for _ in range(4):
        stage.wait(4)
        stage.frame()
    assert stage.session.phase is Phase.REDIALLING


# The ring


def test_reading_pauses_when_30_s_are_kept_and_goes_on_with_the_upstream() -> None:
    stage = lost(under_way=True)
    audio = noise(29)
    stage.frame(audio[:-2])
    assert not stage.paused
    stage.frame(audio[-2:])
    assert stage.paused
    stage.open()
    assert stage.heard == noise(2)[SECOND:] + audio[: len(stage.heard) - SECOND]
    for _ in range(3):
        stage.wait(1)
    assert stage.heard == noise(2)[SECOND:] + audio
    assert not stage.paused


def test_of_more_than_30_s_without_a_final_the_last_30_are_heard_again() -> None:
    stage = live()
    audio = noise(42)
    for begin in range(0, len(audio) - 2 * SECOND, SECOND):
        stage.wait(1)
        stage.frame(audio[begin : begin + SECOND])
        stage.tell(results("and so on", 0.0, begin / SECOND))
    assert not stage.paused
    stage.lose()
    assert stage.paused
    stage.frame(audio[40 * SECOND : 41 * SECOND])
    stage.redial()
    assert not stage.paused
    stage.frame(audio[41 * SECOND :])
    assert stage.heard == audio[10 * SECOND :]
    stage.tell(final("the end", 29.0, 1.0))
    assert stage.told("transcript")[-1]["start"] == 39.0


def test_a_burst_while_settles_fail_is_not_kept_as_far_as_its_hold_goes() -> None:
    """Here 82 s: what 30 s of a replay and 8 s more need is all that stays."""
    stage = live(grant=90, remaining=5000)
    stage.ledger = stage.failing
    stage.frame(bytes(8 * SECOND))
    stage.ledger = stage.silent
    stage.wait(1)
    kept = []
    for _ in range(10 * 82):
        stage.frame()
        kept.append(len(stage.session._upstream.tape))
    assert len(stage.sent) == 90 * SECOND
    assert max(kept) <= 38 * SECOND


def test_a_huge_frame_that_waits_takes_no_room_from_what_may_be_heard_again() -> None:
    stage = live(grant=20)
    stage.ledger = stage.silent
    audio = noise(50)
    stage.frame(audio[: 5 * SECOND])
    stage.frame(audio[5 * SECOND :])
    assert len(stage.sent) == 10 * SECOND
    stage.tell(stage.granted(stage.settlements[-1], 10))
    stage.lose()
    assert stage.paused
    stage.redial()
    assert stage.heard == audio[: 10 * SECOND]


def test_a_flood_of_requests_pauses_reading() -> None:
    stage = lost()
    for _ in range(64):
        stage.frame(b"ab")
        stage.say("finalize")
    assert stage.paused
    stage.redial()
    assert not stage.paused
    assert stage.texts == ["Finalize"] * 64
    assert stage.heard == noise(2)[SECOND:] + b"ab" * 64


def test_odd_frames_are_cut_at_a_sample_in_a_replay() -> None:
    stage = live()
    audio = noise(1)
    stage.frame(audio[:9999])
    stage.frame(audio[9999:20_001])
    stage.tell(final("one", 0.0, 0.4))
    stage.lose()
    stage.frame(audio[20_001:])
    stage.redial()
    assert stage.heard == audio[12_800:]


# Muted


def test_a_session_that_starts_muted_stays_up_when_its_upstream_is_lost_at_no_cost() -> None:
    stage = live()
    stage.wait(6)
    stage.lose()
    stage.redial()
    assert not stage.heard
    stage.wait(4)
    assert stage.heard == bytes(SECOND // 10)
    assert texts(stage.wait(8)) == ["KeepAlive"] * 2
    assert len(stage.heard) == SECOND // 10
    stage.say("stop")
    stage.tell(metadata(0.1))
    assert closing(stage) == (0, 0)


def test_a_session_that_mutes_gets_own_silence_from_the_next_upstream_and_its_times_are_right() -> None:
    stage = live()
    stage.frame(noise(2))
    stage.tell(final("one", 0.0, 2.0))
    stage.wait(30)
    stage.lose()
    stage.redial()
    stage.wait(4)
    assert stage.heard == bytes(SECOND // 10)
    stage.frame(noise(1))
    (two,) = messages(stage.tell(final("two", 0.0, 1.1)))
    assert (two["start"], two["duration"]) == (2.0, 1.0)
    stage.say("stop")
    stage.tell(metadata(1.1))
    assert closing(stage) == (3, 3000)


def test_a_muted_session_holds_nothing_while_it_is_dialled() -> None:
    stage = live()
    stage.wait(6)
    stage.lose()
    stage.dialled()
    stage.wait(15)
    stage.open()
    stage.wait(15)
    assert all((settlement.keep, settlement.total) == (0, 0) for settlement in stage.settlements[1:])


def test_a_muted_session_is_redialled_as_often_as_need_be_until_it_is_idle() -> None:
    stage = live(idle=300)
    stage.frame(noise(2))
    stage.tell(final("one", 0.0, 1.0))
    for _ in range(9):
        stage.wait(30)
        stage.lose()
        stage.redial()
    stage.wait(31)
    assert stage.ending() == ("idle", 1000, None)


def test_a_muted_session_whose_upstream_dies_every_3_s_gives_up_too() -> None:
    stage = live()
    dials = 0
    while stage.session.phase is not Phase.CLOSING:
        stage.wait(3)
        stage.lose()
        if stage.session.phase is Phase.REDIALLING:
            stage.redial()
            dials += 1
    assert dials <= 6
    assert stage.session.reason is Reason.UPSTREAM_CLOSED


# Several channels


def test_with_two_channels_what_is_not_final_on_both_is_heard_again_and_told_once() -> None:
    stage = live(grant=90, config={"channels": 2, "multichannel": True})
    audio = noise(8)
    stage.frame(audio)  # 4 s of two channels
    stage.tell(
        final("left one", 0.0, 2.0, channel_index=[0, 2]),
        final("right one", 0.0, 1.0, channel_index=[1, 2]),
        final("left two", 2.0, 1.0, channel_index=[0, 2]),
    )
    stage.lose()
    stage.redial()
    assert stage.heard == audio[2 * SECOND :]
    done = stage.tell(
        final("left two", 0.0, 2.0, channel_index=[0, 2]),
        final("right two", 0.0, 2.0, channel_index=[1, 2]),
        final("left three", 2.0, 1.0, channel_index=[0, 2]),
    )
    said = [(message["text"], message["start"]) for message in messages(done)]
    assert said == [("right two", 1.0), ("left three", 3.0)]
    stage.say("stop")
    stage.lose(1000)
    assert closing(stage) == (8, 4000)


# The receipt


def test_the_ledger_learns_of_the_upstream_that_was_heard_last() -> None:
    stage = live()
    stage.tell(metadata(1.0, "first"))
    stage.lose()
    stage.dialled()
    stage.open("second")
    stage.say("stop")
    stage.wait(5)
    booked = stage.only(ev.Close).closing
    assert (booked.session_id, booked.request_id, booked.upstream_ms) == (ID, "second", None)


def test_every_statement_has_a_number_of_its_own_over_all_upstreams() -> None:
    stage = live()
    for _ in range(4):
        stage.stream(9)
        stage.tell(results("on", 0.0, 60.0))
        stage.lose()
        stage.redial()
    stage.say("stop")
    stage.lose(1000)
    numbers = [settlement.number for settlement in stage.settlements]
    assert numbers == list(range(1, len(numbers) + 1))
    assert stage.only(ev.Close).closing.number == numbers[-1] + 1
    totals = [settlement.total for settlement in stage.settlements]
    assert totals == sorted(totals)
    assert isinstance(stage.settlements[-1], Settlement)

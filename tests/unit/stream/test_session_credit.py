"""A live session and its credit: when it settles, when it pauses, gives back, waits, and gives up (money 5-14, 20)."""

import pytest

from tests.unit.stream.stage import SECOND, Stage, live, messages
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.phase import Phase
from transcription_proxy.values import Settlement
from transcription_wire.codes import Reason

# When it settles


def test_it_settles_with_ready_so_that_it_is_listed_from_then_on() -> None:
    stage = live()
    (first,) = stage.settlements
    assert (first.number, first.total, first.extend, first.keep, first.ready) == (1, 0, True, None, True)


def test_ready_is_stated_again_when_that_settle_was_lost() -> None:
    stage = Stage()
    stage.ledger = stage.failing
    stage.open()
    stage.ledger = stage.generous
    stage.wait(1)
    assert [settlement.ready for settlement in stage.settlements] == [True, True]


def test_it_settles_at_8_s_of_unsettled_audio() -> None:
    stage = live()
    stage.stream(7.9)
    assert len(stage.settlements) == 1
    stage.stream(0.1)
    assert [settlement.total for settlement in stage.settlements] == [0, 8]


def test_it_settles_at_half_the_hold() -> None:
    stage = live(grant=6)
    stage.ledger = lambda settlement: stage.granted(settlement, 6)
    stage.open()
    stage.stream(2.9)
    assert len(stage.settlements) == 1
    stage.stream(0.1)
    assert [settlement.total for settlement in stage.settlements] == [0, 3]


def test_it_settles_10_s_after_the_last_at_the_latest() -> None:
    stage = live()
    stage.stream(4)
    stage.wait(4)
    stage.stream(1.9)
    assert len(stage.settlements) == 1
    stage.wait(0.1)
    assert [settlement.total for settlement in stage.settlements] == [0, 6]


def test_usage_is_told_after_each_settle() -> None:
    stage = live(remaining=900)
    stage.stream(8)
    assert stage.told("usage") == [
        {"type": "usage", "seconds_used": 0, "seconds_remaining": 900},
        {"type": "usage", "seconds_used": 8, "seconds_remaining": 892},
    ]


def test_numbers_grow_up_to_the_close() -> None:
    stage = live()
    stage.stream(20)
    stage.tell(ev.UpstreamLost(1008))
    numbers = [settlement.number for settlement in stage.settlements]
    assert numbers == list(range(1, len(numbers) + 1))
    assert stage.only(ev.Close).closing.number == numbers[-1] + 1


def test_an_answer_to_an_earlier_settle_is_not_heard() -> None:
    stage = live()
    stage.ledger = stage.silent
    stage.stream(8)
    late = stage.granted(stage.settlements[0], 999)
    assert stage.tell(late) == []


def test_answers_after_its_end_are_not_heard() -> None:
    stage = live()
    stage.ledger = stage.silent
    stage.stream(8)
    stage.say("stop")
    assert stage.tell(stage.granted(stage.settlements[-1], 60), ev.SettleFailed()) == []


def test_two_duties_at_once_make_one_settle() -> None:
    stage = Stage()
    stage.ledger = stage.silent
    stage.open()
    stage.wait(5)
    stage.tell(stage.granted(stage.settlements[0], 45))
    stage.now += 6  # woken late, with the give-back and the 10 s both due
    stage.frame()
    before = len(stage.settlements)
    stage.now += 12
    stage.tell(ev.TimePassed())
    assert len(stage.settlements) == before + (0 if before == 2 else 1)


# When it pauses


def test_reading_pauses_at_10_s_unsettled() -> None:
    stage = live()
    stage.ledger = stage.silent
    stage.stream(9.9)
    assert not stage.paused
    stage.frame(bytes(SECOND))
    assert stage.paused
    assert len(stage.sent) == 10 * SECOND
    assert len(stage.settlements) == 2
    stage.tell(stage.granted(stage.settlements[1], 60))
    assert not stage.paused
    assert len(stage.sent) == 10 * SECOND + SECOND * 9 // 10


def test_while_settles_fail_it_grows_to_the_hold_and_then_the_database_is_away() -> None:
    stage = live(grant=30)
    stage.ledger = stage.failing
    stage.stream(30)
    assert not stage.paused
    assert len(stage.sent) == 30 * SECOND
    stage.frame()
    assert stage.paused
    stage.wait(9.9)
    assert stage.session.phase is Phase.LIVE
    stage.wait(0.1)
    assert len(stage.sent) == 30 * SECOND
    assert stage.ending() == ("database_away", 1013, "service_unavailable")


def test_failing_settles_are_tried_again_every_second_and_no_more_often() -> None:
    stage = live()
    stage.stream(7.9)
    stage.ledger = stage.failing
    before = len(stage.settlements)
    stage.stream(5)
    assert 5 <= len(stage.settlements) - before <= 6


def test_a_database_that_comes_back_carries_it_on() -> None:
    stage = live(grant=20)
    stage.ledger = stage.failing
    stage.stream(20.5)
    assert stage.paused
    stage.wait(5)
    stage.ledger = stage.generous
    stage.wait(1)
    assert not stage.paused
    assert len(stage.sent) == 20.5 * SECOND


def test_a_ledger_that_does_not_answer_at_all_is_away_and_not_out_of_credit() -> None:
    stage = live(grant=1)
    stage.tell(stage.granted(stage.settlements[0], 1))
    stage = Stage(grant=1)
    stage.ledger = stage.silent
    stage.open()
    stage.frame(bytes(2 * SECOND))
    stage.wait(10)
    assert stage.session.reason is Reason.DATABASE_AWAY


def test_nothing_goes_up_later_than_45_s_after_the_last_settle_that_was_booked() -> None:
    stage = live(grant=45)
    stage.ledger = stage.failing
    for _ in range(11):
        stage.frame(b"speaking")
        stage.wait(4)
    stage.wait(0.9)
    stage.frame(b"in time ")
    stage.wait(0.1)
    stage.frame(b"too late")
    assert stage.sent.endswith(b"in time ")
    stage.wait(10)
    assert stage.session.reason is Reason.DATABASE_AWAY


def test_a_grant_is_renewed_from_when_its_settle_was_sent() -> None:
    stage = Stage()
    stage.ledger = stage.silent
    stage.open()
    stage.wait(10)
    stage.tell(stage.granted(stage.settlements[0], 45))
    stage.ledger = stage.failing
    stage.wait(34.9)
    assert stage.frame() == []
    stage.wait(0.1)
    assert stage.frame() != []
    assert stage.paused


# When it gives back


def test_no_audio_for_5_s_gives_the_hold_back_and_it_asks_again_before_it_forwards_more() -> None:
    stage = live()
    stage.stream(3)
    stage.wait(4.9)
    assert len(stage.settlements) == 1
    stage.wait(0.1)
    back = stage.settlements[-1]
    assert (back.total, back.keep, back.extend) == (3, 3, False)
    stage.wait(1)
    done = stage.frame()
    assert not isinstance(done[0], ev.SendAudio)
    again = stage.settlements[-1]
    assert (again.total, again.keep, again.extend) == (3, None, True)
    assert len(stage.sent) == 3.1 * SECOND
    assert not stage.paused


def test_a_muted_session_keeps_nothing_and_renews_its_lease() -> None:
    stage = live()
    stage.wait(60)
    assert stage.settlements[1].keep == 0
    assert all((s.keep, s.extend) == (0, False) for s in stage.settlements[1:])
    assert 5 <= len(stage.settlements) <= 8


def test_a_give_back_that_was_lost_is_stated_again() -> None:
    stage = live()
    stage.ledger = stage.failing
    stage.wait(5)
    stage.ledger = stage.generous
    stage.wait(1)
    assert [(s.keep, s.extend) for s in stage.settlements[1:]] == [(0, False), (0, False)]


def test_it_does_not_give_back_while_audio_waits_for_the_upstream() -> None:
    stage = live()
    stage.tell(ev.UpstreamStalled())
    stage.frame()
    stage.wait(9)
    assert all(settlement.keep is None for settlement in stage.settlements)


def test_a_muted_session_whose_credit_is_gone_ends_only_when_it_sends_audio() -> None:
    stage = live(grant=1, remaining=1)
    stage.ledger = lambda settlement: stage.granted(settlement, settlement.total)
    stage.wait(60)
    assert stage.session.phase is Phase.LIVE
    stage.frame()
    assert not stage.sent.strip(b"\0")
    assert stage.ending() == ("insufficient_credits", 4402, "insufficient_credits")


# When credit is short


def test_what_the_grant_covers_goes_up_cut_at_a_sample() -> None:
    stage = live(grant=1, config={"channels": 2}, remaining=1)
    stage.ledger = lambda settlement: stage.granted(settlement, 1)
    stage.frame(bytes(63_998))
    stage.frame(bytes(10))
    assert len(stage.sent) == 64_000
    assert stage.ending() == ("insufficient_credits", 4402, "insufficient_credits")


def test_a_rate_that_divides_badly_is_cut_at_a_sample_too() -> None:
    stage = live(grant=1, config={"model": "nova-2", "diarize": True, "keyterm": "a", "channels": 2}, remaining=1)
    stage.ledger = lambda settlement: stage.granted(settlement, 1)
    stage.frame(bytes(64_000))
    assert len(stage.sent) == 64_000 * 100 // 156 // 4 * 4


def test_a_refused_grant_is_asked_for_once_more_when_the_hold_is_used_up() -> None:
    stage = live(grant=10, remaining=10)
    stage.ledger = lambda settlement: stage.granted(settlement, 10)
    stage.stream(10)
    assert stage.session.phase is Phase.LIVE
    before = len(stage.settlements)
    stage.frame()
    assert len(stage.settlements) == before + 1
    assert stage.ending() == ("insufficient_credits", 4402, "insufficient_credits")


def test_a_purchase_made_meanwhile_carries_it_on() -> None:
    stage = live(grant=10, remaining=10)
    stage.ledger = lambda settlement: stage.granted(settlement, 10)
    stage.stream(10)
    stage.ledger = stage.generous
    stage.frame()
    assert stage.session.phase is Phase.LIVE
    assert len(stage.sent) == 10.1 * SECOND


def test_with_all_credit_in_its_neighbours_holds_it_asks_every_500_ms_for_10_s() -> None:
    stage = live(grant=1, remaining=50)
    stage.ledger = lambda settlement: stage.granted(settlement, 1, elsewhere=49)
    stage.frame(bytes(2 * SECOND))
    before = len(stage.settlements)
    assert stage.paused
    stage.wait(5)
    assert len(stage.settlements) - before == 10
    stage.wait(4.9)
    assert stage.session.phase is Phase.LIVE
    stage.wait(0.1)
    assert stage.ending() == ("insufficient_credits", 4402, "insufficient_credits")


def test_a_neighbour_that_gives_back_carries_it_on() -> None:
    stage = live(grant=1, remaining=50)
    stage.ledger = lambda settlement: stage.granted(settlement, 1, elsewhere=49)
    stage.frame(bytes(2 * SECOND))
    stage.wait(8)
    stage.ledger = stage.generous
    stage.wait(0.5)
    assert len(stage.sent) == 2 * SECOND
    assert not stage.paused
    stage.stream(10)
    assert stage.session.phase is Phase.LIVE


def test_each_wait_has_10_s_of_its_own() -> None:
    stage = live(grant=1, remaining=50)
    stage.ledger = lambda settlement: stage.granted(settlement, 1, elsewhere=49)
    stage.frame(bytes(2 * SECOND))
    stage.wait(8)
    stage.ledger = lambda settlement: stage.granted(settlement, 2, elsewhere=49)
    stage.wait(0.5)
    stage.frame(bytes(2))
    stage.wait(9.9)
    assert stage.session.phase is Phase.LIVE
    stage.wait(0.1)
    assert stage.session.reason is Reason.INSUFFICIENT_CREDITS


def test_a_settle_that_was_asked_before_the_need_does_not_end_it() -> None:
    stage = Stage(grant=1, remaining=1)
    stage.ledger = stage.silent
    stage.open()
    stage.frame(bytes(2 * SECOND))
    stage.tell(stage.granted(stage.settlements[0], 1))
    assert stage.session.phase is Phase.LIVE
    assert len(stage.settlements) == 2
    stage.tell(stage.granted(stage.settlements[1], 1))
    assert stage.session.reason is Reason.INSUFFICIENT_CREDITS


# What is left


@pytest.mark.parametrize(
    ("remaining", "said"), [(601, []), (600, []), (599, [599]), (250, [250]), (0, [0]), (-5, [-5])]
)
def test_credits_low_is_told_at_the_start_where_it_is_already_below(remaining: int, said: list[int]) -> None:
    stage = live(remaining=remaining)
    assert stage.messages[0]["type"] == "ready"
    assert [message["seconds_remaining"] for message in stage.told("credits_low")] == said


def test_credits_low_is_told_once_for_each_mark_and_the_lowest_of_several() -> None:
    stage = live(remaining=700)

    def left(seconds: int) -> list[int]:
        stage.remaining = seconds
        low = [m for m in messages(stage.tell(ev.Nudged())) if m["type"] == "credits_low"]
        return [message["seconds_remaining"] for message in low]

    assert left(600) == []
    assert left(599) == [599]
    assert left(598) == []
    assert left(59) == [59]
    assert left(250) == left(40) == left(900) == left(500) == []


def test_a_session_is_never_billed_beyond_its_grant() -> None:
    stage = live(grant=3, remaining=3)
    stage.ledger = lambda settlement: stage.granted(settlement, 3)
    stage.stream(5)
    stage.wait(5)
    assert stage.only(ev.Close).closing.total == 3


def test_the_total_is_rounded_once() -> None:
    stage = live(config={"language": "multi"}, grant=1000)
    stage.ledger = lambda settlement: stage.granted(settlement, 1000)
    stage.stream(33.4)
    assert all(isinstance(settlement, Settlement) for settlement in stage.settlements)
    stage.tell(ev.UpstreamLost(1008))
    assert stage.only(ev.Close).closing.total == 41  # 33.4 x 1.2 = 40.08

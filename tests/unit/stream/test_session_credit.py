"""A live session and its credit: when it settles, pauses, releases its hold, waits, and gives up (money 5-14, 20)."""

import pytest

from tests.unit.stream.driver import SECOND, SessionDriver, live, messages
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.phase import Phase
from transcription_proxy.values import Settlement
from transcription_wire.codes import Reason

# When it settles


def test_the_session_settles_with_ready_so_that_it_is_listed_from_then_on() -> None:
    driver = live()
    (first,) = driver.settlements
    assert (first.number, first.total, first.extend, first.keep, first.ready) == (1, 0, True, None, True)


def test_ready_is_stated_again_when_that_settle_was_lost() -> None:
    driver = SessionDriver()
    driver.ledger = driver.failing
    driver.open_upstream()
    driver.ledger = driver.generous
    driver.wait(1)
    assert [settlement.ready for settlement in driver.settlements] == [True, True]


def test_the_session_settles_at_8_s_of_unsettled_audio() -> None:
    driver = live()
    driver.stream(7.9)
    assert len(driver.settlements) == 1
    driver.stream(0.1)
    assert [settlement.total for settlement in driver.settlements] == [0, 8]


def test_the_session_settles_at_half_the_hold() -> None:
    driver = live(grant=6)
    driver.ledger = lambda settlement: driver.granted(settlement, 6)
    driver.open_upstream()
    driver.stream(2.9)
    assert len(driver.settlements) == 1
    driver.stream(0.1)
    assert [settlement.total for settlement in driver.settlements] == [0, 3]


def test_the_session_settles_10_s_after_the_last_at_the_latest() -> None:
    driver = live()
    driver.stream(4)
    driver.wait(4)
    driver.stream(1.9)
    assert len(driver.settlements) == 1
    driver.wait(0.1)
    assert [settlement.total for settlement in driver.settlements] == [0, 6]


def test_usage_is_reported_after_each_settle() -> None:
    driver = live(remaining=900)
    driver.stream(8)
    assert driver.messages_of("usage") == [
        {"type": "usage", "seconds_used": 0, "seconds_remaining": 900},
        {"type": "usage", "seconds_used": 8, "seconds_remaining": 892},
    ]


def test_numbers_grow_up_to_the_close() -> None:
    driver = live()
    driver.stream(20)
    driver.handle(ev.UpstreamLost(1008))
    numbers = [settlement.number for settlement in driver.settlements]
    assert numbers == list(range(1, len(numbers) + 1))
    assert driver.only(ev.Close).closing.number == numbers[-1] + 1


def test_an_answer_to_an_earlier_settle_is_ignored() -> None:
    driver = live()
    driver.ledger = driver.silent
    driver.stream(8)
    late = driver.granted(driver.settlements[0], 999)
    assert driver.handle(late) == []


def test_answers_after_the_end_are_ignored() -> None:
    driver = live()
    driver.ledger = driver.silent
    driver.stream(8)
    driver.client_sends("stop")
    assert driver.handle(driver.granted(driver.settlements[-1], 60), ev.SettleFailed()) == []


def test_two_duties_at_once_make_one_settle() -> None:
    driver = SessionDriver()
    driver.ledger = driver.silent
    driver.open_upstream()
    driver.wait(5)
    driver.handle(driver.granted(driver.settlements[0], 45))
    driver.now += 6  # woken late, with the give-back and the 10 s both due
    driver.frame()
    before = len(driver.settlements)
    driver.now += 12
    driver.handle(ev.TimePassed())
    assert len(driver.settlements) == before + (0 if before == 2 else 1)


# When it pauses


def test_reading_pauses_at_10_s_unsettled() -> None:
    driver = live()
    driver.ledger = driver.silent
    driver.stream(9.9)
    assert not driver.paused
    driver.frame(bytes(SECOND))
    assert driver.paused
    assert len(driver.sent) == 10 * SECOND
    assert len(driver.settlements) == 2
    driver.handle(driver.granted(driver.settlements[1], 60))
    assert not driver.paused
    assert len(driver.sent) == 10 * SECOND + SECOND * 9 // 10


def test_while_settles_fail_it_grows_to_the_hold_and_then_the_database_is_away() -> None:
    driver = live(grant=30)
    driver.ledger = driver.failing
    driver.stream(30)
    assert not driver.paused
    assert len(driver.sent) == 30 * SECOND
    driver.frame()
    assert driver.paused
    driver.wait(9.9)
    assert driver.session.phase is Phase.LIVE
    driver.wait(0.1)
    assert len(driver.sent) == 30 * SECOND
    assert driver.ending() == ("database_away", 1013, "service_unavailable")


def test_failing_settles_are_tried_again_every_second_and_no_more_often() -> None:
    driver = live()
    driver.stream(7.9)
    driver.ledger = driver.failing
    before = len(driver.settlements)
    driver.stream(5)
    assert 5 <= len(driver.settlements) - before <= 6


def test_a_database_that_comes_back_carries_it_on() -> None:
    driver = live(grant=20)
    driver.ledger = driver.failing
    driver.stream(20.5)
    assert driver.paused
    driver.wait(5)
    driver.ledger = driver.generous
    driver.wait(1)
    assert not driver.paused
    assert len(driver.sent) == 20.5 * SECOND


def test_a_ledger_that_does_not_answer_at_all_is_away_and_not_out_of_credit() -> None:
    driver = live(grant=1)
    driver.handle(driver.granted(driver.settlements[0], 1))
    driver = SessionDriver(grant=1)
    driver.ledger = driver.silent
    driver.open_upstream()
    driver.frame(bytes(2 * SECOND))
    driver.wait(10)
    assert driver.session.reason is Reason.DATABASE_AWAY


def test_nothing_is_sent_later_than_45_s_after_the_last_settle_that_was_booked() -> None:
    driver = live(grant=45)
    driver.ledger = driver.failing
    for _ in range(11):
        driver.frame(b"speaking")
        driver.wait(4)
    driver.wait(0.9)
    driver.frame(b"in time ")
    driver.wait(0.1)
    driver.frame(b"too late")
    assert driver.sent.endswith(b"in time ")
    driver.wait(10)
    assert driver.session.reason is Reason.DATABASE_AWAY


def test_a_grant_is_renewed_from_when_its_settle_was_sent() -> None:
    driver = SessionDriver()
    driver.ledger = driver.silent
    driver.open_upstream()
    driver.wait(10)
    driver.handle(driver.granted(driver.settlements[0], 45))
    driver.ledger = driver.failing
    driver.wait(34.9)
    assert driver.frame() == []
    driver.wait(0.1)
    assert driver.frame() != []
    assert driver.paused


# When it gives back


def test_no_audio_for_5_s_releases_the_hold_and_it_asks_again_before_it_forwards_more() -> None:
    driver = live()
    driver.stream(3)
    driver.wait(4.9)
    assert len(driver.settlements) == 1
    driver.wait(0.1)
    back = driver.settlements[-1]
    assert (back.total, back.keep, back.extend) == (3, 3, False)
    driver.wait(1)
    done = driver.frame()
    assert not isinstance(done[0], ev.SendAudio)
    again = driver.settlements[-1]
    assert (again.total, again.keep, again.extend) == (3, None, True)
    assert len(driver.sent) == 3.1 * SECOND
    assert not driver.paused


def test_a_muted_session_keeps_nothing_and_renews_its_lease() -> None:
    driver = live()
    driver.wait(60)
    assert driver.settlements[1].keep == 0
    assert all((s.keep, s.extend) == (0, False) for s in driver.settlements[1:])
    assert 5 <= len(driver.settlements) <= 8


def test_a_released_hold_that_was_lost_is_stated_again() -> None:
    driver = live()
    driver.ledger = driver.failing
    driver.wait(5)
    driver.ledger = driver.generous
    driver.wait(1)
    assert [(s.keep, s.extend) for s in driver.settlements[1:]] == [(0, False), (0, False)]


def test_the_session_does_not_release_its_hold_while_audio_waits_for_the_upstream() -> None:
    driver = live()
    driver.handle(ev.UpstreamStalled())
    driver.frame()
    driver.wait(9)
    assert all(settlement.keep is None for settlement in driver.settlements)


def test_a_muted_session_whose_credit_is_gone_ends_only_when_it_sends_audio() -> None:
    driver = live(grant=1, remaining=1)
    driver.ledger = lambda settlement: driver.granted(settlement, settlement.total)
    driver.wait(60)
    assert driver.session.phase is Phase.LIVE
    driver.frame()
    assert not driver.sent.strip(b"\0")
    assert driver.ending() == ("insufficient_credits", 4402, "insufficient_credits")


# When credit is short


def test_what_the_grant_covers_is_sent_cut_at_a_sample() -> None:
    driver = live(grant=1, config={"channels": 2}, remaining=1)
    driver.ledger = lambda settlement: driver.granted(settlement, 1)
    driver.frame(bytes(63_998))
    driver.frame(bytes(10))
    assert len(driver.sent) == 64_000
    assert driver.ending() == ("insufficient_credits", 4402, "insufficient_credits")


def test_a_rate_that_divides_badly_is_cut_at_a_sample_too() -> None:
    driver = live(grant=1, config={"model": "nova-2", "diarize": True, "keyterm": "a", "channels": 2}, remaining=1)
    driver.ledger = lambda settlement: driver.granted(settlement, 1)
    driver.frame(bytes(64_000))
    assert len(driver.sent) == 64_000 * 100 // 156 // 4 * 4


def test_a_refused_grant_is_asked_for_once_more_when_the_hold_is_used_up() -> None:
    driver = live(grant=10, remaining=10)
    driver.ledger = lambda settlement: driver.granted(settlement, 10)
    driver.stream(10)
    assert driver.session.phase is Phase.LIVE
    before = len(driver.settlements)
    driver.frame()
    assert len(driver.settlements) == before + 1
    assert driver.ending() == ("insufficient_credits", 4402, "insufficient_credits")


def test_a_purchase_made_meanwhile_carries_it_on() -> None:
    driver = live(grant=10, remaining=10)
    driver.ledger = lambda settlement: driver.granted(settlement, 10)
    driver.stream(10)
    driver.ledger = driver.generous
    driver.frame()
    assert driver.session.phase is Phase.LIVE
    assert len(driver.sent) == 10.1 * SECOND


def test_with_all_credit_in_other_holds_a_session_settles_every_500_ms_for_10_s() -> None:
    driver = live(grant=1, remaining=50)
    driver.ledger = lambda settlement: driver.granted(settlement, 1, elsewhere=49)
    driver.frame(bytes(2 * SECOND))
    before = len(driver.settlements)
    assert driver.paused
    driver.wait(5)
    assert len(driver.settlements) - before == 10
    driver.wait(4.9)
    assert driver.session.phase is Phase.LIVE
    driver.wait(0.1)
    assert driver.ending() == ("insufficient_credits", 4402, "insufficient_credits")


def test_a_hold_released_by_another_session_carries_the_session_on() -> None:
    driver = live(grant=1, remaining=50)
    driver.ledger = lambda settlement: driver.granted(settlement, 1, elsewhere=49)
    driver.frame(bytes(2 * SECOND))
    driver.wait(8)
    driver.ledger = driver.generous
    driver.wait(0.5)
    assert len(driver.sent) == 2 * SECOND
    assert not driver.paused
    driver.stream(10)
    assert driver.session.phase is Phase.LIVE


def test_each_wait_has_10_s_of_its_own() -> None:
    driver = live(grant=1, remaining=50)
    driver.ledger = lambda settlement: driver.granted(settlement, 1, elsewhere=49)
    driver.frame(bytes(2 * SECOND))
    driver.wait(8)
    driver.ledger = lambda settlement: driver.granted(settlement, 2, elsewhere=49)
    driver.wait(0.5)
    driver.frame(bytes(2))
    driver.wait(9.9)
    assert driver.session.phase is Phase.LIVE
    driver.wait(0.1)
    assert driver.session.reason is Reason.INSUFFICIENT_CREDITS


def test_a_settle_that_was_asked_before_the_need_does_not_end_it() -> None:
    driver = SessionDriver(grant=1, remaining=1)
    driver.ledger = driver.silent
    driver.open_upstream()
    driver.frame(bytes(2 * SECOND))
    driver.handle(driver.granted(driver.settlements[0], 1))
    assert driver.session.phase is Phase.LIVE
    assert len(driver.settlements) == 2
    driver.handle(driver.granted(driver.settlements[1], 1))
    assert driver.session.reason is Reason.INSUFFICIENT_CREDITS


# What is left


@pytest.mark.parametrize(
    ("remaining", "said"), [(601, []), (600, []), (599, [599]), (250, [250]), (0, [0]), (-5, [-5])]
)
def test_credits_low_is_reported_at_the_start_where_it_is_already_below(remaining: int, said: list[int]) -> None:
    driver = live(remaining=remaining)
    assert driver.messages[0]["type"] == "ready"
    assert [message["seconds_remaining"] for message in driver.messages_of("credits_low")] == said


def test_credits_low_is_sent_once_for_each_mark_and_the_lowest_of_several() -> None:
    driver = live(remaining=700)

    def left(seconds: int) -> list[int]:
        driver.remaining = seconds
        low = [m for m in messages(driver.handle(ev.RowChanged())) if m["type"] == "credits_low"]
        return [message["seconds_remaining"] for message in low]

    assert left(600) == []
    assert left(599) == [599]
    assert left(598) == []
    assert left(59) == [59]
    assert left(250) == left(40) == left(900) == left(500) == []


def test_a_session_is_never_billed_beyond_its_grant() -> None:
    driver = live(grant=3, remaining=3)
    driver.ledger = lambda settlement: driver.granted(settlement, 3)
    driver.stream(5)
    driver.wait(5)
    assert driver.only(ev.Close).closing.total == 3


def test_the_total_is_rounded_once() -> None:
    driver = live(config={"language": "multi"}, grant=1000)
    driver.ledger = lambda settlement: driver.granted(settlement, 1000)
    driver.stream(33.4)
    assert all(isinstance(settlement, Settlement) for settlement in driver.settlements)
    driver.handle(ev.UpstreamLost(1008))
    assert driver.only(ev.Close).closing.total == 41  # 33.4 x 1.2 = 40.08

"""When a session settles, what it states, and how long it waits for credit (money 12, 13, 16, 20)."""

from typing import Any
from uuid import UUID

import pytest

from transcription_proxy.metering.meter import Meter
from transcription_proxy.stream.funding import Funding
from transcription_proxy.values import Settled, Settlement

ID = UUID(int=7)
RATE = 1000
"""Bytes a second; a block is two bytes, and a second is a credit."""


class Purse:
    """A meter and its funding, opened at 0 s with a grant of some seconds; frames may pass."""

    def __init__(self, grant: int = 45) -> None:
        self.meter = Meter(RATE, 2, 1_000_000, grant, 0.0, 45.0)
        self.funding = Funding(ID, self.meter, 0.0)
        self.meter.open()
        self.stated: Settlement

    def hear(self, seconds: float, now: float) -> None:
        """So much audio goes up."""
        assert self.meter.take(round(seconds * RATE), now) == round(seconds * RATE)

    def state(self, now: float, **how: bool) -> Settlement:
        self.stated = self.funding.state(now, **how)
        return self.stated

    def answer(self, grant: int, elsewhere: int = 0) -> bool:
        return self.funding.answered(Settled(ID, self.stated.number, grant, self.stated.total, 100, elsewhere))

    def settle(self, now: float, grant: int, **how: Any) -> bool:
        self.state(now, **how)
        return self.answer(grant)


# What it states


def test_a_settle_states_the_absolute_total_rounded_up_under_a_growing_number() -> None:
    purse = Purse()
    purse.hear(2.5, 1.0)
    assert purse.state(3.0) == Settlement(ID, 1, 3, extend=True, keep=None, ready=False)
    purse.answer(48)
    purse.hear(0.5, 4.0)
    assert purse.state(5.0) == Settlement(ID, 2, 3, extend=True, keep=None, ready=False)


def test_ready_is_stated_until_a_settle_that_said_so_is_booked() -> None:
    purse = Purse()
    assert purse.state(0.0, ready=True).ready
    purse.funding.failed()
    assert purse.state(1.0).ready
    purse.answer(45)
    assert not purse.state(2.0).ready


# When it settles


def test_it_settles_ten_seconds_after_the_last_at_the_latest() -> None:
    purse = Purse()
    assert purse.funding.settle_at == 10.0
    assert not purse.funding.wanted(9.9)
    assert purse.funding.wanted(10.0)
    purse.settle(7.0, 45)
    assert purse.funding.settle_at == 17.0


def test_it_settles_as_soon_as_its_meter_says_so() -> None:
    purse = Purse()
    purse.hear(7.9, 1.0)
    assert not purse.funding.wanted(1.0)
    purse.hear(0.1, 1.0)
    assert purse.funding.wanted(1.0)


def test_one_settle_is_under_way_at_a_time() -> None:
    purse = Purse()
    purse.state(0.0)
    purse.hear(8, 1.0)
    purse.funding.nudged = True
    assert not purse.funding.wanted(50.0)


def test_a_nudge_is_asked_about_at_once_and_once() -> None:
    purse = Purse()
    purse.funding.nudged = True
    assert purse.funding.wanted(0.0)
    purse.settle(0.0, 45)
    assert not purse.funding.wanted(0.0)


def test_a_nudge_waits_for_the_retry_while_settles_fail() -> None:
    purse = Purse()
    purse.state(0.0)
    purse.funding.failed()
    purse.funding.nudged = True
    assert not purse.funding.wanted(0.9)
    assert purse.funding.wanted(1.0)


def test_a_settle_that_failed_is_tried_again_after_a_second() -> None:
    purse = Purse()
    purse.state(3.0)
    purse.funding.failed()
    assert purse.funding.settle_at == 4.0
    purse.settle(4.0, 45)
    assert purse.funding.settle_at == 14.0


# When credit is short


def short(grant: int = 1) -> Purse:
    """All of its grant is used, and audio waits, at 0 s."""
    purse = Purse(grant)
    purse.hear(grant, 0.0)
    purse.funding.need(True, 0.0)
    return purse


def test_it_asks_at_once_when_credit_is_missing() -> None:
    purse = short()
    assert purse.funding.settle_at == 0.0
    assert purse.funding.wanted(0.0)
    assert purse.funding.despair_at == 10.0


def test_no_need_while_the_grant_covers_what_waits() -> None:
    purse = Purse()
    purse.funding.need(True, 44.9)
    assert purse.funding.despair_at is None


def test_a_grant_that_has_run_out_of_time_is_a_need_too() -> None:
    purse = Purse()
    purse.funding.need(True, 45.0)
    assert purse.funding.despair_at == 55.0


def test_the_need_is_counted_from_its_begin() -> None:
    purse = short()
    purse.funding.need(True, 7.0)
    assert purse.funding.despair_at == 10.0


def test_it_has_no_need_when_nothing_waits_any_more() -> None:
    purse = short()
    purse.settle(0.0, 1)
    purse.funding.need(False, 1.0)
    assert purse.funding.despair_at is None
    assert purse.funding.settle_at == 10.0


def test_refused_with_credit_elsewhere_it_asks_every_half_second() -> None:
    purse = short()
    purse.state(0.0)
    assert purse.answer(1, elsewhere=5)
    assert purse.funding.settle_at == 0.5
    purse.state(0.5)
    assert purse.answer(1, elsewhere=5)
    assert purse.funding.settle_at == 1.0
    assert purse.funding.despair_at == 10.0


def test_refused_with_nothing_elsewhere_is_final() -> None:
    purse = short()
    purse.state(0.0)
    assert not purse.answer(1)


def test_a_settle_that_was_asked_before_the_need_refuses_nothing() -> None:
    purse = Purse(1)
    purse.state(0.0)
    purse.hear(1, 0.0)
    purse.funding.need(True, 0.0)
    assert purse.answer(1)
    assert purse.funding.wanted(0.0)


def test_a_grant_that_grew_ends_the_need_and_the_next_has_ten_seconds_of_its_own() -> None:
    purse = short()
    assert purse.settle(4.0, 2)
    assert purse.funding.despair_at is None
    purse.hear(1, 4.0)
    purse.funding.need(True, 5.0)
    assert purse.funding.despair_at == 15.0
    assert purse.funding.wanted(5.0)


def test_a_grant_renewed_in_time_but_not_in_size_is_enough_for_what_it_covers() -> None:
    purse = Purse()
    purse.funding.need(True, 45.0)
    assert purse.settle(45.0, 45)
    assert purse.meter.expires == 90.0
    purse.funding.need(True, 45.0)
    assert purse.funding.despair_at is None


def test_it_is_the_database_that_is_away_while_settles_fail_or_are_not_answered() -> None:
    purse = short()
    assert not purse.funding.away
    purse.state(0.0)
    assert purse.funding.away
    purse.funding.failed()
    assert purse.funding.away
    purse.settle(1.0, 1)
    assert not purse.funding.away


# When it gives back


def test_a_session_without_audio_for_five_seconds_gives_its_hold_back() -> None:
    purse = Purse()
    purse.hear(2.5, 3.0)
    assert purse.funding.give_back_at == 8.0
    assert purse.state(8.0, give_back=True) == Settlement(ID, 1, 3, extend=False, keep=3, ready=False)
    assert purse.meter.grant == 3
    purse.answer(3)
    assert purse.funding.give_back_at is None


def test_what_it_gave_back_it_does_not_ask_for_again_while_it_is_mute() -> None:
    purse = Purse()
    purse.settle(5.0, 0, give_back=True)
    assert purse.state(15.0) == Settlement(ID, 2, 0, extend=False, keep=0, ready=False)


def test_a_give_back_that_failed_is_stated_again() -> None:
    purse = Purse()
    purse.state(5.0, give_back=True)
    purse.funding.failed()
    assert purse.funding.give_back_at is None
    assert purse.state(6.0) == Settlement(ID, 2, 0, extend=False, keep=0, ready=False)


def test_it_asks_for_a_hold_again_when_audio_waits() -> None:
    purse = Purse()
    purse.settle(5.0, 0, give_back=True)
    purse.funding.need(True, 6.0)
    assert purse.funding.wanted(6.0)
    assert purse.state(6.0) == Settlement(ID, 2, 0, extend=True, keep=None, ready=False)
    assert purse.answer(45)
    purse.hear(0.1, 6.0)
    assert purse.funding.give_back_at == 11.0


def test_audio_that_the_rest_of_its_last_credit_covered_ends_the_mute_too() -> None:
    purse = Purse()
    purse.hear(0.5, 0.0)
    purse.settle(5.0, 1, give_back=True)
    assert purse.funding.give_back_at is None
    purse.hear(0.2, 6.0)
    assert purse.funding.give_back_at == 11.0
    assert purse.state(7.0).extend


@pytest.mark.parametrize("why", ["a settle is under way", "settles fail", "credit is missing"])
def test_it_does_not_give_back_while(why: str) -> None:
    purse = Purse()
    if why == "credit is missing":
        purse.funding.need(True, 45.0)
    else:
        purse.state(0.0)
    if why == "settles fail":
        purse.funding.failed()
    assert purse.funding.give_back_at is None


# Leases


def test_a_grant_ends_45_s_after_its_settle_was_sent_and_not_answered() -> None:
    purse = Purse()
    purse.state(10.0)
    assert purse.meter.expires == 45.0
    purse.answer(45)
    assert purse.meter.expires == 55.0


def test_a_settle_that_failed_renews_nothing() -> None:
    purse = Purse()
    purse.state(10.0)
    purse.funding.failed()
    assert purse.meter.expires == 45.0

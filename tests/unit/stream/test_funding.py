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


class FundedMeter:
    """A meter and its funding, opened at 0 s with a grant of some seconds; frames may pass."""

    def __init__(self, grant: int = 45) -> None:
        self.meter = Meter(RATE, 2, 1_000_000, grant, 0.0, 45.0)
        self.funding = Funding(ID, self.meter, 0.0)
        self.meter.open()
        self.stated: Settlement

    def hear(self, seconds: float, now: float) -> None:
        """Forward so many seconds of audio."""
        assert self.meter.take(round(seconds * RATE), now) == round(seconds * RATE)

    def state(self, now: float, **how: bool) -> Settlement:
        self.stated = self.funding.next_settlement(now, **how)
        return self.stated

    def answer(self, grant: int, elsewhere: int = 0) -> bool:
        return self.funding.record_answer(Settled(ID, self.stated.number, grant, self.stated.total, 100, elsewhere))

    def settle(self, now: float, grant: int, **how: Any) -> bool:
        self.state(now, **how)
        return self.answer(grant)


# What it states


def test_a_settle_states_the_absolute_total_rounded_up_under_a_growing_number() -> None:
    funded = FundedMeter()
    funded.hear(2.5, 1.0)
    assert funded.state(3.0) == Settlement(ID, 1, 3, extend=True, keep=None, ready=False)
    funded.answer(48)
    funded.hear(0.5, 4.0)
    assert funded.state(5.0) == Settlement(ID, 2, 3, extend=True, keep=None, ready=False)


def test_ready_is_stated_until_a_settle_that_said_so_is_booked() -> None:
    funded = FundedMeter()
    assert funded.state(0.0, ready=True).ready
    funded.funding.record_failure()
    assert funded.state(1.0).ready
    funded.answer(45)
    assert not funded.state(2.0).ready


# When it settles


def test_a_session_settles_ten_seconds_after_the_last_at_the_latest() -> None:
    funded = FundedMeter()
    assert funded.funding.settle_at == 10.0
    assert not funded.funding.needs_settle(9.9)
    assert funded.funding.needs_settle(10.0)
    funded.settle(7.0, 45)
    assert funded.funding.settle_at == 17.0


def test_a_session_settles_as_soon_as_its_meter_says_so() -> None:
    funded = FundedMeter()
    funded.hear(7.9, 1.0)
    assert not funded.funding.needs_settle(1.0)
    funded.hear(0.1, 1.0)
    assert funded.funding.needs_settle(1.0)


def test_one_settle_is_under_way_at_a_time() -> None:
    funded = FundedMeter()
    funded.state(0.0)
    funded.hear(8, 1.0)
    funded.funding.has_row_changed = True
    assert not funded.funding.needs_settle(50.0)


def test_a_changed_row_causes_one_settle_at_once() -> None:
    funded = FundedMeter()
    funded.funding.has_row_changed = True
    assert funded.funding.needs_settle(0.0)
    funded.settle(0.0, 45)
    assert not funded.funding.needs_settle(0.0)


def test_a_changed_row_waits_for_the_retry_while_settles_fail() -> None:
    funded = FundedMeter()
    funded.state(0.0)
    funded.funding.record_failure()
    funded.funding.has_row_changed = True
    assert not funded.funding.needs_settle(0.9)
    assert funded.funding.needs_settle(1.0)


def test_a_settle_that_failed_is_tried_again_after_a_second() -> None:
    funded = FundedMeter()
    funded.state(3.0)
    funded.funding.record_failure()
    assert funded.funding.settle_at == 4.0
    funded.settle(4.0, 45)
    assert funded.funding.settle_at == 14.0


# When credit is short


def short(grant: int = 1) -> FundedMeter:
    """Return a session at 0 s whose grant is used up while audio waits."""
    funded = FundedMeter(grant)
    funded.hear(grant, 0.0)
    funded.funding.record_need(True, 0.0)
    return funded


def test_a_session_asks_at_once_when_credit_is_missing() -> None:
    funded = short()
    assert funded.funding.settle_at == 0.0
    assert funded.funding.needs_settle(0.0)
    assert funded.funding.give_up_at == 10.0


def test_no_need_while_the_grant_covers_what_waits() -> None:
    funded = FundedMeter()
    funded.funding.record_need(True, 44.9)
    assert funded.funding.give_up_at is None


def test_a_grant_that_has_run_out_of_time_is_a_need_too() -> None:
    funded = FundedMeter()
    funded.funding.record_need(True, 45.0)
    assert funded.funding.give_up_at == 55.0


def test_the_need_is_counted_from_its_begin() -> None:
    funded = short()
    funded.funding.record_need(True, 7.0)
    assert funded.funding.give_up_at == 10.0


def test_a_session_has_no_need_when_nothing_waits_any_more() -> None:
    funded = short()
    funded.settle(0.0, 1)
    funded.funding.record_need(False, 1.0)
    assert funded.funding.give_up_at is None
    assert funded.funding.settle_at == 10.0


def test_refused_with_credit_elsewhere_it_asks_every_half_second() -> None:
    funded = short()
    funded.state(0.0)
    assert funded.answer(1, elsewhere=5)
    assert funded.funding.settle_at == 0.5
    funded.state(0.5)
    assert funded.answer(1, elsewhere=5)
    assert funded.funding.settle_at == 1.0
    assert funded.funding.give_up_at == 10.0


def test_refused_with_nothing_elsewhere_is_final() -> None:
    funded = short()
    funded.state(0.0)
    assert not funded.answer(1)


def test_a_settle_that_was_asked_before_the_need_refuses_nothing() -> None:
    funded = FundedMeter(1)
    funded.state(0.0)
    funded.hear(1, 0.0)
    funded.funding.record_need(True, 0.0)
    assert funded.answer(1)
    assert funded.funding.needs_settle(0.0)


def test_a_grant_that_grew_ends_the_need_and_the_next_has_ten_seconds_of_its_own() -> None:
    funded = short()
    assert funded.settle(4.0, 2)
    assert funded.funding.give_up_at is None
    funded.hear(1, 4.0)
    funded.funding.record_need(True, 5.0)
    assert funded.funding.give_up_at == 15.0
    assert funded.funding.needs_settle(5.0)


def test_a_grant_renewed_in_time_but_not_in_size_is_enough_for_what_it_covers() -> None:
    funded = FundedMeter()
    funded.funding.record_need(True, 45.0)
    assert funded.settle(45.0, 45)
    assert funded.meter.expires == 90.0
    funded.funding.record_need(True, 45.0)
    assert funded.funding.give_up_at is None


def test_the_database_is_away_while_settles_fail_or_are_not_answered() -> None:
    funded = short()
    assert not funded.funding.is_database_away
    funded.state(0.0)
    assert funded.funding.is_database_away
    funded.funding.record_failure()
    assert funded.funding.is_database_away
    funded.settle(1.0, 1)
    assert not funded.funding.is_database_away


# When it gives back


def test_a_session_without_audio_for_five_seconds_releases_its_hold() -> None:
    funded = FundedMeter()
    funded.hear(2.5, 3.0)
    assert funded.funding.release_hold_at == 8.0
    assert funded.state(8.0, release_hold=True) == Settlement(ID, 1, 3, extend=False, keep=3, ready=False)
    assert funded.meter.grant == 3
    funded.answer(3)
    assert funded.funding.release_hold_at is None


def test_a_muted_session_does_not_take_its_released_hold_again() -> None:
    funded = FundedMeter()
    funded.settle(5.0, 0, release_hold=True)
    assert funded.state(15.0) == Settlement(ID, 2, 0, extend=False, keep=0, ready=False)


def test_a_released_hold_that_failed_is_stated_again() -> None:
    funded = FundedMeter()
    funded.state(5.0, release_hold=True)
    funded.funding.record_failure()
    assert funded.funding.release_hold_at is None
    assert funded.state(6.0) == Settlement(ID, 2, 0, extend=False, keep=0, ready=False)


def test_a_session_asks_for_a_hold_again_when_audio_waits() -> None:
    funded = FundedMeter()
    funded.settle(5.0, 0, release_hold=True)
    funded.funding.record_need(True, 6.0)
    assert funded.funding.needs_settle(6.0)
    assert funded.state(6.0) == Settlement(ID, 2, 0, extend=True, keep=None, ready=False)
    assert funded.answer(45)
    funded.hear(0.1, 6.0)
    assert funded.funding.release_hold_at == 11.0


def test_audio_that_the_rest_of_its_last_credit_covered_ends_the_mute_too() -> None:
    funded = FundedMeter()
    funded.hear(0.5, 0.0)
    funded.settle(5.0, 1, release_hold=True)
    assert funded.funding.release_hold_at is None
    funded.hear(0.2, 6.0)
    assert funded.funding.release_hold_at == 11.0
    assert funded.state(7.0).extend


@pytest.mark.parametrize("why", ["a settle is under way", "settles fail", "credit is missing"])
def test_a_session_does_not_release_its_hold_while(why: str) -> None:
    funded = FundedMeter()
    if why == "credit is missing":
        funded.funding.record_need(True, 45.0)
    else:
        funded.state(0.0)
    if why == "settles fail":
        funded.funding.record_failure()
    assert funded.funding.release_hold_at is None


# Leases


def test_a_grant_ends_45_s_after_its_settle_was_sent_and_not_answered() -> None:
    funded = FundedMeter()
    funded.state(10.0)
    assert funded.meter.expires == 45.0
    funded.answer(45)
    assert funded.meter.expires == 55.0


def test_a_settle_that_failed_renews_nothing() -> None:
    funded = FundedMeter()
    funded.state(10.0)
    funded.funding.record_failure()
    assert funded.meter.expires == 45.0

"""When a session settles, what it states, and how long it waits for credit (money 12, 13, 16, 20)."""

from typing import Any
from uuid import UUID

import pytest

from transcription_proxy.metering.audio import AudioFormat
from transcription_proxy.metering.credits import MICRO
from transcription_proxy.stream.credit import SessionCredit
from transcription_proxy.values import Opened, Settled, Settlement

ID = UUID(int=7)
USER = UUID(int=3)
AUDIO = AudioFormat("linear16", 500)
"""A second is 1000 bytes and costs a credit."""


class CreditHarness:
    """A session's credit, opened at 0 s with a grant of some seconds; frames may pass."""

    def __init__(self, grant: int = 45) -> None:
        self.credit = SessionCredit(Opened(ID, USER, grant, 1000), AUDIO, MICRO, 0.0)
        self.credit.set_open(True)
        self.stated: Settlement

    def hear(self, seconds: float, now: float) -> None:
        """Forward so many seconds of audio."""
        nbytes = round(seconds * AUDIO.bytes_per_second)
        assert self.credit.take(nbytes, now) == nbytes

    def state(self, now: float, **how: bool) -> Settlement:
        self.stated = self.credit.begin_settle(now, **how)
        return self.stated

    def answer(self, grant: int, elsewhere: int = 0) -> bool:
        return self.credit.record_answer(Settled(ID, self.stated.number, grant, self.stated.total, 100, elsewhere))

    def settle(self, now: float, grant: int, **how: Any) -> bool:
        self.state(now, **how)
        return self.answer(grant)


# What it states


def test_a_settle_states_the_absolute_total_rounded_up_under_a_growing_number() -> None:
    harness = CreditHarness()
    harness.hear(2.5, 1.0)
    assert harness.state(3.0) == Settlement(ID, USER, 1, 3, extend=True, keep=None, ready=False)
    harness.answer(48)
    harness.hear(0.5, 4.0)
    assert harness.state(5.0) == Settlement(ID, USER, 2, 3, extend=True, keep=None, ready=False)


def test_ready_is_stated_until_a_settle_that_said_so_is_booked() -> None:
    harness = CreditHarness()
    assert harness.state(0.0, ready=True).ready
    harness.credit.record_failure()
    assert harness.state(1.0).ready
    harness.answer(45)
    assert not harness.state(2.0).ready


# When it settles


def test_a_session_settles_ten_seconds_after_the_last_at_the_latest() -> None:
    harness = CreditHarness()
    assert harness.credit.settle_at == 10.0
    assert not harness.credit.needs_settle(9.9)
    assert harness.credit.needs_settle(10.0)
    harness.settle(7.0, 45)
    assert harness.credit.settle_at == 17.0


def test_a_session_settles_as_soon_as_eight_seconds_are_unsettled() -> None:
    harness = CreditHarness()
    harness.hear(7.9, 1.0)
    assert not harness.credit.needs_settle(1.0)
    harness.hear(0.1, 1.0)
    assert harness.credit.needs_settle(1.0)


def test_one_settle_is_under_way_at_a_time() -> None:
    harness = CreditHarness()
    harness.state(0.0)
    harness.hear(8, 1.0)
    harness.credit.has_row_changed = True
    assert not harness.credit.needs_settle(50.0)


def test_a_changed_row_causes_one_settle_at_once() -> None:
    harness = CreditHarness()
    harness.credit.has_row_changed = True
    assert harness.credit.needs_settle(0.0)
    harness.settle(0.0, 45)
    assert not harness.credit.needs_settle(0.0)


def test_a_changed_row_waits_for_the_retry_while_settles_fail() -> None:
    harness = CreditHarness()
    harness.state(0.0)
    harness.credit.record_failure()
    harness.credit.has_row_changed = True
    assert not harness.credit.needs_settle(0.9)
    assert harness.credit.needs_settle(1.0)


def test_a_settle_that_failed_is_tried_again_after_a_second() -> None:
    harness = CreditHarness()
    harness.state(3.0)
    harness.credit.record_failure()
    assert harness.credit.settle_at == 4.0
    harness.settle(4.0, 45)
    assert harness.credit.settle_at == 14.0


# When credit is short


def short(grant: int = 1) -> CreditHarness:
    """Return a session at 0 s whose grant is used up while audio waits."""
    harness = CreditHarness(grant)
    harness.hear(grant, 0.0)
    harness.credit.record_need(True, 0.0)
    return harness


def test_a_session_asks_at_once_when_credit_is_missing() -> None:
    harness = short()
    assert harness.credit.settle_at == 0.0
    assert harness.credit.needs_settle(0.0)
    assert harness.credit.give_up_at == 10.0


def test_no_need_while_the_grant_covers_what_waits() -> None:
    harness = CreditHarness()
    harness.credit.record_need(True, 44.9)
    assert harness.credit.give_up_at is None


def test_a_grant_that_has_run_out_of_time_is_a_need_too() -> None:
    harness = CreditHarness()
    harness.credit.record_need(True, 45.0)
    assert harness.credit.give_up_at == 55.0


def test_the_need_is_counted_from_its_begin() -> None:
    harness = short()
    harness.credit.record_need(True, 7.0)
    assert harness.credit.give_up_at == 10.0


def test_a_session_has_no_need_when_nothing_waits_any_more() -> None:
    harness = short()
    harness.settle(0.0, 1)
    harness.credit.record_need(False, 1.0)
    assert harness.credit.give_up_at is None
    assert harness.credit.settle_at == 10.0


def test_refused_with_credit_elsewhere_it_asks_every_half_second() -> None:
    harness = short()
    harness.state(0.0)
    assert harness.answer(1, elsewhere=5)
    assert harness.credit.settle_at == 0.5
    harness.state(0.5)
    assert harness.answer(1, elsewhere=5)
    assert harness.credit.settle_at == 1.0
    assert harness.credit.give_up_at == 10.0


def test_refused_with_nothing_elsewhere_is_final() -> None:
    harness = short()
    harness.state(0.0)
    assert not harness.answer(1)


def test_a_settle_that_was_asked_before_the_need_refuses_nothing() -> None:
    harness = CreditHarness(1)
    harness.state(0.0)
    harness.hear(1, 0.0)
    harness.credit.record_need(True, 0.0)
    assert harness.answer(1)
    assert harness.credit.needs_settle(0.0)


def test_a_grant_that_grew_ends_the_need_and_the_next_has_ten_seconds_of_its_own() -> None:
    harness = short()
    assert harness.settle(4.0, 2)
    assert harness.credit.give_up_at is None
    harness.hear(1, 4.0)
    harness.credit.record_need(True, 5.0)
    assert harness.credit.give_up_at == 15.0
    assert harness.credit.needs_settle(5.0)


def test_a_grant_renewed_in_time_but_not_in_size_is_enough_for_what_it_covers() -> None:
    harness = CreditHarness()
    harness.credit.record_need(True, 45.0)
    assert harness.settle(45.0, 45)
    assert harness.credit.expires == 90.0
    harness.credit.record_need(True, 45.0)
    assert harness.credit.give_up_at is None


def test_the_database_is_away_while_settles_fail_or_are_not_answered() -> None:
    harness = short()
    assert not harness.credit.is_database_away
    harness.state(0.0)
    assert harness.credit.is_database_away
    harness.credit.record_failure()
    assert harness.credit.is_database_away
    harness.settle(1.0, 1)
    assert not harness.credit.is_database_away


# When it gives back


def test_a_session_without_audio_for_five_seconds_releases_its_hold() -> None:
    harness = CreditHarness()
    harness.hear(2.5, 3.0)
    assert harness.credit.release_hold_at == 8.0
    assert harness.state(8.0, release_hold=True) == Settlement(ID, USER, 1, 3, extend=False, keep=3, ready=False)
    assert harness.credit.grant == 3
    harness.answer(3)
    assert harness.credit.release_hold_at is None


def test_a_muted_session_does_not_take_its_released_hold_again() -> None:
    harness = CreditHarness()
    harness.settle(5.0, 0, release_hold=True)
    assert harness.state(15.0) == Settlement(ID, USER, 2, 0, extend=False, keep=0, ready=False)


def test_a_released_hold_that_failed_is_stated_again() -> None:
    harness = CreditHarness()
    harness.state(5.0, release_hold=True)
    harness.credit.record_failure()
    assert harness.credit.release_hold_at is None
    assert harness.state(6.0) == Settlement(ID, USER, 2, 0, extend=False, keep=0, ready=False)


def test_a_session_asks_for_a_hold_again_when_audio_waits() -> None:
    harness = CreditHarness()
    harness.settle(5.0, 0, release_hold=True)
    harness.credit.record_need(True, 6.0)
    assert harness.credit.needs_settle(6.0)
    assert harness.state(6.0) == Settlement(ID, USER, 2, 0, extend=True, keep=None, ready=False)
    assert harness.answer(45)
    harness.hear(0.1, 6.0)
    assert harness.credit.release_hold_at == 11.0


def test_audio_that_the_rest_of_its_last_credit_covered_ends_the_mute_too() -> None:
    harness = CreditHarness()
    harness.hear(0.5, 0.0)
    harness.settle(5.0, 1, release_hold=True)
    assert harness.credit.release_hold_at is None
    harness.hear(0.2, 6.0)
    assert harness.credit.release_hold_at == 11.0
    assert harness.state(7.0).extend


@pytest.mark.parametrize("why", ["a settle is under way", "settles fail", "credit is missing"])
def test_a_session_does_not_release_its_hold_while(why: str) -> None:
    harness = CreditHarness()
    if why == "credit is missing":
        harness.credit.record_need(True, 45.0)
    else:
        harness.state(0.0)
    if why == "settles fail":
        harness.credit.record_failure()
    assert harness.credit.release_hold_at is None


# Leases


def test_a_grant_ends_45_s_after_its_settle_was_sent_and_not_answered() -> None:
    harness = CreditHarness()
    harness.state(10.0)
    assert harness.credit.expires == 45.0
    harness.answer(45)
    assert harness.credit.expires == 55.0


def test_a_settle_that_failed_renews_nothing() -> None:
    harness = CreditHarness()
    harness.state(10.0)
    harness.credit.record_failure()
    assert harness.credit.expires == 45.0

"""How long a lost upstream is sought: five tries, twenty seconds, and afresh only after one that has proven itself."""

import pytest

from transcription_proxy.stream.redial import (
    BACKOFF_SECONDS,
    MAX_TRIES,
    NOTIFY_AFTER_SECONDS,
    RETRY_BUDGET_SECONDS,
    Redial,
)

NO_JITTER = 0
MOST_JITTER = (1 << 128) - 1


def failing(redial: Redial, now: float) -> list[float]:
    """Every try fails at once: when each was made, until there are no more."""
    dialled = list[float]()
    while redial.plan_try(now, 0):
        assert redial.dial_at is not None
        now = redial.dial_at
        redial.record_dial()
        dialled.append(now)
    return dialled


def test_nothing_is_planned_while_nothing_was_lost() -> None:
    redial = Redial(1)
    assert (redial.dial_at, redial.notify_loss_at, redial.give_up_at) == (None, None, None)
    redial.record_open(0, 0.0)
    redial.record_results(5000)
    assert redial.end_loss() is False
    assert (redial.dial_at, redial.notify_loss_at, redial.notify_recovery_at, redial.give_up_at) == (
        None,
        None,
        None,
        None,
    )


def test_the_first_try_is_made_at_once_and_each_later_one_waits_longer() -> None:
    dialled = failing(Redial(NO_JITTER), 100.0)
    assert dialled[0] == 100.1
    pauses = [later - earlier for earlier, later in zip([100.0, *dialled], dialled, strict=False)]
    assert pauses == pytest.approx(list(BACKOFF_SECONDS))
    assert pauses == sorted(pauses)


def test_five_tries_are_made_within_the_twenty_seconds() -> None:
    dialled = failing(Redial(NO_JITTER), 0.0)
    assert len(dialled) == MAX_TRIES == 5
    assert dialled[-1] < RETRY_BUDGET_SECONDS


def test_a_try_is_no_longer_planned_when_it_is_under_way() -> None:
    redial = Redial(1)
    redial.plan_try(0.0, 0)
    redial.record_dial()
    assert redial.dial_at is None


def test_jitter_takes_up_to_half_of_each_pause_away() -> None:
    soonest = failing(Redial(MOST_JITTER), 0.0)
    latest = failing(Redial(NO_JITTER), 0.0)
    assert soonest == pytest.approx([at / 2 for at in latest])


def test_sessions_that_lost_the_same_upstream_do_not_dial_together() -> None:
    tries = [tuple(failing(Redial(seed), 0.0)) for seed in (0x1122334455, 0x5544332211, 0xA0B0C0D0E0)]
    assert len({at for dialled in tries for at in dialled}) == 3 * MAX_TRIES


def test_the_jitter_is_a_different_one_for_each_try() -> None:
    dialled = failing(Redial(0x00_FF_00_FF_00), 0.0)
    pauses = [later - earlier for earlier, later in zip([0.0, *dialled], dialled, strict=False)]
    assert [round(pause / whole, 6) for pause, whole in zip(pauses, BACKOFF_SECONDS, strict=True)] == [
        1,
        0.5,
        1,
        0.5,
        1,
    ]


def test_the_session_gives_up_twenty_seconds_after_the_loss_however_few_the_tries() -> None:
    redial = Redial(1)
    redial.plan_try(100.0, 0)
    assert redial.give_up_at == 120.0
    redial.record_dial()
    assert redial.plan_try(119.9, 0)
    redial.record_dial()
    assert not redial.plan_try(120.0, 0)


def test_the_client_is_notified_after_two_seconds_once_for_each_loss() -> None:
    redial = Redial(1)
    redial.plan_try(100.0, 0)
    assert redial.notify_loss_at == 100.0 + NOTIFY_AFTER_SECONDS == 102.0
    redial.plan_try(101.0, 0)
    assert redial.notify_loss_at == 102.0
    redial.record_notice()
    assert redial.notify_loss_at is None
    redial.record_open(0, 103.0)
    assert redial.end_loss() is True
    assert redial.plan_try(103.0, 0)
    assert redial.notify_loss_at == 105.0


def test_a_client_not_notified_of_the_loss_is_not_notified_of_its_end() -> None:
    redial = Redial(1)
    redial.plan_try(100.0, 0)
    redial.record_open(0, 101.0)
    assert (redial.notify_loss_at, redial.notify_recovery_at) == (None, None)
    assert redial.end_loss() is False


def test_a_client_is_notified_of_the_end_when_the_new_upstream_has_stayed_for_two_seconds() -> None:
    redial = Redial(1)
    assert redial.notify_recovery_at is None
    redial.plan_try(100.0, 0)
    redial.record_notice()
    assert redial.notify_recovery_at is None
    redial.record_open(0, 105.0)
    assert redial.notify_recovery_at == 107.0
    assert redial.end_loss() is True
    assert redial.notify_recovery_at is None


def test_the_two_seconds_do_not_start_again_with_an_upstream_that_proves_nothing() -> None:
    redial = Redial(1)
    redial.plan_try(100.0, 0)
    for opened in (100.1, 100.9):
        redial.record_open(0, opened)
        redial.plan_try(opened + 0.5, 0)
        assert redial.notify_loss_at == 102.0


def test_the_two_seconds_start_again_after_an_upstream_that_has_proven_itself() -> None:
    redial = Redial(1)
    redial.plan_try(100.0, 0)
    redial.record_open(5000, 101.0)
    redial.record_results(5000)
    assert not redial.is_proven
    redial.record_results(5001)
    assert redial.is_proven
    redial.plan_try(101.5, 0)
    assert redial.notify_loss_at == 103.5
    redial.record_open(6000, 101.6)
    assert not redial.is_proven


def test_losing_an_upstream_that_had_stayed_is_a_new_loss() -> None:
    redial = Redial(1)
    redial.plan_try(100.0, 0)
    redial.record_open(0, 101.0)
    redial.plan_try(103.0, 0)
    assert redial.notify_loss_at == 105.0


def test_last_words_are_retried_once_and_again_only_while_some_are_found() -> None:
    redial = Redial(1)
    assert [redial.may_retry_last_words(final_ms) for final_ms in (0, 1000, 2500, 2500)] == [True, True, True, False]
    assert [Redial(1).may_retry_last_words(0), Redial(1).may_retry_last_words(5000)] == [True, True]


def test_nothing_is_given_up_while_it_is_open() -> None:
    redial = Redial(1)
    redial.plan_try(100.0, 0)
    redial.record_dial()
    redial.record_open(5000, 101.0)
    assert (redial.give_up_at, redial.notify_loss_at, redial.dial_at) == (None, None, None)


def test_results_beyond_the_replay_reset_the_budget() -> None:
    redial = Redial(NO_JITTER)
    for start in (100.0, 200.0, 300.0):
        assert redial.plan_try(start, 0)
        assert redial.give_up_at == start + RETRY_BUDGET_SECONDS
        assert redial.dial_at == start + BACKOFF_SECONDS[0]
        redial.record_dial()
        redial.record_open(5000, start + 1)
        redial.record_results(5001)


@pytest.mark.parametrize("heard_ms", [0, 4999, 5000])
def test_results_of_the_replay_alone_prove_nothing(heard_ms: int) -> None:
    redial = Redial(NO_JITTER)
    redial.plan_try(100.0, 0)
    redial.record_dial()
    redial.record_open(5000, 101.0)
    redial.record_results(heard_ms)
    assert redial.plan_try(103.0, 0)
    assert redial.give_up_at == 120.0
    assert redial.dial_at == 103.0 + BACKOFF_SECONDS[1]


def test_an_upstream_that_opens_and_dies_every_three_seconds_is_not_fed_for_ever() -> None:
    redial = Redial(NO_JITTER)
    now, opened = 100.0, 0
    while redial.plan_try(now, 0):
        assert redial.dial_at is not None
        redial.record_dial()
        opened += 1
        redial.record_open(opened * 3000, now)
        redial.record_results(opened * 3000)
        now += 3
    assert opened == MAX_TRIES


def muted(open_seconds: float, came_ms: int) -> Redial:
    """Lost at 100 s; another one opened, had to hear 5 s again, and was lost in its turn."""
    redial = Redial(NO_JITTER)
    redial.plan_try(100.0, 5000)
    redial.record_dial()
    redial.record_open(5000, 101.0)
    redial.plan_try(101.0 + open_seconds, came_ms)
    return redial


def test_an_upstream_that_stayed_for_long_with_a_muted_client_has_proven_itself() -> None:
    assert muted(RETRY_BUDGET_SECONDS, 5000).give_up_at == 101.0 + 2 * RETRY_BUDGET_SECONDS


@pytest.mark.parametrize(
    ("open_seconds", "came_ms"),
    [(RETRY_BUDGET_SECONDS - 1, 5000), (RETRY_BUDGET_SECONDS - 1, 6000), (RETRY_BUDGET_SECONDS, 5001)],
)
def test_an_upstream_that_did_not_stay_or_had_audio_to_answer_has_not_proven_itself(
    open_seconds: float, came_ms: int
) -> None:
    assert muted(open_seconds, came_ms).give_up_at == 100.0 + RETRY_BUDGET_SECONDS


def test_an_upstream_that_could_not_be_opened_has_not_stayed() -> None:
    redial = muted(RETRY_BUDGET_SECONDS - 1, 5000)
    redial.plan_try(500.0, 5000)
    assert redial.give_up_at == 100.0 + RETRY_BUDGET_SECONDS

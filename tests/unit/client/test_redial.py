"""Which ends are followed by another session, and when it is tried."""

from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription_client.errors import ClientError
from transcription_client.redial import (
    LAST_TRY_SECONDS,
    PAUSE_SECONDS,
    RETRY_SECONDS,
    Ended,
    Redial,
    Step,
    next_step,
    owes_words,
)
from transcription_wire.codes import ErrorCode, Reason

AGAIN_AFTER = {
    "service_restart",
    "upstream_closed",
    "database_away",
    "lease_expired",
    "internal",
    "client_gone",
}
"""Reasons; all others are final."""
AGAIN_AFTER_ERRORS = {
    "service_restart",
    "service_unavailable",
    "busy",
    "upstream_unavailable",
    "upstream_closed",
    "internal",
    "too_many_connections",
    "auth_timeout",
}


def step(ended: Ended, *, began: bool = True, renewed: bool = False, rest: float | None = None) -> Step:
    return next_step(ended, began=began, renewed=renewed, rest=rest)


@pytest.mark.parametrize("reason", [*Reason, "a_reason_of_tomorrow"])
def test_a_session_is_followed_by_another_one_unless_its_end_was_final(reason: str) -> None:
    expected = Step.REDIAL if reason in AGAIN_AFTER else Step.STOP
    assert step(Ended(ready=True, reason=reason)) is expected


@pytest.mark.parametrize("error", [*(code for code in ErrorCode if code != "unauthorized"), "a_code_of_tomorrow"])
def test_a_refusal_after_a_session_was_lost_is_met_again_unless_it_is_final(error: str) -> None:
    expected = Step.REDIAL if error in AGAIN_AFTER_ERRORS else Step.STOP
    assert step(Ended(error=error)) is expected


@pytest.mark.parametrize(
    ("error", "expected"), [("busy", Step.REDIAL), ("upstream_unavailable", Step.REDIAL), ("invalid_config", Step.STOP)]
)
def test_an_engine_that_is_lost_and_refuses_the_settings_is_final(error: str, expected: Step) -> None:
    assert step(Ended(ready=True, error=error, reason="upstream_closed")) is expected


LOST = Ended(ready=True)
UNREACHED = Ended(fault=ClientError("It cannot be reached."))
UNANSWERED = Ended()


@pytest.mark.parametrize("ended", [LOST, UNREACHED, UNANSWERED])
def test_a_connection_that_is_lost_or_cannot_be_had_again_is_sought(ended: Ended) -> None:
    assert step(ended) is Step.REDIAL


@pytest.mark.parametrize("ended", [UNREACHED, UNANSWERED, Ended(error="busy"), Ended(error="service_unavailable")])
def test_what_never_began_is_an_error_at_once(ended: Ended) -> None:
    assert step(ended, began=False) is Step.STOP


@pytest.mark.parametrize(("rest", "expected"), [(0.0, Step.STOP), (0.09, Step.STOP), (0.1, Step.REDIAL)])
def test_no_session_is_sought_when_all_words_have_come(rest: float, expected: Step) -> None:
    assert step(LOST, rest=rest) is expected
    assert owes_words(rest) is (expected is Step.REDIAL)
    assert owes_words(None)


@pytest.mark.parametrize("began", [True, False])
def test_a_token_that_is_refused_is_renewed_once(began: bool) -> None:
    refused = Ended(error="unauthorized")
    assert step(refused, began=began) is Step.RENEW
    assert step(refused, began=began, renewed=True) is Step.STOP


@pytest.mark.parametrize(
    "ended",
    [
        Ended(ready=True, error="unauthorized", reason="ended_by_operator"),
        Ended(ready=True, error="unauthorized", reason="signed_out"),
        Ended(ready=True, error="unauthorized"),
    ],
)
def test_an_account_that_is_blocked_or_signed_out_in_mid_session_is_final(ended: Ended) -> None:
    assert step(ended) is Step.STOP


@pytest.mark.parametrize(
    ("ended", "why"),
    [
        (LOST, "The connection was lost."),
        (UNREACHED, "Can't reach the service."),
        (UNANSWERED, "The service isn't responding."),
        (Ended(error="busy"), "All caption slots are busy right now."),
        (
            Ended(ready=True, error="service_unavailable", reason="database_away"),
            "The service is temporarily unavailable.",
        ),
        (Ended(error="a_code_of_tomorrow"), "Ended: a_code_of_tomorrow."),
    ],
)
def test_why_it_is_sought_is_said_in_words(ended: Ended, why: str) -> None:
    assert ended.why == why


def outage(redial: Redial, began: float, luck: float, *, takes: float = 0.0) -> list[float]:
    """The moments of all tries, where each of them fails after so many seconds."""
    now, tries = began, list[float]()
    while (pause := redial.record_loss(now, luck)) is not None:
        assert pause >= 0
        now += pause
        tries.append(now)
        now += takes
    return tries


@given(st.floats(0, 1e6), st.floats(0, 1), st.floats(0, 20))
def test_it_is_sought_for_a_minute_and_no_longer(began: float, luck: float, takes: float) -> None:
    redial = Redial()
    tries = outage(redial, began, luck, takes=takes)
    assert tries[0] - began <= PAUSE_SECONDS[0] + 1e-6
    assert all(at - began <= RETRY_SECONDS + 1e-6 for at in tries)
    assert tries[-1] + takes - began >= RETRY_SECONDS - 1e-6
    assert redial.tries == len(tries) < 20


def test_each_pause_is_about_twice_the_one_before_and_never_more_than_15_seconds() -> None:
    for luck, share in ((0.0, 0.5), (1.0, 1.0)):
        moments = [0.0, *outage(Redial(), 0.0, luck)]
        pauses = [after - before for before, after in pairwise(moments)]
        expected = [share * pause for pause in (0.5, 1, 2, 4, 8, *[15] * 9)][: len(pauses)]
        assert pauses[:-1] == pytest.approx(expected[:-1])
        assert pauses[-1] <= expected[-1]


def test_clients_that_lost_the_same_service_come_back_at_different_moments() -> None:
    pauses = {Redial().record_loss(0.0, luck / 10) for luck in range(10)}
    assert len(pauses) == 10


def test_a_session_that_brings_nothing_does_not_start_the_clock_anew() -> None:
    redial, now = Redial(), 0.0
    for _ in range(100):
        pause = redial.record_loss(now, 0.5)
        if pause is None:
            break
        redial.note_ready(now + pause)
        now += pause + 5
    assert RETRY_SECONDS <= now <= RETRY_SECONDS + 20
    assert redial.record_loss(now, 0.5) is None


def test_final_words_start_the_clock_anew() -> None:
    redial = Redial()
    for now in range(0, 600, 10):
        assert redial.record_loss(float(now), 0.0) == PAUSE_SECONDS[0] / 2
        assert redial.tries == 1
        redial.note_ready(now + 1.0)
        redial.note_progress()


def test_a_long_silent_session_resets_the_tries() -> None:
    redial = Redial()
    redial.record_loss(0.0, 0.0)
    redial.note_ready(1.0)
    assert redial.record_loss(1.0 + RETRY_SECONDS, 0.0) == PAUSE_SECONDS[0] / 2
    assert redial.tries == 1


@pytest.mark.parametrize(("since", "takes"), list(product((0.0, 100.0), (0.0, 30.0))))
def test_a_try_may_take_what_is_left_of_the_minute_and_a_little_in_any_case(since: float, takes: float) -> None:
    redial = Redial()
    assert redial.attempt_seconds(since) == RETRY_SECONDS
    redial.record_loss(since, 0.0)
    assert redial.attempt_seconds(since + takes) == RETRY_SECONDS - takes
    assert redial.attempt_seconds(since + RETRY_SECONDS - 1) == LAST_TRY_SECONDS

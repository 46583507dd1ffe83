"""The error that belongs to a reason, or to a refusal of the upstream."""

import pytest

from transcription_proxy.stream import endings
from transcription_wire.codes import CLOSE_CODES, REASON_CLOSE_CODES, ErrorCode, Reason
from transcription_wire.messages import Error


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (Reason.INSUFFICIENT_CREDITS, "insufficient_credits"),
        (Reason.SIGNED_OUT, "unauthorized"),
        (Reason.UPSTREAM_CLOSED, "upstream_closed"),
        (Reason.SERVICE_RESTART, "service_restart"),
        (Reason.DATABASE_AWAY, "service_unavailable"),
        (Reason.LEASE_EXPIRED, "internal"),
        (Reason.INTERNAL, "internal"),
    ],
)
def test_reasons_that_are_no_wish_of_the_client_have_an_error(reason: Reason, code: str) -> None:
    error = endings.ERRORS[reason]
    assert error.code == code
    assert error.message.endswith(".")


@pytest.mark.parametrize("reason", sorted(set(Reason) - set(endings.ERRORS)))
def test_the_other_reasons_end_without_one(reason: Reason) -> None:
    assert reason in {
        "client_stop", "client_gone", "replaced", "ended_by_user", "ended_by_operator", "idle", "too_slow",
        "bad_messages",
    }  # fmt: skip


@pytest.mark.parametrize("reason", sorted(endings.ERRORS))
def test_the_close_code_of_a_reason_is_that_of_its_error(reason: Reason) -> None:
    assert CLOSE_CODES[ErrorCode(endings.ERRORS[reason].code)] == REASON_CLOSE_CODES[reason]


@pytest.mark.parametrize(
    ("error", "code", "close"),
    [
        (endings.DRAINING, "service_unavailable", 1013),
        (endings.BLOCKED, "unauthorized", 4401),
        (endings.TOO_BIG, "message_too_big", 1009),
        (endings.TOO_MANY_BAD, "bad_message", 1008),
    ],
)
def test_special_ends_have_an_error_and_a_close_code_of_their_own(error: Error, code: str, close: int) -> None:
    assert error.code == code
    assert CLOSE_CODES[ErrorCode(error.code)] == close


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, ErrorCode.INVALID_CONFIG),
        (429, ErrorCode.BUSY),
        (401, ErrorCode.UPSTREAM_UNAVAILABLE),
        (402, ErrorCode.UPSTREAM_UNAVAILABLE),
        (403, ErrorCode.UPSTREAM_UNAVAILABLE),
        (404, ErrorCode.UPSTREAM_UNAVAILABLE),
        (500, ErrorCode.UPSTREAM_UNAVAILABLE),
        (503, ErrorCode.UPSTREAM_UNAVAILABLE),
        (None, ErrorCode.UPSTREAM_UNAVAILABLE),
    ],
)
def test_a_refusal_is_reported_by_what_can_be_done_about_it(status: int | None, code: ErrorCode) -> None:
    assert endings.refusal(status, "").code == code


def test_the_upstreams_own_sentence_is_passed_on_only_where_it_is_about_the_config() -> None:
    unsupported = "The speech engine doesn't support these settings"
    assert endings.refusal(400, "No such model.").message == f"{unsupported}: No such model."
    assert endings.refusal(400, "").message == f"{unsupported}."
    for status in (401, 402, 403, 429, 500, None):
        assert "secret" not in endings.refusal(status, "secret key").message

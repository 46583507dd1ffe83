"""The codes against the tables of the contract, which are typed out here."""

import pytest

from transcription_wire.codes import (
    CLOSE_CODES,
    COMPLETED,
    REASON_CLOSE_CODES,
    ErrorCode,
    Reason,
    Status,
    WarningCode,
    status_of,
)

ERRORS = {
    "auth_timeout": 4408,
    "unauthorized": 4401,
    "insufficient_credits": 4402,
    "too_many_connections": 4429,
    "invalid_config": 4400,
    "bad_message": 1008,
    "message_too_big": 1009,
    "busy": 1013,
    "service_unavailable": 1013,
    "upstream_unavailable": 1011,
    "upstream_closed": 1011,
    "service_restart": 1012,
    "internal": 1011,
}
"""`bad_message` closes at the hundredth only."""

REASONS = {
    "client_stop": ("completed", 1000),
    "client_gone": ("completed", 1000),
    "replaced": ("completed", 4409),
    "signed_out": ("completed", 4401),
    "ended_by_user": ("completed", 1000),
    "ended_by_operator": ("completed", 1000),
    "idle": ("completed", 1000),
    "insufficient_credits": ("completed", 4402),
    "upstream_closed": ("terminated", 1011),
    "service_restart": ("terminated", 1012),
    "too_slow": ("terminated", 1008),
    "database_away": ("terminated", 1013),
    "bad_messages": ("terminated", 1008),
    "lease_expired": ("terminated", 1011),
    "internal": ("terminated", 1011),
}


def test_every_error_has_the_close_code_of_the_contract() -> None:
    assert ERRORS == CLOSE_CODES


def test_there_are_no_other_error_codes() -> None:
    assert {str(code) for code in ErrorCode} == set(ERRORS)


def test_the_warnings_are_those_of_the_contract() -> None:
    assert set(WarningCode) == {"behind", "not_raw_audio", "too_quiet"}


def test_every_reason_has_the_close_code_of_the_contract() -> None:
    assert {reason: close_code for reason, (_, close_code) in REASONS.items()} == REASON_CLOSE_CODES


def test_every_reason_has_the_status_of_the_contract() -> None:
    assert {str(reason): str(status_of(reason)) for reason in Reason} == {
        reason: status for reason, (status, _) in REASONS.items()
    }


def test_no_reason_leaves_a_session_active() -> None:
    assert Status.ACTIVE not in map(status_of, Reason)
    assert set(Reason) > COMPLETED


@pytest.mark.parametrize("code", sorted(set(ERRORS) & set(REASONS)))
def test_where_an_error_and_a_reason_share_a_name_they_share_the_close_code(code: str) -> None:
    assert CLOSE_CODES[ErrorCode(code)] == REASON_CLOSE_CODES[Reason(code)]


@pytest.mark.parametrize("code", sorted({*CLOSE_CODES.values(), *REASON_CLOSE_CODES.values()}))
def test_every_close_code_may_be_sent(code: int) -> None:
    """RFC 6455, 7.4: the codes for use on the wire, and those that are free for applications."""
    assert code in {1000, 1001, 1002, 1003, *range(1007, 1015)} or 4000 <= code < 5000

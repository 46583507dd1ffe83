"""The answer to a client's close."""

import pytest
from picows import WSMsgType
from picows.picows import _make_test_ws_frame

from transcription_proxy.relay.server_socket import close_answer


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999])
def test_a_code_that_may_be_sent_is_answered_with_itself(code: int) -> None:
    frame = _make_test_ws_frame(WSMsgType.CLOSE, code.to_bytes(2) + b"bye", True, False)
    assert close_answer(frame) == code


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535])
def test_a_forbidden_close_code_is_not_echoed(code: int) -> None:
    assert close_answer(_make_test_ws_frame(WSMsgType.CLOSE, code.to_bytes(2), True, False)) == 1002


def test_no_code_is_1000() -> None:
    assert close_answer(_make_test_ws_frame(WSMsgType.CLOSE, b"", True, False)) == 1000


def test_a_reserved_bit_is_1002() -> None:
    assert close_answer(_make_test_ws_frame(WSMsgType.CLOSE, (1000).to_bytes(2), True, True)) == 1002

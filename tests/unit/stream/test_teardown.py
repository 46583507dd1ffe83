"""The end of a session: its reason, its error and close code, its bill, and the last message."""

import json
from typing import Any
from uuid import UUID

import pytest

from transcription_proxy.metering import rates
from transcription_proxy.stream import deepgram, endings, options
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.client import SessionClient
from transcription_proxy.stream.credit import SessionCredit
from transcription_proxy.stream.teardown import Teardown
from transcription_proxy.stream.upstream_progress import UpstreamProgress
from transcription_proxy.values import Closing, Opened
from transcription_wire import messages as wire
from transcription_wire.codes import Reason
from transcription_wire.messages import Error

ID = UUID(int=7)
USER = UUID(int=3)
OPTIONS = options.read(None, rates.load())
SECOND = OPTIONS.audio.bytes_per_second


class TeardownHarness:
    """A teardown after some seconds of audio, all sent to one upstream."""

    def __init__(self, seconds: float = 2.3, began: bool = True) -> None:
        self.actions: list[ev.Action] = []
        self.client = SessionClient(self.actions, 1000, 0.0)
        self.teardown = Teardown(self.actions, Opened(ID, USER, 1000, 1000), OPTIONS, self.client)
        self.teardown.became_ready = began
        self.credit = SessionCredit(Opened(ID, USER, 1000, 1000), OPTIONS.audio, 1_000_000, 0.0)
        self.credit.take(round(seconds * SECOND), 0.0)
        self.credit.number = 4
        self.progress = UpstreamProgress(1)
        self.progress.begin_connection("request-1", 0, 0, 0.0)

    def book(self) -> Closing:
        self.teardown.request_close(self.credit, self.progress, 100.0)
        action = self.actions.pop()
        assert isinstance(action, ev.Close)
        return action.closing

    def metadata(self, duration: float) -> None:
        self.progress.record_message(deepgram.Metadata(duration=duration), self.credit.forwarded, 0, 0.0)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(wire.encode(action.message)) for action in self.actions if isinstance(action, ev.SendClient)]


def test_without_a_reason_the_error_is_internal() -> None:
    assert TeardownHarness().teardown.reason is Reason.INTERNAL


@pytest.mark.parametrize(
    ("reason", "error", "code", "close"),
    [
        (Reason.CLIENT_STOP, None, None, 1000),
        (Reason.REPLACED, None, None, 4409),
        (Reason.SIGNED_OUT, None, "unauthorized", 4401),
        (Reason.TOO_SLOW, None, None, 1008),
        (Reason.UPSTREAM_CLOSED, None, "upstream_closed", 1011),
        (Reason.SERVICE_RESTART, None, "service_restart", 1012),
        (Reason.SERVICE_RESTART, endings.DRAINING, "service_unavailable", 1013),
        (Reason.BAD_MESSAGES, endings.TOO_BIG, "message_too_big", 1009),
        (Reason.ENDED_BY_OPERATOR, endings.BLOCKED, "unauthorized", 4401),
    ],
)
def test_a_reason_or_its_own_error_decides_the_error_and_the_close_code(
    reason: Reason, error: Error | None, code: str | None, close: int
) -> None:
    end = TeardownHarness()
    end.teardown.set_reason(reason, error)
    assert end.teardown.reason is reason
    assert [message["code"] for message in end.messages] == [code] * (code is not None)
    end.teardown.complete(3, reason)
    assert end.actions[-1] == ev.CloseClient(close)


def test_the_close_states_what_was_sent_under_the_next_number() -> None:
    end = TeardownHarness()
    end.teardown.set_reason(Reason.CLIENT_STOP)
    assert end.book() == Closing(
        ID,
        USER,
        5,
        3,
        Reason.CLIENT_STOP,
        audio_ms=2300,
        sent_ms=2300,
        upstream_ms=None,
        request_id="request-1",
        ready=True,
    )


def test_what_the_upstream_reported_is_booked_beside_what_is_billed() -> None:
    end = TeardownHarness()
    end.metadata(2.0)
    assert (end.book().total, end.book().audio_ms, end.book().upstream_ms) == (2, 2000, 2000)
    end.metadata(9.0)
    assert (end.book().total, end.book().audio_ms, end.book().upstream_ms) == (3, 2300, 9000)


@pytest.mark.parametrize("reason", [Reason.UPSTREAM_CLOSED, Reason.CLIENT_STOP, Reason.CLIENT_GONE, Reason.IDLE])
def test_audio_after_the_last_results_is_billed_5_s_at_most_whatever_the_reason(reason: Reason) -> None:
    end = TeardownHarness(8)
    end.teardown.set_reason(reason)
    assert end.book().total == 5


def test_an_answer_is_awaited_for_5_s_after_the_last_results_and_for_30_s_at_most() -> None:
    teardown = TeardownHarness().teardown
    teardown.start_answer_timeout(100.0)
    assert teardown.answer_at == 105.0
    for now in (104.0, 108.0):
        teardown.extend_answer_timeout(now)
        assert teardown.answer_at == now + 5
    assert not teardown.is_wait_exhausted(129.9)
    teardown.extend_answer_timeout(128.0)
    assert teardown.answer_at == 130.0
    assert teardown.is_wait_exhausted(130.0)


def test_the_ledger_is_awaited_for_10_s() -> None:
    end = TeardownHarness()
    end.book()
    assert end.teardown.commit_at == 110.0


def test_session_end_has_what_the_ledger_holds_and_then_the_client_is_closed() -> None:
    end = TeardownHarness()
    end.teardown.set_reason(Reason.CLIENT_STOP)
    end.book()
    end.teardown.complete(4, Reason.REPLACED)
    assert end.messages == [{"type": "session_end", "seconds_used": 4, "audio_seconds": 2.3, "reason": "replaced"}]
    assert end.actions[1:] == [ev.CloseClient(1000)]


def test_a_session_that_never_began_has_no_last_message() -> None:
    end = TeardownHarness(0, began=False)
    end.teardown.set_reason(Reason.CLIENT_GONE)
    assert end.book().ready is False
    end.teardown.complete(0, Reason.CLIENT_GONE)
    assert end.actions == [ev.CloseClient(1000)]


def test_a_pending_session_end_says_so_and_is_sent_once() -> None:
    end = TeardownHarness()
    end.teardown.set_reason(Reason.CLIENT_STOP)
    end.book()
    end.teardown.send_pending()
    end.teardown.complete(3, Reason.CLIENT_STOP)
    assert end.messages == [
        {"type": "session_end", "seconds_used": 3, "audio_seconds": 2.3, "reason": "client_stop", "pending": True}
    ]
    assert end.actions[1:] == [ev.CloseClient(1000)]


@pytest.mark.parametrize(
    ("milliseconds", "shown"), [(2249, 2.2), (2250, 2.3), (2350, 2.4), (2050, 2.1), (49, 0.0), (50, 0.1), (0, 0.0)]
)
def test_audio_seconds_have_one_decimal_halves_up(milliseconds: int, shown: float) -> None:
    end = TeardownHarness(3)
    end.metadata(milliseconds / 1000)
    end.book()
    end.teardown.complete(3, Reason.CLIENT_STOP)
    assert end.messages[0]["audio_seconds"] == shown

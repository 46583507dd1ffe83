"""What a session does without its upstream: it redials where that can help, and only there."""

import pytest

from tests.unit.stream.driver import ID, USER, noise
from transcription_proxy.metering import rates
from transcription_proxy.stream import events as ev
from transcription_proxy.stream import options
from transcription_proxy.stream.client import SessionClient
from transcription_proxy.stream.credit import SessionCredit
from transcription_proxy.stream.phase import Phase
from transcription_proxy.stream.recovery import Recovery, Step
from transcription_proxy.stream.teardown import Teardown
from transcription_proxy.stream.uplink import Uplink
from transcription_proxy.values import Opened
from transcription_wire.codes import Reason
from transcription_wire.messages import Stop

OPTIONS = options.read(None, rates.load())


class Outage:
    """An upstream that got some seconds of audio, none of it final yet, and that is lost at 100 s."""

    def __init__(self, seconds: float = 3, reason: Reason | None = None) -> None:
        self.actions: list[ev.Action] = []
        audio = OPTIONS.audio
        credit = SessionCredit(Opened(ID, USER, 1000, 1000), audio, OPTIONS.micro, 0.0)
        self.client = SessionClient(self.actions, 1000, 0.0)
        self.upstream = Uplink(self.actions, audio, 1, credit, 0)
        self.upstream.begin_connection(None, 0.0)
        self.upstream.buffer.append(noise(seconds))
        self.upstream.send_pending(0.0)
        self.actions.clear()
        self.teardown = Teardown(self.actions, Opened(ID, USER, 1000, 1000), OPTIONS, self.client)
        if reason is not None:
            self.teardown.set_reason(reason)
            self.teardown.start_answer_timeout(95.0)
        self.recovery = Recovery(self.client, self.upstream, self.teardown)

    def lost(self, phase: Phase, code: int | None = 1011) -> Step:
        return self.recovery.handle_loss(phase, code, 100.0)


@pytest.mark.parametrize("phase", [Phase.LIVE, Phase.REDIALLING])
@pytest.mark.parametrize("code", [None, 1000, 1006, 1011, 1012])
def test_a_running_session_redials_and_replays_what_is_not_final(phase: Phase, code: int | None) -> None:
    outage = Outage()
    assert outage.lost(phase, code) is Step.REDIAL
    assert outage.upstream.buffer.position == 0
    assert not outage.upstream.is_active


@pytest.mark.parametrize("phase", [Phase.LIVE, Phase.REDIALLING, Phase.DIALLING])
def test_an_upstream_that_refuses_the_audio_is_not_replaced(phase: Phase) -> None:
    assert Outage().lost(phase, 1008) is Step.FAIL


def test_an_upstream_that_is_lost_before_it_opened_fails() -> None:
    assert Outage().lost(Phase.DIALLING) is Step.FAIL


@pytest.mark.parametrize("status", [None, 429, 500, 503, 599])
def test_a_redial_that_may_succeed_later_is_tried_again_while_the_budget_lasts(status: int | None) -> None:
    outage, steps = Outage(), []
    outage.lost(Phase.LIVE)
    for _ in range(5):
        outage.upstream.dial()
        steps.append(outage.recovery.handle_refusal(Phase.REDIALLING, status, 101.0))
    assert steps == [Step.REDIAL] * 4 + [Step.FAIL]


@pytest.mark.parametrize(
    ("phase", "status"),
    [(Phase.REDIALLING, 400), (Phase.REDIALLING, 401), (Phase.REDIALLING, 404)]
    + [(Phase.DIALLING, status) for status in (None, 400, 429, 503)],
)
def test_any_other_refusal_ends_it(phase: Phase, status: int | None) -> None:
    assert Outage().recovery.handle_refusal(phase, status, 100.0) is Step.REFUSED


def test_after_a_stop_last_words_are_retried_once_unless_some_were_found() -> None:
    outage = Outage(reason=Reason.CLIENT_STOP)
    assert outage.lost(Phase.FINISHING) is Step.REDIAL
    assert outage.upstream.buffer.pop_request() is None
    outage.upstream.buffer.take(len(outage.upstream.buffer))
    assert outage.upstream.buffer.pop_request() == Stop()
    assert outage.lost(Phase.FINISHING) is Step.FAIL


@pytest.mark.parametrize("code", [1000, 1008])
def test_after_a_stop_a_proper_close_is_believed(code: int) -> None:
    assert Outage(reason=Reason.CLIENT_STOP).lost(Phase.FINISHING, code) is Step.CLOSE


@pytest.mark.parametrize("reason", [Reason.CLIENT_GONE, Reason.IDLE, Reason.SERVICE_RESTART, Reason.ENDED_BY_USER])
def test_only_a_stop_is_worth_a_redial_while_finishing(reason: Reason) -> None:
    outage = Outage(reason=reason)
    assert outage.lost(Phase.FINISHING) is Step.CLOSE
    assert outage.recovery.handle_no_answer(100.0) is Step.CLOSE


def test_a_client_that_left_or_has_all_its_words_needs_no_redial() -> None:
    gone, nothing = Outage(reason=Reason.CLIENT_STOP), Outage(0, reason=Reason.CLIENT_STOP)
    gone.client.is_gone = True
    for outage in (gone, nothing):
        assert outage.lost(Phase.FINISHING) is Step.CLOSE
        assert outage.recovery.handle_no_answer(100.0) is Step.CLOSE


def test_an_unanswered_close_is_a_loss_until_the_last_words_timeout() -> None:
    outage = Outage(reason=Reason.CLIENT_STOP)
    assert outage.recovery.handle_no_answer(100.0) is Step.REDIAL
    assert outage.actions == [ev.CloseUpstream()]
    assert Outage(reason=Reason.CLIENT_STOP).recovery.handle_no_answer(125.0) is Step.FAIL


def test_no_upstream_is_needed_when_the_client_stopped_and_all_is_final() -> None:
    outage = Outage(0)
    assert not outage.recovery.needs_no_upstream
    outage.client.has_stopped = True
    assert outage.recovery.needs_no_upstream
    assert outage.lost(Phase.LIVE) is Step.STOP
    assert not Outage(3).recovery.needs_no_upstream


def test_the_end_of_a_loss_is_reported_only_if_its_beginning_was() -> None:
    outage = Outage()
    outage.lost(Phase.LIVE)
    outage.recovery.notify_connected(101.0)
    assert outage.actions == []
    outage.recovery.notify_reconnecting(102.0)
    outage.recovery.notify_connected(103.0)
    outage.recovery.notify_connected(104.0)
    assert [type(action) for action in outage.actions] == [ev.SendClient] * 2

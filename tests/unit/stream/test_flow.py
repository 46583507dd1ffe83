"""What is sent upstream, whether the client is read, and whether to settle."""

from uuid import UUID

import pytest

from transcription_proxy.metering.audio import AudioFormat
from transcription_proxy.metering.meter import Meter
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.client import SessionClient
from transcription_proxy.stream.flow import Flow
from transcription_proxy.stream.funding import Funding
from transcription_proxy.stream.phase import Phase
from transcription_proxy.stream.uplink import Uplink
from transcription_wire.messages import Finalize, Stop

AUDIO = AudioFormat()
SECOND = AUDIO.bytes_per_second
FINALIZE = ev.SendUpstream(b'{"type":"Finalize"}')


class Stream:
    """A flow control with client, upstream and credit, at 0 s, and a grant of some seconds."""

    def __init__(self, grant: int = 45) -> None:
        self.actions: list[ev.Action] = []
        self.client = SessionClient(self.actions, 1000, 0.0)
        self.meter = Meter(SECOND, 2, 1_000_000, grant, 0.0, 45.0)
        self.upstream = Uplink(self.actions, AUDIO, 1, self.meter, 0)
        self.funding = Funding(UUID(int=7), self.meter, 0.0)
        self.flow = Flow(self.actions, self.client, self.upstream, self.funding, self.meter, AUDIO)
        self.upstream.begin_connection(None, 0.0)

    @property
    def settles(self) -> int:
        return sum(isinstance(action, ev.Settle) for action in self.actions)


# What goes up


def test_audio_and_requests_are_sent_in_order() -> None:
    stream = Stream()
    stream.upstream.buffer.append(b"ab")
    stream.upstream.buffer.add_request(Finalize())
    stream.upstream.buffer.append(b"cd")
    assert stream.flow.send_pending(1.0) is False
    assert stream.actions == [ev.SendAudio(b"ab"), FINALIZE, ev.SendAudio(b"cd")]


def test_sending_reports_when_the_stop_is_reached() -> None:
    stream = Stream()
    stream.upstream.buffer.append(b"ab")
    stream.upstream.buffer.add_request(Stop())
    assert stream.flow.send_pending(1.0) is True
    assert stream.actions == [ev.SendAudio(b"ab")]


def test_nothing_is_sent_to_an_upstream_that_does_not_read() -> None:
    stream = Stream()
    stream.upstream.is_stalled = True
    stream.upstream.buffer.append(b"ab")
    stream.upstream.buffer.add_request(Stop())
    assert stream.flow.send_pending(1.0) is False
    assert stream.actions == []


def test_a_stop_is_not_reached_before_the_audio_in_front_of_it_is_paid() -> None:
    stream = Stream(grant=1)
    stream.upstream.buffer.append(bytes(2 * SECOND))
    stream.upstream.buffer.add_request(Stop())
    assert stream.flow.send_pending(1.0) is False
    assert stream.upstream.buffer.unsent == SECOND


# Whether to read on


@pytest.mark.parametrize(
    ("phase", "seconds", "paused"),
    [
        (Phase.DIALLING, 4.9, False),
        (Phase.DIALLING, 5, True),
        (Phase.LIVE, 0, False),
        (Phase.LIVE, 0.1, True),
        (Phase.REDIALLING, 29.9, False),
        (Phase.REDIALLING, 30, True),
        (Phase.FINISHING, 60, False),
        (Phase.CLOSING, 60, False),
    ],
)
def test_the_client_is_read_while_audio_can_be_buffered(phase: Phase, seconds: float, paused: bool) -> None:
    stream = Stream()
    stream.upstream.buffer.append(bytes(round(seconds * SECOND)))
    stream.flow.regulate(phase, 1.0)
    assert stream.client.is_paused is paused


def test_the_client_is_paused_while_the_upstream_does_not_read() -> None:
    stream = Stream()
    stream.upstream.is_stalled = True
    stream.flow.regulate(Phase.LIVE, 1.0)
    assert stream.client.is_paused


@pytest.mark.parametrize("phase", [Phase.DIALLING, Phase.REDIALLING])
def test_the_client_is_paused_when_very_many_requests_wait(phase: Phase) -> None:
    stream = Stream()
    for _ in range(64):
        stream.upstream.buffer.append(b"ab")
        stream.upstream.buffer.add_request(Finalize())
    stream.flow.regulate(phase, 1.0)
    assert stream.client.is_paused


@pytest.mark.parametrize(
    ("phase", "waits", "passes"),
    [(Phase.LIVE, b"", True), (Phase.LIVE, b"ab", False), (Phase.REDIALLING, b"", False)],
)
def test_frames_pass_by_the_meter_only_when_nothing_is_in_front_of_them(
    phase: Phase, waits: bytes, passes: bool
) -> None:
    stream = Stream()
    stream.flow.regulate(Phase.LIVE, 0.5)
    stream.upstream.buffer.append(waits)
    stream.flow.regulate(phase, 1.0)
    assert stream.meter.admit(2, 1.0) is passes


# Whether to settle


@pytest.mark.parametrize("phase", [Phase.LIVE, Phase.REDIALLING])
def test_the_session_settles_when_it_is_time(phase: Phase) -> None:
    stream = Stream()
    stream.flow.regulate(phase, 9.9)
    assert stream.settles == 0
    stream.flow.regulate(phase, 10.0)
    assert stream.settles == 1
    stream.flow.regulate(phase, 30.0)
    assert stream.settles == 1


@pytest.mark.parametrize("phase", [Phase.DIALLING, Phase.FINISHING, Phase.CLOSING, Phase.OVER])
def test_a_session_that_does_not_run_does_not_settle(phase: Phase) -> None:
    stream = Stream()
    stream.flow.regulate(phase, 30.0)
    assert stream.settles == 0


def test_a_settle_is_sent_at_once_when_only_credit_is_missing() -> None:
    stream = Stream(grant=0)
    stream.upstream.buffer.append(b"ab")
    stream.flow.regulate(Phase.LIVE, 1.0)
    assert stream.settles == 1
    assert stream.funding.give_up_at == 11.0


@pytest.mark.parametrize("why", ["the upstream does not read", "there is no upstream"])
def test_credit_is_not_what_is_missing_when(why: str) -> None:
    stream = Stream(grant=0)
    stream.upstream.buffer.append(b"ab")
    stream.upstream.is_stalled = why == "the upstream does not read"
    stream.flow.regulate(Phase.LIVE if stream.upstream.is_stalled else Phase.REDIALLING, 1.0)
    assert stream.settles == 0
    assert stream.funding.give_up_at is None

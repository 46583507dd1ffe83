"""One caption session from the first dial to the last word: `handle(event, now) -> actions`, no I/O, no clock.

Audio frames go through `admit`, one integer comparison; a frame that it refuses comes in as AudioArrived."""

from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from transcription_proxy.metering.meter import Meter
from transcription_proxy.stream import captions, deepgram, endings
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.bill import Bill, reckon
from transcription_proxy.stream.funding import GRANT_SECONDS, Funding
from transcription_proxy.stream.hearing import Hearing
from transcription_proxy.stream.heartbeat import Heartbeat, Verdict
from transcription_proxy.stream.options import Options
from transcription_proxy.values import Closed, Closing, Opened, Settled
from transcription_wire import messages as wire
from transcription_wire.codes import CLOSE_CODES, REASON_CLOSE_CODES, ErrorCode, Reason

EARLY_AUDIO_MS: Final = 5000
"""Audio kept before `ready`."""
KEEP_ALIVE_AFTER: Final = 4.0
SILENCE_MS: Final = 100
"""Our own silence, sent once where no first audio comes for KEEP_ALIVE_AFTER (money 4)."""
METADATA_WITHIN: Final = 5.0
COMMIT_WITHIN: Final = 10.0
STALLED_WITHIN: Final = 10.0
"""How long a client may not read."""


class Phase(Enum):
    DIALLING = auto()
    LIVE = auto()
    FINISHING = auto()
    """CloseStream is sent: the last words and Metadata are awaited."""
    CLOSING = auto()
    """The ledger is to commit the end."""
    OVER = auto()


Duty = tuple[float, Callable[[float], None]]


class Session:
    """The machine. After each `handle`, `deadline` says when to call it with TimePassed at the latest."""

    def __init__(self, opened: Opened, options: Options, idle_seconds: float, now: float) -> None:
        self.id = opened.session_id
        self.options = options
        self.phase = Phase.DIALLING
        audio = options.audio
        self.meter = Meter(audio.bytes_per_second, audio.block, options.micro, opened.grant, now, now + GRANT_SECONDS)
        self.admit = self.meter.admit
        self._funding = Funding(self.id, self.meter, now)
        self._hearing = Hearing()
        self._idle_seconds = idle_seconds
        self._remaining = opened.seconds_remaining
        self._low = captions.LowMark()
        self._actions: list[ev.Action] = []
        self._backlog: deque[bytearray | wire.Finalize | wire.Stop] = deque()
        self._stop_queued = False
        self._bad_messages = 0
        self._client_gone = False
        self._client_paused = False
        self._client_stalled_at: float | None = None
        self._client_pulse = Heartbeat(now)
        self._upstream_gone = False
        self._upstream_stalled = False
        self._upstream_pulse = Heartbeat(now)
        self._text_sent_at = now
        self._phase_since = now
        self._close_code = 1011
        self._bill = Bill(0, 0)
        self._told = False
        self.reason = Reason.INTERNAL
        """Why it ends; of use from FINISHING on."""

    def start(self) -> list[ev.Action]:
        """What to do first."""
        return [ev.Dial()]

    def handle(self, event: ev.Event, now: float) -> list[ev.Action]:
        """What to do about an event, in order."""
        self._actions = []
        if self.phase is not Phase.OVER:
            self._dispatch(event, now)
        return self._actions

    @property
    def deadline(self) -> float | None:
        """When TimePassed is due, None for never."""
        match self.phase:
            case Phase.LIVE:
                return min(at for at, _ in self._duties())
            case Phase.FINISHING:
                return self._phase_since + METADATA_WITHIN
            case Phase.CLOSING if not self._told:
                return self._phase_since + COMMIT_WITHIN
            case _:
                return None

    def _dispatch(self, event: ev.Event, now: float) -> None:  # noqa: C901, PLR0912 - the one ladder of events
        match event:
            case ev.AudioArrived(data):
                self._audio_arrived(data, now)
            case ev.ClientSpoke(text):
                self._client_spoke(text, now)
            case ev.ClientPonged():
                self._client_pulse.heard(now)
            case ev.ClientOversent():
                self._end(Reason.BAD_MESSAGES, now, endings.TOO_BIG)
            case ev.ClientStalled():
                self._client_stalled_at = now
            case ev.ClientRecovered():
                self._client_stalled_at = None
            case ev.ClientLost():
                self._client_gone = True
                self._end(Reason.CLIENT_GONE, now)
            case ev.UpstreamOpened(request_id):
                self._upstream_opened(request_id, now)
            case ev.UpstreamRefused(status, detail):
                self._upstream_gone = True
                self._end(Reason.UPSTREAM_CLOSED, now, endings.refusal(status, detail))
            case ev.UpstreamSpoke(text):
                self._upstream_spoke(deepgram.parse(text), now)
            case ev.UpstreamPonged():
                self._upstream_pulse.heard(now)
            case ev.UpstreamStalled():
                self._upstream_stalled = True
                self._steer(now)
            case ev.UpstreamRecovered():
                self._upstream_stalled = False
                self._pump(now)
            case ev.UpstreamLost():
                self._upstream_lost(now)
            case ev.SettleAnswered(answer):
                self._settle_answered(answer, now)
            case ev.SettleFailed():
                self._settle_failed(now)
            case ev.CloseCommitted(answer):
                self._close_committed(answer)
            case ev.Nudged():
                self._funding.nudged = True
                self._steer(now)
            case ev.Drained():
                self._end(Reason.SERVICE_RESTART, now, endings.DRAINING if self.phase is Phase.DIALLING else None)
            case ev.Broke():
                self._end(Reason.INTERNAL, now)
            case ev.TimePassed():
                self._time_passed(now)

    # The client

    def _audio_arrived(self, data: bytes, now: float) -> None:
        if not data or not self._listening:
            return
        self._client_pulse.heard(now)
        last = self._backlog[-1] if self._backlog else None
        if isinstance(last, bytearray):  # one piece, so that a flood of tiny frames costs no more than its bytes
            last += data
        else:
            self._backlog.append(bytearray(data))
        self._pump(now)

    def _client_spoke(self, text: bytes, now: float) -> None:
        if not self._listening:
            return
        self._client_pulse.heard(now)
        try:
            message = captions.parse(text)
        except captions.BadMessage as error:
            self._bad_message(str(error), now)
            return
        match message:
            case wire.Auth():
                self._bad_message("this session is authenticated already", now)
            case wire.Finalize() | wire.Stop():
                self._stop_queued = isinstance(message, wire.Stop)
                if not self._backlog or self._backlog[-1] != message:
                    self._backlog.append(message)
                self._pump(now)

    @property
    def _listening(self) -> bool:
        """Whether the client's frames count; those after a `stop` do not."""
        return self.phase in (Phase.DIALLING, Phase.LIVE) and not self._stop_queued

    def _bad_message(self, what: str, now: float) -> None:
        self._bad_messages += 1
        if self._bad_messages >= captions.MAX_BAD_MESSAGES:
            self._end(Reason.BAD_MESSAGES, now, endings.TOO_MANY_BAD)
        else:
            self._say(captions.error(ErrorCode.BAD_MESSAGE, what))

    def _say(self, text: bytes, optional: bool = False) -> None:
        if not self._client_gone and not self._told:
            self._actions.append(ev.SendClient(text, optional))

    def _say_remaining(self, seconds_remaining: int) -> None:
        self._remaining = seconds_remaining
        if self._low.passed(seconds_remaining):
            self._say(wire.encode(wire.CreditsLow(seconds_remaining)))

    def _hold_client(self, hold: bool) -> None:
        """Stops or resumes reading from the client."""
        if hold is not self._client_paused:
            self._client_paused = hold
            self._actions.append(ev.PauseClient() if hold else ev.ResumeClient())

    # The upstream

    def _upstream_opened(self, request_id: str | None, now: float) -> None:
        if self.phase is not Phase.DIALLING:
            return
        self.phase, self._phase_since = Phase.LIVE, now
        self._text_sent_at = self.meter.last_audio = now
        self._hearing.opened(request_id, now)
        self._client_pulse.heard(now)
        self._upstream_pulse.heard(now)
        self._say(wire.encode(wire.Ready(str(self.id), self._remaining)))
        self._say_remaining(self._remaining)
        self._actions.append(ev.Settle(self._funding.state(now, ready=True)))
        self._pump(now)

    def _upstream_spoke(self, message: deepgram.Message | deepgram.Unknown, now: float) -> None:
        self._upstream_pulse.heard(now)
        self._hearing.said(message, self.meter.forwarded, now)
        if isinstance(message, deepgram.Metadata) and self.phase is Phase.FINISHING:
            self._close(now)
            return
        text = captions.caption(message, self._hearing.silence_ms / 1000)
        if text is not None:
            self._say(text, optional=isinstance(message, deepgram.Results) and not message.is_final)

    def _upstream_lost(self, now: float) -> None:
        self._upstream_gone = True
        if self.phase is Phase.FINISHING:
            self._close(now)
        else:
            self._end(Reason.UPSTREAM_CLOSED, now)

    def _send_upstream(self, text: bytes, now: float) -> None:
        self._text_sent_at = now
        self._actions.append(ev.SendUpstream(text))

    # Audio and credit

    def _pump(self, now: float) -> None:
        """Sends up what waits, in order, as far as the grant and the upstream allow."""
        while self._backlog and self.phase is Phase.LIVE and not self._upstream_stalled:
            match self._backlog[0]:
                case bytearray() as audio:
                    if not self._forward(audio, now):
                        break
                case wire.Finalize():
                    self._send_upstream(deepgram.FINALIZE, now)
                case wire.Stop():
                    self._end(Reason.CLIENT_STOP, now)
                    return
            self._backlog.popleft()
        self._steer(now)

    def _forward(self, audio: bytearray, now: float) -> bool:
        """Sends what is covered; whether that was all."""
        taken = self.meter.take(len(audio), now)
        if taken:
            self._actions.append(ev.SendAudio(bytes(audio[:taken])))
            del audio[:taken]
        return not audio

    def _steer(self, now: float) -> None:
        """Decides whether to read on, and whether to settle."""
        if self.phase is Phase.DIALLING:
            self._hold_client(self._early_bytes >= self.options.audio.bytes_in(EARLY_AUDIO_MS))
        if self.phase is not Phase.LIVE:
            return
        blocked = bool(self._backlog) or self._upstream_stalled
        if blocked:
            self.meter.shut()
        else:
            self.meter.open()
        self._hold_client(blocked)
        self._funding.need(bool(self._backlog) and not self._upstream_stalled, now)
        if self._funding.wanted(now):
            self._actions.append(ev.Settle(self._funding.state(now)))

    @property
    def _early_bytes(self) -> int:
        return sum(len(item) for item in self._backlog if isinstance(item, bytearray))

    def _settle_answered(self, answer: Settled, now: float) -> None:
        if self.phase is not Phase.LIVE or answer.number != self._funding.number:
            return
        if answer.gone:
            self._gone(answer)
            return
        hopeful = self._funding.answered(answer)
        self._say(wire.encode(wire.Usage(answer.seconds_used, answer.seconds_remaining)))
        self._say_remaining(answer.seconds_remaining)
        if answer.ending is not None:
            self._end(answer.ending, now, endings.BLOCKED if answer.blocked else None)
        elif hopeful:
            self._pump(now)
        else:
            self._end(Reason.INSUFFICIENT_CREDITS, now)

    def _settle_failed(self, now: float) -> None:
        if self.phase is Phase.LIVE and self.meter.asking:
            self._funding.failed()
            self._pump(now)

    def _give_back(self, now: float) -> None:
        self._actions.append(ev.Settle(self._funding.state(now, give_back=True)))

    def _despair(self, now: float) -> None:
        self._end(Reason.DATABASE_AWAY if self._funding.away else Reason.INSUFFICIENT_CREDITS, now)

    # Time

    def _time_passed(self, now: float) -> None:
        if self.phase is Phase.LIVE:
            for at, act in self._duties():
                if now >= at and self.phase is Phase.LIVE:
                    act(now)
        elif self.phase is Phase.FINISHING and now >= self._phase_since + METADATA_WITHIN:
            self._close(now)
        elif self.phase is Phase.CLOSING and now >= self._phase_since + COMMIT_WITHIN:
            self._tell(self._bill.total, self.reason, pending=True)

    def _duties(self) -> list[Duty]:
        """What a live session has to do by when, should nothing else happen."""
        self._client_pulse.heard(self.meter.last_audio)
        duties: list[Duty] = [
            (self.meter.last_audio + self._idle_seconds, lambda now: self._end(Reason.IDLE, now)),
            (max(self.meter.last_audio, self._text_sent_at) + KEEP_ALIVE_AFTER, self._keep_alive),
            (self._hearing.look_at, self._watch),
            (self._client_pulse.deadline, self._check_client),
            (self._upstream_pulse.deadline, self._check_upstream),
        ]
        if not self.meter.asking:
            duties.append((self._funding.settle_at, self._steer))
        if (at := self._funding.give_back_at) is not None and not self._backlog:
            duties.append((at, self._give_back))
        if (at := self._funding.despair_at) is not None:
            duties.append((at, self._despair))
        if (at := self._client_stalled_at) is not None:
            duties.append((at + STALLED_WITHIN, lambda now: self._end(Reason.TOO_SLOW, now)))
        return duties

    def _keep_alive(self, now: float) -> None:
        if self.meter.forwarded == 0 and self._hearing.silence_ms == 0:
            audio = self.options.audio
            self._hearing.silence_ms = SILENCE_MS
            self._actions.append(ev.SendAudio(audio.silence(SILENCE_MS)))
        self._send_upstream(deepgram.KEEP_ALIVE, now)

    def _watch(self, now: float) -> None:
        if self._hearing.stalled(self.meter.forwarded, self.meter.rate, now):
            self._end(Reason.UPSTREAM_CLOSED, now)

    def _check_client(self, now: float) -> None:
        if self._client_paused:  # its answers wait unread
            self._client_pulse.heard(now)
            return
        match self._client_pulse.check(now):
            case Verdict.PING:
                self._actions.append(ev.PingClient())
            case Verdict.DEAD:
                self._actions.append(ev.CloseClient(1011))
                self._client_gone = True
                self._end(Reason.CLIENT_GONE, now)

    def _check_upstream(self, now: float) -> None:
        match self._upstream_pulse.check(now):
            case Verdict.PING:
                self._actions.append(ev.PingUpstream())
            case Verdict.DEAD:
                self._actions.append(ev.HangUp())
                self._upstream_lost(now)

    # The end

    def _end(self, reason: Reason, now: float, error: endings.ErrorSaid | None = None) -> None:
        """Begins the end. The first reason stays."""
        if self.phase not in (Phase.DIALLING, Phase.LIVE):
            return
        was_live = self.phase is Phase.LIVE
        self._explain(reason, error)
        self.meter.shut()
        self._backlog.clear()
        self.phase, self._phase_since = Phase.FINISHING, now
        if was_live and not self._upstream_gone:
            self._hold_client(False)  # what it sends is ignored, but its leaving is seen
            self._send_upstream(deepgram.CLOSE_STREAM, now)
        else:
            self._close(now, ready=was_live)

    def _explain(self, reason: Reason, error: endings.ErrorSaid | None = None) -> None:
        """Notes the reason, and says the error that goes with it."""
        error = error or endings.ERRORS.get(reason)
        if error is not None:
            self._say(captions.error(*error))
        self.reason = reason
        self._close_code = CLOSE_CODES[error[0]] if error else REASON_CLOSE_CODES[reason]

    def _close(self, now: float, *, ready: bool = True) -> None:
        """Reckons the bill and has it booked. A session that never became ready has no `session_end`."""
        self._hang_up()
        if not ready:
            self._dismiss()
        self.phase, self._phase_since = Phase.CLOSING, now
        self._bill = reckon(self._hearing.heard(self.meter.forwarded), self.options.audio, self.options.micro)
        self._actions.append(
            ev.Close(
                Closing(
                    self.id,
                    self._funding.number + 1,
                    self._bill.total,
                    self.reason,
                    audio_ms=self._bill.audio_ms,
                    upstream_ms=self._hearing.reported_ms,
                    request_id=self._hearing.request_id,
                    ready=ready,
                )
            )
        )

    def _close_committed(self, answer: Closed) -> None:
        self._tell(answer.seconds_used, answer.reason)
        self._over()

    def _gone(self, answer: Settled) -> None:
        """The ledger has ended the session already: nothing more is booked, its figures stand (money 16)."""
        self._explain(answer.ending or Reason.LEASE_EXPIRED)
        self._bill = Bill(answer.seconds_used, self.options.audio.milliseconds(self.meter.forwarded))
        self._actions.append(ev.SendUpstream(deepgram.CLOSE_STREAM))
        self._hang_up()
        self._tell(answer.seconds_used, self.reason)
        self._over()

    def _tell(self, seconds_used: int, reason: Reason, *, pending: bool = False) -> None:
        """The last message, and the close, once."""
        audio_seconds = round(self._bill.audio_ms / 1000, 1)
        self._say(wire.encode(wire.SessionEnd(seconds_used, audio_seconds, reason, pending)))
        self._dismiss()

    def _dismiss(self) -> None:
        """Closes the client, once."""
        if not self._client_gone and not self._told:
            self._actions.append(ev.CloseClient(self._close_code))
        self._told = True

    def _hang_up(self) -> None:
        if not self._upstream_gone:
            self._upstream_gone = True
            self._actions.append(ev.HangUp())

    def _over(self) -> None:
        self.meter.shut()
        self.phase = Phase.OVER
        self._actions.append(ev.Finish())

"""One caption session, from the first dial to the booked end: `handle(event, now) -> actions`, no I/O, no clock.

The session decides. The state of its three sides is in client.py, uplink.py and credit.py; what it does without an
upstream is in recovery.py. Audio frames go through `admit`, one integer comparison, and `record`; a frame that is not
admitted arrives as the event AudioArrived."""

from collections.abc import Callable
from functools import partial
from typing import Final

from transcription_proxy import sentences
from transcription_proxy.stream import captions, deepgram, endings
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.client import SessionClient
from transcription_proxy.stream.credit import SessionCredit
from transcription_proxy.stream.machine import Machine, Timer
from transcription_proxy.stream.options import Options
from transcription_proxy.stream.phase import RUNNING, Phase
from transcription_proxy.stream.recovery import Recovery, Step
from transcription_proxy.stream.teardown import Teardown
from transcription_proxy.stream.uplink import REPLAY_MS, Uplink
from transcription_proxy.stream.warnings import Warnings
from transcription_proxy.values import Closed, Opened, Settled
from transcription_wire import messages as wire
from transcription_wire.codes import Reason

DIAL_SECONDS: Final = 25.0
"""Seconds to dial the first upstream: 10 s for the built-in engine to start, 10 s for a handshake, and some more."""
EARLY_AUDIO_MS: Final = 5000
"""Milliseconds of audio buffered before `ready`."""


class Session(Machine):
    """The state machine. After each `handle`, `deadline` is when to call it with TimePassed at the latest."""

    def __init__(self, opened: Opened, options: Options, idle_seconds: float, now: float) -> None:
        super().__init__()
        self.id = opened.session_id
        self.options = options
        self.credit = SessionCredit(opened, options.audio, options.micro, now)
        self._client = SessionClient(self._actions, opened.seconds_remaining, now)
        self._upstream = Uplink(self._actions, options.audio, options.channels_billed, self.credit, self.id.int)
        self._teardown = Teardown(self._actions, opened, options, self._client)
        self._recovery = Recovery(self._client, self._upstream, self._teardown)
        self._warnings = Warnings(self._client, self._upstream, options, now)
        self.admit = self.credit.admit
        self.record = self._upstream.buffer.record
        """To be called with each frame that was admitted."""
        self._idle_seconds = idle_seconds
        self._waited_at = now
        """When the client last sent audio that had to wait."""
        self._dial_until = now + DIAL_SECONDS

    @property
    def reason(self) -> Reason:
        """Why the session ends. Only meaningful from FINISHING on."""
        return self._teardown.reason

    @property
    def is_ending(self) -> bool:
        """Whether the session's end has begun."""
        return self.phase not in (Phase.DIALLING, *RUNNING)

    @property
    def forwarded_bytes(self) -> int:
        """Bytes of the client's audio that went upstream, each counted once."""
        return self.credit.forwarded

    @property
    def behind_seconds(self) -> float:
        """Seconds of the client's audio for which there are no results yet."""
        return self._upstream.behind_ms / 1000

    def url(self, base: str) -> str:
        """Return the URL to dial. `base`: the upstream's."""
        return deepgram.request_target(base, self.options.query, str(self.id))

    @property
    def deadline(self) -> float | None:
        """When to handle TimePassed, None for never. Asking changes nothing."""
        match self.phase:
            case Phase.DIALLING:
                return self._dial_until
            case Phase.LIVE | Phase.REDIALLING:
                return min(at for at, _ in self._timers())
            case Phase.FINISHING:
                return self._teardown.answer_at
            case Phase.CLOSING if not self._client.is_closed:
                return self._teardown.commit_at
            case _:
                return None

    def _dispatch(self, event: ev.Event, now: float) -> None:  # noqa: C901, PLR0912, PLR0915 - one ladder
        match event:
            case ev.UpstreamSentText(text):
                self._upstream_spoke(deepgram.parse(text), now)
            case ev.AudioArrived(data):
                self._audio_arrived(data, now)
            case ev.ClientSentText(text):
                self._client_spoke(text, now)
            case ev.ClientPonged():
                self._client.heartbeat.record_traffic(now)
            case ev.ClientBrokeProtocol(error):
                self._end(Reason.BAD_MESSAGES, now, error)
            case ev.ClientStalled():
                self._client.record_stall(now)
            case ev.ClientRecovered():
                self._client.record_stall(None)
            case ev.ClientLost():
                self._client.is_gone = True
                self._end(Reason.CLIENT_GONE, now)
            case ev.UpstreamOpened(request_id):
                self._upstream_opened(request_id, now)
            case ev.UpstreamRefused(status, detail):
                refusal = endings.refusal(status, detail)
                self._take_step(self._recovery.handle_refusal(self.phase, status, now), now, refusal)
            case ev.UpstreamPonged():
                self._upstream.record_pong(now)
            case ev.UpstreamStalled():
                self._upstream.is_stalled = True
                self._regulate(now)
            case ev.UpstreamRecovered():
                self._upstream.is_stalled = False
                self._send_pending(now)
            case ev.UpstreamLost(code):
                self._take_step(self._recovery.handle_loss(self.phase, code, now), now)
            case ev.SettleAnswered(answer):
                self._settle_answered(answer, now)
            case ev.SettleFailed():
                self._settle_failed(now)
            case ev.CloseCommitted(answer):
                self._close_committed(answer)
            case ev.RowChanged():
                self.credit.has_row_changed = True
                self._regulate(now)
            case ev.DrainEnded():
                self._end(Reason.SERVICE_RESTART, now, None if self._teardown.became_ready else endings.DRAINING)
            case ev.DrainBegan() if self.phase is Phase.DIALLING:
                self._end(Reason.SERVICE_RESTART, now, endings.DRAINING)
            case ev.SessionFailed() if self.phase is Phase.FINISHING:
                self._close(now)
            case ev.SessionFailed():
                self._end(Reason.INTERNAL, now)
            case ev.TimePassed():
                self._time_passed(now)

    # The client

    def _audio_arrived(self, data: bytes, now: float) -> None:
        if data and self._accepts_input:
            self._client.heartbeat.record_traffic(now)
            self._waited_at = now
            self._upstream.buffer.append(data)
            self._send_pending(now)

    def _client_spoke(self, text: bytes, now: float) -> None:
        if not self._accepts_input:
            return
        self._client.heartbeat.record_traffic(now)
        try:
            message = captions.parse(text)
        except captions.BadMessage as error:
            self._bad_message(str(error), now)
            return
        match message:
            case wire.Auth():
                self._bad_message(sentences.AUTH_TWICE, now)
            case wire.Keepalive(answer=True):
                self._client.send(wire.Alive())
            case wire.Finalize() | wire.Stop():
                self._client.has_stopped = isinstance(message, wire.Stop)
                self._upstream.buffer.add_request(message)
                if self.phase is Phase.REDIALLING and self._recovery.needs_no_upstream:
                    self._end(Reason.CLIENT_STOP, now)
                else:
                    self._send_pending(now)

    @property
    def _accepts_input(self) -> bool:
        """Whether frames of the client count. Those after `stop` do not."""
        return self.phase in (Phase.DIALLING, *RUNNING) and not self._client.has_stopped

    def _bad_message(self, what: str, now: float) -> None:
        if not self._client.answer_bad_message(what):
            self._end(Reason.BAD_MESSAGES, now, endings.TOO_MANY_BAD)

    # The upstream

    def _upstream_opened(self, request_id: str | None, now: float) -> None:
        if self.phase not in (Phase.DIALLING, Phase.REDIALLING) or not self._upstream.is_active:
            return
        self.phase = Phase.LIVE
        self._upstream.begin_connection(request_id, now)
        if not self._teardown.became_ready:
            self._begin(now)
        self._send_pending(now)

    def _begin(self, now: float) -> None:
        self._teardown.became_ready = True
        self.credit.last_audio = now
        self._client.heartbeat.record_traffic(now)
        self._client.send_ready(str(self.id))
        self._settle(now, ready=True)

    def _upstream_spoke(self, message: deepgram.Message | deepgram.Unknown, now: float) -> None:
        if self.phase not in (Phase.LIVE, Phase.FINISHING):
            return
        self._warnings.inspect_audio(now)
        caption = self._upstream.receive(message, now)
        if isinstance(message, deepgram.Results):
            self._warnings.check_lateness(now)
        if self._upstream.redial.is_proven:
            self._recovery.notify_connected(now)
        if self.phase is Phase.FINISHING and isinstance(message, deepgram.Results) and self._upstream.owes_words:
            self._teardown.extend_answer_timeout(now)
        if caption is not None:
            self._client.send(caption)
        elif self.phase is Phase.FINISHING and self._upstream.is_answer(message):
            self._close(now)

    def _take_step(self, step: Step, now: float, refusal: wire.Error | None = None) -> None:
        """Do what recovery.py chose: go on without the upstream, or end."""
        if self.phase is Phase.FINISHING and step is not Step.CLOSE:
            self.phase = Phase.REDIALLING  # the end that had begun may get another reason
        match step:
            case Step.REDIAL:
                self.phase = Phase.REDIALLING
                self._regulate(now)
            case Step.FAIL:
                self._end(Reason.UPSTREAM_CLOSED, now)
            case Step.REFUSED:
                self._end(Reason.UPSTREAM_CLOSED, now, refusal)
            case Step.STOP:
                self._end(Reason.CLIENT_STOP, now)
            case Step.CLOSE:
                self._close(now)

    # Audio and credit

    def _send_pending(self, now: float) -> None:
        """Send the audio and requests that may be sent now."""
        if self.phase is Phase.LIVE and self._upstream.send_pending(now):
            self._end(Reason.CLIENT_STOP, now)
        else:
            self._regulate(now)

    def _regulate(self, now: float) -> None:
        """Pause or resume the client, let frames pass or not, and settle if it is time."""
        upstream = self._upstream
        upstream.trim()
        self._client.set_paused(self._is_full)
        if self.phase not in RUNNING:
            return
        is_live = self.phase is Phase.LIVE
        self.credit.set_open(is_live and not self._client.is_paused)
        self.credit.record_need(is_live and upstream.buffer.unsent > 0 and not upstream.is_stalled, now)
        if self.credit.needs_settle(now):
            self._settle(now)

    @property
    def _is_full(self) -> bool:
        """Whether no more audio of the client can be buffered now."""
        match self.phase:
            case Phase.DIALLING:
                return self._upstream.is_full(EARLY_AUDIO_MS)
            case Phase.LIVE:
                return self._upstream.buffer.has_pending or self._upstream.is_stalled
            case Phase.REDIALLING:
                return self._upstream.is_full(REPLAY_MS)
            case _:
                return False  # input is ignored, but a disconnect must be noticed

    def _settle(self, now: float, *, ready: bool = False, release_hold: bool = False) -> None:
        self._actions.append(ev.Settle(self.credit.begin_settle(now, ready=ready, release_hold=release_hold)))

    def _settle_answered(self, answer: Settled, now: float) -> None:
        if self.phase not in RUNNING or not self.credit.is_settling or answer.number != self.credit.number:
            return
        if answer.gone:
            self._end_closed_session(answer, now)
            return
        has_hope = self.credit.record_answer(answer)
        self._client.send(wire.Usage(answer.seconds_used, answer.seconds_remaining))
        self._client.record_balance(answer.seconds_remaining)
        if answer.ending is not None:
            self._end(answer.ending, now, endings.BLOCKED if answer.blocked else None)
        elif has_hope:
            self._send_pending(now)
        else:
            self._end(Reason.INSUFFICIENT_CREDITS, now)

    def _settle_failed(self, now: float) -> None:
        if self.phase in RUNNING and self.credit.is_settling:
            self.credit.record_failure()
            self._send_pending(now)

    # Time

    def _time_passed(self, now: float) -> None:
        match self.phase:
            case Phase.DIALLING if now >= self._dial_until:
                self._end(Reason.UPSTREAM_CLOSED, now, endings.refusal(None, ""))
            case Phase.LIVE | Phase.REDIALLING:
                self._run_due_timers(now)
            case Phase.FINISHING if now >= self._teardown.answer_at:
                self._take_step(self._recovery.handle_no_answer(now), now)
            case Phase.CLOSING if now >= self._teardown.commit_at:
                self._teardown.send_pending()

    def _timers(self) -> list[Timer]:
        client, upstream, credit = self._client, self._upstream, self.credit
        audio_at = max(credit.last_audio, self._waited_at)
        timers: list[tuple[float | None, Callable[[float], None]]] = [
            (audio_at + self._idle_seconds, lambda now: self._end(Reason.IDLE, now)),
            (client.heartbeat.deadline_given(credit.last_audio), self._check_client),
            (client.too_slow_at, lambda now: self._end(Reason.TOO_SLOW, now)),
        ]
        if self.phase is Phase.LIVE:
            release_hold_at = None if upstream.buffer.has_pending else credit.release_hold_at
            timers += [
                (upstream.keep_alive_at, upstream.send_keep_alive),
                (upstream.check_at, self._check_upstream),
                (upstream.redial.notify_recovery_at, self._recovery.notify_connected),
                (release_hold_at, partial(self._settle, release_hold=True)),
                (credit.give_up_at, self._end_without_credit),
                (self._warnings.check_at, self._warnings.check),
            ]
        else:
            redial = upstream.redial
            timers += [
                (redial.notify_loss_at, self._recovery.notify_reconnecting),
                (redial.give_up_at, lambda now: self._take_step(Step.FAIL, now)),
                (redial.dial_at, lambda _: upstream.dial()),
            ]
        timers.append((credit.settle_at, self._regulate))
        return [(at, act) for at, act in timers if at is not None]

    def _check_client(self, now: float) -> None:
        if not self._client.check_heartbeat(self.credit.last_audio, now):
            self._end(Reason.CLIENT_GONE, now)

    def _check_upstream(self, now: float) -> None:
        if not self._upstream.check_connection(now):
            self._upstream.close(now)
            self._take_step(self._recovery.handle_loss(self.phase, None, now), now)

    def _end_without_credit(self, now: float) -> None:
        self._end(Reason.DATABASE_AWAY if self.credit.is_database_away else Reason.INSUFFICIENT_CREDITS, now)

    # The end

    def _end(self, reason: Reason, now: float, error: wire.Error | None = None) -> None:
        """Begin the end. The reason of the first call stays."""
        if self.phase not in (Phase.DIALLING, *RUNNING):
            return
        has_upstream = self.phase is Phase.LIVE and self._upstream.is_active
        self._teardown.set_reason(reason, error)
        self.credit.set_open(False)
        self.phase = Phase.FINISHING
        self._teardown.start_answer_timeout(now)
        self._regulate(now)
        if has_upstream:
            self._upstream.send_text(deepgram.CLOSE_STREAM, now)
        else:
            self._close(now)

    def _close(self, now: float) -> None:
        """Have the ledger book the bill. The client is closed after that, when its hold is free."""
        self._upstream.close(now)
        self.phase = Phase.CLOSING
        self._teardown.request_close(self.credit, self._upstream.progress, now)

    def _close_committed(self, answer: Closed) -> None:
        self._teardown.complete(answer.seconds_used, answer.reason)
        self._finish()

    def _end_closed_session(self, answer: Settled, now: float) -> None:
        """End a session that the ledger has ended. The close may still book what its hold covered (money 21)."""
        self._teardown.set_reason(answer.ending or Reason.LEASE_EXPIRED)
        self.credit.set_open(False)
        if self.phase is Phase.LIVE:
            self._upstream.send_text(deepgram.CLOSE_STREAM, now)
        self._close(now)

    def _finish(self) -> None:
        self.credit.set_open(False)
        self.phase = Phase.OVER
        self._actions.append(ev.Finish())

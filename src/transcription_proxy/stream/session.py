"""One caption session from the first dial to the last word: `handle(event, now) -> actions`, no I/O, no clock.

It decides; what it knows of its three sides is kept by audience.py, uplink.py and funding.py, and what becomes of it
without an upstream is in recovery.py. Audio frames go through `admit`, one integer comparison, and `record`; a frame
that is not admitted comes in as AudioArrived."""

from collections.abc import Callable
from typing import Final

from transcription_proxy import sentences
from transcription_proxy.metering.meter import Meter
from transcription_proxy.stream import captions, deepgram, endings
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.audience import Audience
from transcription_proxy.stream.flow import Flow
from transcription_proxy.stream.funding import GRANT_SECONDS, Funding
from transcription_proxy.stream.options import Options
from transcription_proxy.stream.parting import Parting
from transcription_proxy.stream.phase import RUNNING, Phase
from transcription_proxy.stream.recovery import Recovery, Step
from transcription_proxy.stream.uplink import Uplink
from transcription_proxy.stream.warnings import Warnings
from transcription_proxy.values import Closed, Opened, Settled
from transcription_wire import messages as wire
from transcription_wire.codes import Reason

DIAL_SECONDS: Final = 25.0
"""How long the first upstream is dialled, whatever the dialler does: a handshake may take 10 s, and the built-in engine
is waited for 10 s before it."""
Duty = tuple[float, Callable[[float], None]]


class Session:
    """The machine. After each `handle`, `deadline` says when to call it with TimePassed at the latest."""

    def __init__(self, opened: Opened, options: Options, idle_seconds: float, now: float) -> None:
        self.id = opened.session_id
        self.options = options
        self.phase = Phase.DIALLING
        audio = options.audio
        self.meter = Meter(audio.bytes_per_second, audio.block, options.micro, opened.grant, now, now + GRANT_SECONDS)
        self._actions: list[ev.Action] = []
        self._client = Audience(self._actions, opened.seconds_remaining, now)
        self._upstream = Uplink(self._actions, audio, options.channels_billed, self.meter, self.id.int)
        self._funding = Funding(self.id, self.meter, now)
        self._flow = Flow(self._actions, self._client, self._upstream, self._funding, self.meter, audio)
        self._parting = Parting(self._actions, self.id, options, self._client)
        self._recovery = Recovery(self._client, self._upstream, self._parting)
        self._warnings = Warnings(self._client, self._upstream, options, now)
        self.admit = self.meter.admit
        self.record = self._upstream.tape.record
        """To be given each frame that was admitted."""
        self._idle_seconds = idle_seconds
        self._waited_at = now
        """When the client's last audio came that had to wait."""
        self._dial_until = now + DIAL_SECONDS

    @property
    def reason(self) -> Reason:
        """Why it ends; of use from FINISHING on."""
        return self._parting.reason

    def start(self) -> list[ev.Action]:
        """What to do first."""
        return [ev.Dial()]

    def handle(self, event: ev.Event, now: float) -> list[ev.Action]:
        """What to do about an event, in order."""
        self._actions.clear()
        if self.phase is not Phase.OVER:
            self._dispatch(event, now)
        return self._actions.copy()

    @property
    def deadline(self) -> float | None:
        """When TimePassed is due, None for never."""
        match self.phase:
            case Phase.DIALLING:
                return self._dial_until
            case Phase.LIVE | Phase.REDIALLING:
                return min(at for at, _ in self._duties())
            case Phase.FINISHING:
                return self._parting.answer_at
            case Phase.CLOSING if not self._client.dismissed:
                return self._parting.commit_at
            case _:
                return None

    def _dispatch(self, event: ev.Event, now: float) -> None:  # noqa: C901, PLR0912, PLR0915 - one ladder
        match event:
            case ev.UpstreamSpoke(text):
                self._upstream_spoke(deepgram.parse(text), now)
            case ev.AudioArrived(data):
                self._audio_arrived(data, now)
            case ev.ClientSpoke(text):
                self._client_spoke(text, now)
            case ev.ClientPonged():
                self._client.pulse.heard(now)
            case ev.ClientViolated(error):
                self._end(Reason.BAD_MESSAGES, now, error)
            case ev.ClientStalled():
                self._client.stalled(now)
            case ev.ClientRecovered():
                self._client.stalled(None)
            case ev.ClientLost():
                self._client.gone = True
                self._end(Reason.CLIENT_GONE, now)
            case ev.UpstreamOpened(request_id):
                self._upstream_opened(request_id, now)
            case ev.UpstreamRefused(status, detail):
                refusal = endings.refusal(status, detail)
                self._go_on(self._recovery.refused(self.phase, status, now), now, refusal)
            case ev.UpstreamPonged():
                self._upstream.ponged(now)
            case ev.UpstreamStalled():
                self._upstream.stalled = True
                self._steer(now)
            case ev.UpstreamRecovered():
                self._upstream.stalled = False
                self._pump(now)
            case ev.UpstreamLost(code):
                self._go_on(self._recovery.lost(self.phase, code, now), now)
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
                self._end(Reason.SERVICE_RESTART, now, None if self._parting.began else endings.DRAINING)
            case ev.DrainBegan() if self.phase is Phase.DIALLING:
                self._end(Reason.SERVICE_RESTART, now, endings.DRAINING)
            case ev.Broke() if self.phase is Phase.FINISHING:
                self._close(now)
            case ev.Broke():
                self._end(Reason.INTERNAL, now)
            case ev.TimePassed():
                self._time_passed(now)

    # The client

    def _audio_arrived(self, data: bytes, now: float) -> None:
        if data and self._listening:
            self._client.pulse.heard(now)
            self._waited_at = now
            self._upstream.tape.append(data)
            self._pump(now)

    def _client_spoke(self, text: bytes, now: float) -> None:
        if not self._listening:
            return
        self._client.pulse.heard(now)
        try:
            message = captions.parse(text)
        except captions.BadMessage as error:
            self._bad_message(str(error), now)
            return
        match message:
            case wire.Auth():
                self._bad_message(sentences.AUTH_TWICE, now)
            case wire.Keepalive(answer=True):
                self._client.say(wire.Alive())
            case wire.Finalize() | wire.Stop():
                self._client.stopped = isinstance(message, wire.Stop)
                self._upstream.tape.mark(message)
                if self.phase is Phase.REDIALLING and self._recovery.is_needless:
                    self._end(Reason.CLIENT_STOP, now)
                else:
                    self._pump(now)

    @property
    def _listening(self) -> bool:
        """Whether the client's frames count; those after a `stop` do not."""
        return self.phase in (Phase.DIALLING, *RUNNING) and not self._client.stopped

    def _bad_message(self, what: str, now: float) -> None:
        if not self._client.correct(what):
            self._end(Reason.BAD_MESSAGES, now, endings.TOO_MANY_BAD)

    # The upstream

    def _upstream_opened(self, request_id: str | None, now: float) -> None:
        if self.phase not in (Phase.DIALLING, Phase.REDIALLING) or not self._upstream.wanted:
            return
        self.phase = Phase.LIVE
        self._upstream.opened(request_id, now)
        if not self._parting.began:
            self._begin(now)
        self._pump(now)

    def _begin(self, now: float) -> None:
        self._parting.began = True
        self.meter.last_audio = now
        self._client.pulse.heard(now)
        self._client.welcome(str(self.id))
        self._actions.append(ev.Settle(self._funding.state(now, ready=True)))

    def _upstream_spoke(self, message: deepgram.Message | deepgram.Unknown, now: float) -> None:
        if self.phase not in (Phase.LIVE, Phase.FINISHING):
            return
        self._warnings.listen(now)
        text = self._upstream.spoke(message, now)
        if isinstance(message, deepgram.Results):
            self._warnings.compare(now)
        if self._upstream.redial.is_proven:
            self._recovery.say_connected(now)
        if self.phase is Phase.FINISHING and isinstance(message, deepgram.Results) and self._upstream.owes_words:
            self._parting.await_more(now)
        if text is not None:
            interim = isinstance(message, deepgram.Results) and not message.is_final
            self._client.pass_on(text, optional=interim)
        elif self.phase is Phase.FINISHING and self._upstream.is_answer(message):
            self._close(now)

    def _go_on(self, step: Step, now: float, refusal: endings.ErrorSaid | None = None) -> None:
        """Go on without the upstream."""
        if self.phase is Phase.FINISHING and step is not Step.BOOK:
            self.phase = Phase.REDIALLING  # the end that had begun may become another one
        match step:
            case Step.SEEK:
                self.phase = Phase.REDIALLING
                self._steer(now)
            case Step.FAIL:
                self._end(Reason.UPSTREAM_CLOSED, now)
            case Step.REFUSED:
                self._end(Reason.UPSTREAM_CLOSED, now, refusal)
            case Step.STOP:
                self._end(Reason.CLIENT_STOP, now)
            case Step.BOOK:
                self._close(now)

    # Audio and credit

    def _pump(self, now: float) -> None:
        """Sends up what may go."""
        if self.phase is Phase.LIVE and self._flow.pump(now):
            self._end(Reason.CLIENT_STOP, now)
        else:
            self._steer(now)

    def _steer(self, now: float) -> None:
        self._flow.steer(self.phase, now)

    def _settle_answered(self, answer: Settled, now: float) -> None:
        if self.phase not in RUNNING or not self.meter.asking or answer.number != self._funding.number:
            return
        if answer.gone:
            self._gone(answer, now)
            return
        hopeful = self._funding.answered(answer)
        self._client.say(wire.Usage(answer.seconds_used, answer.seconds_remaining))
        self._client.remaining(answer.seconds_remaining)
        if answer.ending is not None:
            self._end(answer.ending, now, endings.BLOCKED if answer.blocked else None)
        elif hopeful:
            self._pump(now)
        else:
            self._end(Reason.INSUFFICIENT_CREDITS, now)

    def _settle_failed(self, now: float) -> None:
        if self.phase in RUNNING and self.meter.asking:
            self._funding.failed()
            self._pump(now)

    def _give_back(self, now: float) -> None:
        self._actions.append(ev.Settle(self._funding.state(now, give_back=True)))

    # Time

    def _time_passed(self, now: float) -> None:
        match self.phase:
            case Phase.DIALLING if now >= self._dial_until:
                self._end(Reason.UPSTREAM_CLOSED, now, endings.refusal(None, ""))
            case Phase.LIVE | Phase.REDIALLING:
                self._do_duties(now)
            case Phase.FINISHING if now >= self._parting.answer_at:
                self._go_on(self._recovery.unanswered(now), now)
            case Phase.CLOSING if now >= self._parting.commit_at:
                self._parting.pending()

    def _do_duties(self, now: float) -> None:
        phase = self.phase
        for at, act in self._duties():
            if now >= at and self.phase is phase:
                act(now)

    def _duties(self) -> list[Duty]:
        """What a running session has to do by when, should nothing else happen."""
        client, upstream, funding = self._client, self._upstream, self._funding
        client.pulse.heard(self.meter.last_audio)
        heard_at = max(self.meter.last_audio, self._waited_at)
        duties: list[tuple[float | None, Callable[[float], None]]] = [
            (heard_at + self._idle_seconds, lambda now: self._end(Reason.IDLE, now)),
            (client.pulse.deadline, self._check_client),
            (client.too_slow_at, lambda now: self._end(Reason.TOO_SLOW, now)),
        ]
        if self.phase is Phase.LIVE:
            duties += [
                (upstream.keep_alive_at, upstream.keep_alive),
                (upstream.check_at, self._check_upstream),
                (upstream.redial.over_at, self._recovery.say_connected),
                (None if upstream.tape.waits else funding.give_back_at, self._give_back),
                (funding.despair_at, self._despair),
                (self._warnings.check_at, self._warnings.check),
            ]
        else:
            redial = upstream.redial
            duties += [
                (redial.tell_at, self._recovery.say_reconnecting),
                (redial.give_up_at, lambda now: self._go_on(Step.FAIL, now)),
                (redial.dial_at, lambda _: upstream.dial()),
            ]
        duties.append((None if self.meter.asking else funding.settle_at, self._steer))
        return [(at, act) for at, act in duties if at is not None]

    def _check_client(self, now: float) -> None:
        if not self._client.check(now):
            self._end(Reason.CLIENT_GONE, now)

    def _check_upstream(self, now: float) -> None:
        if not self._upstream.check(now):
            self._upstream.hang_up()
            self._go_on(self._recovery.lost(self.phase, None, now), now)

    def _despair(self, now: float) -> None:
        self._end(Reason.DATABASE_AWAY if self._funding.away else Reason.INSUFFICIENT_CREDITS, now)

    # The end

    def _end(self, reason: Reason, now: float, error: endings.ErrorSaid | None = None) -> None:
        """Begins the end. The first reason stays."""
        if self.phase not in (Phase.DIALLING, *RUNNING):
            return
        heard = self.phase is Phase.LIVE and self._upstream.wanted
        self._parting.explain(reason, error)
        self.meter.shut()
        self.phase = Phase.FINISHING
        self._parting.await_answer(now)
        self._steer(now)
        if heard:
            self._upstream.send(deepgram.CLOSE_STREAM, now)
        else:
            self._close(now)

    def _close(self, now: float) -> None:
        """Has the bill booked. The client is dismissed when it is: by then its hold is free."""
        self._upstream.hang_up()
        self.phase = Phase.CLOSING
        self._parting.book(self._funding.number + 1, self.meter, self._upstream.hearing, now)

    def _close_committed(self, answer: Closed) -> None:
        self._parting.booked(answer.seconds_used, answer.reason)
        self._over()

    def _gone(self, answer: Settled, now: float) -> None:
        """The ledger has ended the session already. The close may still book what its hold covered (money 21)."""
        self._parting.explain(answer.ending or Reason.LEASE_EXPIRED)
        self.meter.shut()
        if self.phase is Phase.LIVE:
            self._upstream.send(deepgram.CLOSE_STREAM, now)
        self._close(now)

    def _over(self) -> None:
        self.meter.shut()
        self.phase = Phase.OVER
        self._actions.append(ev.Finish())

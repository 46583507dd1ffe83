"""One caption session from the first dial to the last word: `handle(event, now) -> actions`, no I/O, no clock.

It decides; what it knows of its three sides is kept by audience.py, uplink.py and funding.py. Audio frames go through
`admit`, one integer comparison, and `record`; a frame that is not admitted comes in as AudioArrived."""

from collections.abc import Callable
from typing import Final

from transcription_proxy.metering.meter import Meter
from transcription_proxy.stream import captions, deepgram, endings
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.audience import Audience
from transcription_proxy.stream.flow import Flow
from transcription_proxy.stream.funding import GRANT_SECONDS, Funding
from transcription_proxy.stream.options import Options
from transcription_proxy.stream.parting import Parting
from transcription_proxy.stream.phase import RUNNING, Phase
from transcription_proxy.stream.uplink import Uplink
from transcription_proxy.values import Closed, Opened, Settled
from transcription_wire import messages as wire
from transcription_wire.codes import Reason

METADATA_WITHIN: Final = 5.0
"""After CloseStream, or after the last of the words that still come."""
LAST_WORDS_WITHIN: Final = 30.0
"""However many still come: as long as a replay."""
COMMIT_WITHIN: Final = 10.0
NORMAL_CLOSE: Final = 1000
POLICY_CLOSE: Final = 1008
"""An upstream that closes with this would refuse the same audio again."""
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
        self.admit = self.meter.admit
        self.record = self._upstream.tape.record
        """To be given each frame that was admitted."""
        self._idle_seconds = idle_seconds
        self._waited_at = now
        """When the client's last audio came that had to wait."""
        self._stop_queued = False
        self._phase_since = now
        self._words_until = now
        """While FINISHING: how long the last words and Metadata are awaited."""

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
            case Phase.LIVE | Phase.REDIALLING:
                return min(at for at, _ in self._duties())
            case Phase.FINISHING:
                return self._words_until
            case Phase.CLOSING if not self._client.dismissed:
                return self._phase_since + COMMIT_WITHIN
            case _:
                return None

    def _dispatch(self, event: ev.Event, now: float) -> None:  # noqa: C901, PLR0912 - the one ladder of events
        match event:
            case ev.UpstreamSpoke(text):
                self._upstream_spoke(deepgram.parse(text), now)
            case ev.AudioArrived(data):
                self._audio_arrived(data, now)
            case ev.ClientSpoke(text):
                self._client_spoke(text, now)
            case ev.ClientPonged():
                self._client.pulse.heard(now)
            case ev.ClientOversent():
                self._end(Reason.BAD_MESSAGES, now, endings.TOO_BIG)
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
                self._upstream_refused(status, detail, now)
            case ev.UpstreamPonged():
                self._upstream.ponged(now)
            case ev.UpstreamStalled():
                self._upstream.stalled = True
                self._steer(now)
            case ev.UpstreamRecovered():
                self._upstream.stalled = False
                self._pump(now)
            case ev.UpstreamLost(code):
                self._upstream_lost(code, now)
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
                self._bad_message("this session is authenticated already", now)
            case wire.Finalize() | wire.Stop():
                self._stop_queued = isinstance(message, wire.Stop)
                self._upstream.tape.mark(message)
                if self.phase is Phase.REDIALLING and self._needless:
                    self._end(Reason.CLIENT_STOP, now)
                else:
                    self._pump(now)

    @property
    def _listening(self) -> bool:
        """Whether the client's frames count; those after a `stop` do not."""
        return self.phase in (Phase.DIALLING, *RUNNING) and not self._stop_queued

    def _bad_message(self, what: str, now: float) -> None:
        if not self._client.correct(what):
            self._end(Reason.BAD_MESSAGES, now, endings.TOO_MANY_BAD)

    # The upstream

    def _upstream_opened(self, request_id: str | None, now: float) -> None:
        if self.phase not in (Phase.DIALLING, Phase.REDIALLING) or not self._upstream.wanted:
            return
        self.phase, self._phase_since = Phase.LIVE, now
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
        heard_ms = self._upstream.hearing.results_ms
        text = self._upstream.spoke(message, now)
        if isinstance(message, deepgram.Results):
            self._say_connected()
        if self._upstream.hearing.results_ms > heard_ms:
            self._words_until = min(now + METADATA_WITHIN, self._phase_since + LAST_WORDS_WITHIN)
        if text is not None:
            interim = isinstance(message, deepgram.Results) and not message.is_final
            self._client.pass_on(text, optional=interim)
        elif self.phase is Phase.FINISHING and isinstance(message, deepgram.Metadata):
            self._close(now)

    def _upstream_refused(self, status: int | None, detail: str, now: float) -> None:
        self._upstream.lost()
        if self.phase is Phase.REDIALLING and (status is None or status >= 500):
            self._try_again(now)
        else:
            self._end(Reason.UPSTREAM_CLOSED, now, endings.refusal(status, detail))

    def _upstream_lost(self, code: int | None, now: float) -> None:
        self._upstream.lost()
        final = code == POLICY_CLOSE
        if self.phase in RUNNING and not final:
            self._seek(now)
        elif self.phase is not Phase.FINISHING:
            self._end(Reason.UPSTREAM_CLOSED, now)
        elif self._owes_words and not final and code != NORMAL_CLOSE:
            self._upstream.tape.mark(wire.Stop())
            self._seek(now)
        else:
            self._close(now)

    @property
    def _owes_words(self) -> bool:
        """Whether a client that said `stop` waits for words that another upstream may find."""
        return self.reason is Reason.CLIENT_STOP and not self._client.gone and self._upstream.owes_words

    @property
    def _needless(self) -> bool:
        """Whether another upstream would have nothing to find: the client said `stop`, and all is final."""
        return self._stop_queued and not self._upstream.owes_words

    def _seek(self, now: float) -> None:
        """Another upstream is to hear again what was not final, and to go on from there."""
        hopeful = self.phase is not Phase.FINISHING or self._upstream.again()
        self.phase = Phase.REDIALLING
        self._upstream.tape.rewind()
        self._try_again(now) if hopeful else self._give_up(now)

    def _try_again(self, now: float) -> None:
        if self._needless:
            self._end(Reason.CLIENT_STOP, now)
        elif self._upstream.unreached(now):
            self._steer(now)
        else:
            self._give_up(now)

    def _give_up(self, now: float) -> None:
        self._upstream.hang_up()
        self._end(Reason.UPSTREAM_CLOSED, now)

    def _say_reconnecting(self, now: float) -> None:
        self._upstream.redial.told()
        self._client.say(wire.UpstreamStatus("reconnecting"))

    def _say_connected(self, _now: float = 0.0) -> None:
        if self._upstream.redial.over():
            self._client.say(wire.UpstreamStatus("connected"))

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
        if self.phase in RUNNING:
            self._do_duties(now)
        elif self.phase is Phase.FINISHING and now >= self._words_until:
            self._close(now)
        elif self.phase is Phase.CLOSING and now >= self._phase_since + COMMIT_WITHIN:
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
                (upstream.redial.over_at, self._say_connected),
                (None if upstream.tape.waits else funding.give_back_at, self._give_back),
                (funding.despair_at, self._despair),
            ]
        else:
            redial = upstream.redial
            duties += [
                (redial.tell_at, self._say_reconnecting),
                (redial.give_up_at, self._give_up),
                (redial.dial_at, lambda _: upstream.dial()),
            ]
        duties.append((None if self.meter.asking else funding.settle_at, self._steer))
        return [(at, act) for at, act in duties if at is not None]

    def _check_client(self, now: float) -> None:
        if not self._client.check(now):
            self._end(Reason.CLIENT_GONE, now)

    def _check_upstream(self, now: float) -> None:
        if not self._upstream.check(now):
            self._upstream.hearing.fell_silent = True
            self._upstream.hang_up()
            self._upstream_lost(None, now)

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
        self.phase, self._phase_since = Phase.FINISHING, now
        self._words_until = now + METADATA_WITHIN
        self._steer(now)
        if heard:
            self._upstream.send(deepgram.CLOSE_STREAM, now)
        else:
            self._close(now)

    def _close(self, now: float) -> None:
        """Has the bill booked. The client is dismissed when it is: by then its hold is free."""
        self._upstream.hang_up()
        self.phase, self._phase_since = Phase.CLOSING, now
        self._parting.book(self._funding.number + 1, self.meter, self._upstream.hearing)

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

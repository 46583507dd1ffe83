"""One session of a Deepgram client: `handle(event, now) -> actions`, no I/O, no clock. Frames pass unchanged, in order.

Unlike session.py it has one upstream, which it dials before the client's handshake is answered, and keeps no audio for
another one. Admitted audio goes from socket to socket; every other frame waits in line while audio lacks credit."""

from collections import deque
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Final

from transcription_proxy.stream import captions, deepgram, listen_errors, listen_messages
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.client import SessionClient
from transcription_proxy.stream.credit import SessionCredit
from transcription_proxy.stream.heartbeat import Heartbeat, Verdict
from transcription_proxy.stream.listen_bill import ListenBill
from transcription_proxy.stream.listen_end import CLOSE_SECONDS, COMMIT_SECONDS, NORMAL_CLOSE, ListenEnd
from transcription_proxy.stream.listen_meter import ListenMeter
from transcription_proxy.stream.listen_request import ListenRequest
from transcription_proxy.stream.listen_words import PaidWords
from transcription_proxy.stream.machine import Machine, Timer
from transcription_proxy.stream.phase import Phase
from transcription_proxy.stream.teardown import ANSWER_SECONDS, LAST_WORDS_SECONDS
from transcription_proxy.stream.upstream_progress import UpstreamProgress
from transcription_proxy.values import Opened, Settled
from transcription_wire import messages as wire
from transcription_wire.codes import Reason

DIAL_SECONDS: Final = 7.0
"""Seconds to dial the upstream. Deepgram's clients wait 10 s for the answer to their handshake."""
Frame = ev.ClientSentText | ev.AudioArrived


class PassThrough(Machine):
    """The state machine. After each `handle`, `deadline` is when to call it with TimePassed at the latest."""

    def __init__(self, opened: Opened, request: ListenRequest, idle_seconds: float, now: float) -> None:
        super().__init__()
        self.id = opened.session_id
        self.reason = Reason.INTERNAL
        """Why the session ends. Only meaningful from FINISHING on."""
        self._request = request
        self._client = SessionClient(self._actions, opened.seconds_remaining, now)
        self.credit = SessionCredit(opened, request.audio, request.micro, now)
        self._meter = ListenMeter(request, self.credit, now)
        self._progress = UpstreamProgress(request.channels_billed)
        self._bill = ListenBill(opened, request, self.credit, self._meter, self._progress)
        self._words = PaidWords(self._actions, self._client, self._meter)
        self._interims = captions.Interims()
        self.admit = self._meter.admit
        self._waiting: deque[Frame] = deque()
        """Frames of the client that did not go upstream yet. While there are any, no more are read."""
        self._heartbeat = Heartbeat(now)
        self._is_upstream_stalled = False
        self._has_upstream = True
        """An upstream is open or being dialled."""
        self._became_ready = False
        self._idle_seconds = idle_seconds
        self._client_end = ListenEnd(self._actions, self._client)
        self._upstream_close = NORMAL_CLOSE, b""
        """The code and reason with which the upstream is closed."""
        self._dial_until = now + DIAL_SECONDS
        self._answer_at = self._latest_answer_at = self._commit_at = 0.0

    @property
    def is_ending(self) -> bool:
        """Whether the session's end has begun."""
        return self.phase not in (Phase.DIALLING, Phase.LIVE)

    @property
    def behind_seconds(self) -> float:
        """Seconds of the client's audio for which there are no results yet."""
        return max(0, self._meter.counted_ms - self._progress.results_ms) / 1000

    @property
    def forwarded_bytes(self) -> int:
        """Bytes of the client's audio that went upstream."""
        return self._meter.forwarded_bytes

    def url(self, base: str) -> str:
        """Return the URL to dial. `base`: the upstream's."""
        return base + self._request.target(self.id)

    @property
    def deadline(self) -> float | None:
        """When to handle TimePassed, None for never. Asking changes nothing."""
        match self.phase:
            case Phase.DIALLING:
                return self._dial_until
            case Phase.LIVE:
                return min(at for at, _ in self._timers())
            case Phase.FINISHING:
                return min(self._answer_at, self.credit.settle_at or inf)
            case Phase.CLOSING if not self._client.is_closed:
                return self._commit_at
            case _:
                return None

    def _dispatch(self, event: ev.Event, now: float) -> None:  # noqa: C901, PLR0912 - one ladder
        match event:
            case ev.UpstreamSentText(text):
                self._upstream_spoke(text, now)
            case ev.AudioArrived() | ev.ClientSentText():
                self._client_spoke(event, now)
            case ev.ClientPonged():
                self._client.heartbeat.record_traffic(now)
            case ev.ClientBrokeProtocol():
                self._end(Reason.BAD_MESSAGES, now)
            case ev.ClientStalled():
                self._client.record_stall(now)
            case ev.ClientRecovered():
                self._client.record_stall(None)
            case ev.ClientLost(code, reason):
                self._client_lost(code, reason, now)
            case ev.UpstreamOpened(request_id):
                self._upstream_opened(request_id, now)
            case ev.UpstreamRefused(status, detail, body, request_id):
                self._has_upstream = False
                self._refuse(listen_errors.from_upstream(status, detail, body, request_id), now)
            case ev.UpstreamPonged():
                self._heartbeat.record_traffic(now)
            case ev.UpstreamStalled() | ev.UpstreamRecovered():
                self._is_upstream_stalled = isinstance(event, ev.UpstreamStalled)
                self._send_waiting(now)
            case ev.UpstreamLost(code, reason):
                self._upstream_lost(code, reason, now)
            case ev.SettleAnswered(answer):
                self._settle_answered(answer, now)
            case ev.SettleFailed() if self.phase in (Phase.LIVE, Phase.FINISHING) and self.credit.is_settling:
                self.credit.record_failure()
                self._send_waiting(now)
            case ev.CloseCommitted():
                self._client_end.send(self.reason)
                self.phase = Phase.OVER
                self._actions.append(ev.Finish())
            case ev.RowChanged():
                self.credit.has_row_changed = True
                self._regulate(now)
            case ev.DrainBegan() | ev.DrainEnded() if self.phase is Phase.DIALLING:
                self._refuse(listen_errors.UNAVAILABLE, now)
            case ev.DrainEnded():
                self._end(Reason.SERVICE_RESTART, now)
            case ev.SessionFailed():
                self._fail(now)
            case ev.TimePassed():
                self._time_passed(now)

    # The client

    def _client_spoke(self, frame: Frame, now: float) -> None:
        if self.phase is Phase.LIVE:
            self._client.heartbeat.record_traffic(now)
            self._waiting.append(frame)
            self._send_waiting(now)

    def _send_waiting(self, now: float) -> None:
        """Send the waiting frames upstream, in order, as far as it reads and the grant allows."""
        while self.phase is Phase.LIVE and self._waiting and not self._is_upstream_stalled:
            frame = self._waiting[0]
            if isinstance(frame, ev.ClientSentText):
                self._waiting.popleft()
                self._send_text(frame.text, now)
            elif not self._send_audio(frame.data, now):
                break
        self._regulate(now)

    def _send_audio(self, data: bytes, now: float) -> bool:
        """Send as much of the first waiting frame as may go now, and return whether that was anything."""
        taken = self._meter.take(len(data), now) if data else 0
        if data and not taken:
            return False
        self._waiting.popleft()
        self._actions.append(ev.SendAudio(data[:taken]))
        if taken < len(data):
            self._waiting.appendleft(ev.AudioArrived(data[taken:]))
        elif not data:  # the old form of CloseStream
            self._finish(Reason.CLIENT_STOP, now)
        return True

    def _send_text(self, text: bytes, now: float) -> None:
        control = listen_messages.parse_control(text)
        failure = self._meter.take_configure(control.keyterms, self._progress.request_id)
        if failure is not None:
            self._actions.append(ev.SendClientText(failure))
            return
        self._actions.append(ev.SendUpstream(text))
        if control.type == listen_messages.CLOSE_STREAM:
            self._finish(Reason.CLIENT_STOP, now)

    def _client_lost(self, code: int | None, reason: bytes, now: float) -> None:
        self._client.is_gone = True
        if code is not None:
            self._upstream_close = code, reason
        if self.phase is Phase.DIALLING:
            self.reason = Reason.CLIENT_GONE
            self._book(now)
        else:
            self._end(Reason.CLIENT_GONE, now)

    # The upstream

    def _upstream_opened(self, request_id: str | None, now: float) -> None:
        if self.phase is not Phase.DIALLING:
            return
        self.phase = Phase.LIVE
        self._became_ready = True
        self._progress.begin_connection(request_id, 0, 0, now)
        self._heartbeat = Heartbeat(now)
        self._client.heartbeat.record_traffic(now)
        self.credit.last_audio = now
        self._actions.append(ev.AcceptClient(request_id))
        self._settle(now, ready=True)
        self._regulate(now)

    def _upstream_spoke(self, text: bytes, now: float) -> None:
        if self.phase not in (Phase.LIVE, Phase.FINISHING):
            return
        self._heartbeat.record_traffic(now)
        message = listen_messages.parse(text)
        shown: list[ev.Action] = [ev.SendClientText(text)]
        if isinstance(message, listen_messages.Configured | listen_messages.NotConfigured):
            self._meter.record_configured(message)
            self._words.add(message, shown)
            return
        self._progress.record_message(message, self.credit.forwarded, self._meter.sent_ms, now)
        self._meter.record_heard(max(self._progress.results_ms, self._progress.reported_ms or 0), now)
        caption = self._interims.caption(message, message, self._progress.clock)
        if isinstance(caption, wire.Transcript):
            shown.append(ev.ShowCaption(caption))
        self._words.add(message, shown)
        self._settle_up(now)
        if self.phase is Phase.FINISHING:
            self._finish_on(message, now)
        else:
            self._send_waiting(now)

    def _finish_on(self, message: deepgram.Message | deepgram.Unknown, now: float) -> None:
        """Wait longer after words; stop waiting after the closing Metadata."""
        if isinstance(message, deepgram.Metadata):
            if self._client_end.is_upstreams and not self._client.is_gone:
                self._answer_at = now + CLOSE_SECONDS
            else:
                self._book(now)
        elif isinstance(message, deepgram.Results):
            self._answer_at = min(now + ANSWER_SECONDS, self._latest_answer_at)

    def _upstream_lost(self, code: int | None, reason: bytes, now: float) -> None:
        if self.phase not in (Phase.LIVE, Phase.FINISHING):
            return
        self._has_upstream = False
        if self.phase is Phase.LIVE:
            self.reason = Reason.UPSTREAM_CLOSED
        self._client_end.set_upstream_close(code, reason)
        self._book(now)

    # Credit and time

    def _regulate(self, now: float) -> None:
        """Pause or resume the client, let frames pass or not, and settle if it is time."""
        if self.phase is not Phase.LIVE:
            self._client.set_paused(False)  # input is ignored, but a disconnect must be noticed
            return
        has_waiting = bool(self._waiting)
        self._client.set_paused(has_waiting or self._is_upstream_stalled)
        self.credit.set_open(not self._client.is_paused)
        self.credit.record_need((has_waiting and not self._is_upstream_stalled) or self._meter.is_short, now)
        if self.credit.needs_settle(now):
            self._settle(now)

    def _settle(self, now: float, *, ready: bool = False, release_hold: bool = False) -> None:
        self._actions.append(ev.Settle(self.credit.begin_settle(now, ready=ready, release_hold=release_hold)))

    def _settle_answered(self, answer: Settled, now: float) -> None:
        if not self.credit.is_settling or answer.number != self.credit.number:
            return
        if self.phase is Phase.FINISHING:
            self._bill.record_answer(answer, now)
            (self._settle_up if self._bill.wait_until is None else self._book)(now)
        if self.phase is not Phase.LIVE:
            return
        if answer.gone:
            self._end(answer.ending or Reason.LEASE_EXPIRED, now)
            self._book(now)
            return
        has_hope = self.credit.record_answer(answer)
        self._meter.record_grant(now)
        self._words.release()
        if answer.ending is not None:
            self._end(answer.ending, now)
        elif has_hope:
            self._send_waiting(now)
        else:
            self._end(Reason.INSUFFICIENT_CREDITS, now)

    def _time_passed(self, now: float) -> None:
        match self.phase:
            case Phase.DIALLING if now >= self._dial_until:
                self._refuse(listen_errors.NO_ENGINE, now)
            case Phase.LIVE:
                self._run_due_timers(now)
            case Phase.FINISHING if now >= self._answer_at:
                self._book(now)
            case Phase.FINISHING if now >= (self.credit.settle_at or inf):
                self._settle(now)  # which renews the lease
            case Phase.CLOSING if now >= self._commit_at:
                self._client_end.send(self.reason)

    def _timers(self) -> list[Timer]:
        credit, away = self.credit, Reason.DATABASE_AWAY
        timers: list[tuple[float | None, Callable[[float], None]]] = [
            (credit.last_audio + self._idle_seconds, partial(self._end, Reason.IDLE)),
            (self._client.heartbeat.deadline_given(credit.last_audio), self._check_client),
            (self._client.too_slow_at, partial(self._end, Reason.TOO_SLOW)),
            (self._heartbeat.deadline, self._check_upstream),
            (self._progress.check_at, self._check_progress),
            (None if self._waiting else credit.release_hold_at, partial(self._settle, release_hold=True)),
            (credit.give_up_at, partial(self._end, away if credit.is_database_away else Reason.INSUFFICIENT_CREDITS)),
            (credit.settle_at, self._regulate),
        ]
        return [(at, act) for at, act in timers if at is not None]

    def _check_client(self, now: float) -> None:
        if not self._client.check_heartbeat(self.credit.last_audio, now):
            self._end(Reason.CLIENT_GONE, now)

    def _check_upstream(self, now: float) -> None:
        match self._heartbeat.check(now):
            case Verdict.PING:
                self._actions.append(ev.PingUpstream())
            case Verdict.DEAD:
                self._fail(now, Reason.UPSTREAM_CLOSED)

    def _check_progress(self, now: float) -> None:
        """End a session whose upstream takes audio and sends nothing (money 7)."""
        if self._progress.check_stalled(self.credit.forwarded, self._request.audio.bytes_per_second, now):
            self._fail(now, Reason.UPSTREAM_CLOSED)

    def _refuse(self, error: listen_errors.ListenError, now: float) -> None:
        """Refuse the client's handshake, once the hold is free."""
        if self.phase is Phase.DIALLING:
            self.reason = Reason.UPSTREAM_CLOSED
            self._client_end.set_refusal(error)
            self._book(now)

    def _end(self, reason: Reason, now: float) -> None:
        """End a live session by our own choice: the upstream sends its last words, then the client is closed."""
        if self.phase is Phase.LIVE:
            self._client_end.set_reason(reason)
            self._actions.append(ev.SendUpstream(deepgram.CLOSE_STREAM))
            self._finish(reason, now)
        elif self.phase is Phase.FINISHING:
            self._latest_answer_at = min(self._latest_answer_at, now + LAST_WORDS_SECONDS)

    def _finish(self, reason: Reason, now: float) -> None:
        """Begin to wait for the last words: CloseStream was sent."""
        self.reason = reason
        self.phase = Phase.FINISHING
        self.credit.set_open(False)
        self._waiting.clear()
        self._answer_at = now + ANSWER_SECONDS
        self._latest_answer_at = inf if reason is Reason.CLIENT_STOP else now + LAST_WORDS_SECONDS
        self._regulate(now)

    def _fail(self, now: float, reason: Reason = Reason.INTERNAL) -> None:
        """End a session that cannot wait for last words."""
        if self.phase is Phase.DIALLING:
            self._refuse(listen_errors.FAILED, now)
        elif self.phase in (Phase.LIVE, Phase.FINISHING):
            self.reason = reason
            self._client_end.set_reason(reason)
            self._book(now)

    def _book(self, now: float) -> None:
        """Have the ledger book the bill. The client gets its answer or close after that, when its hold is free."""
        self.credit.set_open(False)
        self._waiting.clear()
        if self._bill.must_wait(now):
            self.phase = Phase.FINISHING
            self._answer_at = self._bill.wait_until or now
            self._settle_up(now)
            self._regulate(now)
            return
        self._words.drop()
        if self._has_upstream:
            self._has_upstream = False
            self._actions.append(ev.CloseUpstream(*self._upstream_close))
        self.phase = Phase.CLOSING
        self._regulate(now)
        self._commit_at = now + COMMIT_SECONDS
        self._actions.append(ev.Close(self._bill.closing(self.reason, self._became_ready, now)))

    def _settle_up(self, now: float) -> None:
        """After the last audio, relay the words that are paid, and ask for credit for the others."""
        self._words.release()
        if self._bill.is_refused:
            self._words.drop()
        elif self.phase is Phase.FINISHING and (settlement := self._bill.begin_settle(now)) is not None:
            self._actions.append(ev.Settle(settlement))

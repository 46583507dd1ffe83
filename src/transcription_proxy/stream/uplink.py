"""The upstream of one session, one connection after another: what it is sent, what it answers, and what a new one gets
again."""

from typing import Final

from transcription_proxy.metering.audio import AudioFormat
from transcription_proxy.stream import captions, deepgram
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.audio_buffer import AudioBuffer
from transcription_proxy.stream.credit import SessionCredit
from transcription_proxy.stream.heartbeat import Heartbeat, Verdict
from transcription_proxy.stream.redial import Redial
from transcription_proxy.stream.upstream_progress import UpstreamProgress
from transcription_wire import messages as wire

REPLAY_MS: Final = 30_000
"""Milliseconds of audio kept for another upstream."""
SHORTEST_WORD_MS: Final = 100
"""Less audio than this has no words: finals rarely end with the very last sample."""
PIECE_BYTES: Final = 64 * 1024
"""Largest frame of buffered audio."""
KEEP_ALIVE_SECONDS: Final = 4.0
"""Seconds without audio or text after which a KeepAlive is sent."""
SILENCE_MS: Final = 100
"""Milliseconds of the service's own silence, sent once to a connection that got no audio for KEEP_ALIVE_SECONDS
(money 4)."""


class Uplink:
    """Appends upstream actions to the session's list. The credit decides what may be sent the first time."""

    def __init__(
        self, actions: list[ev.Action], audio: AudioFormat, channels: int, credit: SessionCredit, seed: int
    ) -> None:
        """`channels`: the number of channels that get Results of their own. `seed`: for the jitter of redials."""
        self._actions = actions
        self._audio = audio
        self._credit = credit
        self._replay_bytes = audio.bytes_in(REPLAY_MS)
        self._text_sent_at = 0.0
        self._heartbeat = Heartbeat(0.0)
        self.buffer = AudioBuffer(audio.block)
        self.progress = UpstreamProgress(channels)
        self._interims = captions.Interims()
        self.redial = Redial(seed)
        self.is_stalled = False
        """The upstream does not read: what we send piles up."""
        self.is_active = True
        """An upstream is open or being dialled."""

    def dial(self) -> None:
        """Dial another upstream."""
        self.redial.record_dial()
        self.is_active = True
        self._actions.append(ev.Dial())

    def begin_connection(self, request_id: str | None, now: float) -> None:
        """Start using the connection that opened. It gets the buffered audio from its position on."""
        self.is_stalled = False
        self._text_sent_at = now
        self._heartbeat = Heartbeat(now)
        position = self.buffer.position
        self.progress.begin_connection(request_id, position, self._audio.milliseconds(position), now)
        self.redial.record_open(self._audio.milliseconds(self._credit.forwarded), now)

    def plan_redial(self, now: float) -> bool:
        """Plan another try after a loss or a failed dial. Return False if the retry budget is used up."""
        return self.redial.plan_try(now, self._audio.milliseconds(self.buffer.end))

    def may_retry_last_words(self) -> bool:
        """Record a loss after CloseStream. Return whether another upstream may find the last words."""
        return self.redial.may_retry_last_words(self.progress.final_ms)

    def record_loss(self, now: float) -> None:
        """Record that there is no upstream any more."""
        self.is_active = self.is_stalled = False
        self.progress.end_connection(self._audio.milliseconds(self.buffer.position), now)

    def close(self, now: float) -> None:
        """Close the upstream, or give up dialling it."""
        if self.is_active:
            self.record_loss(now)
            self._actions.append(ev.CloseUpstream())

    def send_text(self, text: bytes, now: float) -> None:
        """Send a text frame."""
        self._text_sent_at = now
        self._actions.append(ev.SendUpstream(text))

    def send_pending(self, now: float) -> bool:
        """Send the buffered audio and requests, in order, as far as the upstream reads and the grant allows.

        Return whether `stop` is reached."""
        while not self.is_stalled:
            match self.buffer.pop_request():
                case wire.Finalize():
                    self.send_text(deepgram.FINALIZE, now)
                case wire.Stop():
                    return True
                case _:
                    if not self.forward(now):
                        break
        return False

    def forward(self, now: float) -> bool:
        """Send a piece of the buffered audio. Return whether one could be sent. Audio of a replay costs nothing."""
        replayed = self._credit.forwarded - self.buffer.position
        piece = self.buffer.sendable_bytes(min(replayed, PIECE_BYTES) if replayed > 0 else PIECE_BYTES)
        taken = piece if replayed > 0 else self._credit.take(piece, now)
        if taken:
            self._actions.append(ev.SendAudio(self.buffer.take(taken)))
        return taken > 0

    def send_keep_alive(self, now: float) -> None:
        """Send a KeepAlive. A connection that got no audio yet needs some as well (deepgram 1.4)."""
        if self.progress.is_untouched(self.buffer.position):
            self.progress.silence_ms = SILENCE_MS
            self._actions.append(ev.SendAudio(self._audio.silence(SILENCE_MS)))
        self.send_text(deepgram.KEEP_ALIVE, now)

    @property
    def keep_alive_at(self) -> float:
        """When to send the next KeepAlive."""
        return max(self._credit.last_audio, self._text_sent_at) + KEEP_ALIVE_SECONDS

    def receive(self, message: deepgram.Message | deepgram.Unknown, now: float) -> captions.Caption | None:
        """Record a message. Return the message for the client, None for nothing new."""
        self._heartbeat.record_traffic(now)
        progress, buffer = self.progress, self.buffer
        position = buffer.position
        new = progress.select_new(message)
        progress.record_message(message, position, self._audio.milliseconds(position), now)
        if isinstance(message, deepgram.Results):
            self.redial.record_results(progress.results_ms)
            buffer.discard_before(self._audio.bytes_in(progress.final_ms))
            self.trim()
        return self._interims.caption(message, new, progress.clock)

    def trim(self) -> None:
        """Keep no more than REPLAY_MS of the audio that was sent."""
        self.buffer.trim(self._replay_bytes)

    @property
    def owes_words(self) -> bool:
        """Whether some audio is not final, or was not sent yet."""
        return len(self.buffer) >= self._audio.bytes_in(SHORTEST_WORD_MS)

    @property
    def behind_ms(self) -> int:
        """Milliseconds of the client's audio for which there are no Results yet."""
        return max(0, self._audio.milliseconds(self.buffer.end) - self.progress.results_ms)

    def is_answer(self, message: deepgram.Message | deepgram.Unknown) -> bool:
        """Return whether a message received after CloseStream answers it. Metadata of no audio at all, while words are
        owed, belongs to a close that the upstream had begun by itself (NET-0001)."""
        return isinstance(message, deepgram.Metadata) and (bool(self.progress.reported_ms) or not self.owes_words)

    def is_full(self, limit_ms: int) -> bool:
        """Return whether no more requests, or no more than `limit_ms` of audio, can be buffered."""
        return self.buffer.has_too_many_requests or len(self.buffer) >= self._audio.bytes_in(limit_ms)

    def record_pong(self, now: float) -> None:
        """Record a sign of life that is no message."""
        self._heartbeat.record_traffic(now)

    @property
    def check_at(self) -> float:
        """When to call `check_connection` next."""
        return min(self._heartbeat.deadline, self.progress.check_at)

    def check_connection(self, now: float) -> bool:
        """Ping a quiet upstream. Return False for one that is dead, or takes audio and sends nothing."""
        position, per_second = self.buffer.position, self._audio.bytes_per_second
        if now >= self.progress.check_at and self.progress.check_stalled(position, per_second, now):
            return False
        verdict = self._heartbeat.check(now)
        if verdict is Verdict.PING:
            self._actions.append(ev.PingUpstream())
        return verdict is not Verdict.DEAD

"""The upstream of one session, one connection after another: what goes up, what was heard, what is heard again."""

from typing import Final

from transcription_proxy.metering.audio import AudioFormat
from transcription_proxy.metering.meter import Meter
from transcription_proxy.stream import captions, deepgram
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.hearing import Hearing
from transcription_proxy.stream.heartbeat import Heartbeat, Verdict
from transcription_proxy.stream.redial import Redial
from transcription_proxy.stream.tape import Tape

REPLAY_MS: Final = 30_000
"""Audio kept for another upstream."""
SHORTEST_WORD_MS: Final = 100
"""No words come of less audio: finals rarely end with the very last sample."""
PIECE: Final = 64 * 1024
"""Bytes that go up in one frame, of audio that waited."""
KEEP_ALIVE_AFTER: Final = 4.0
SILENCE_MS: Final = 100
"""Our own silence, sent once where no first audio comes for KEEP_ALIVE_AFTER (money 4)."""


class Uplink:
    """Adds what is to be done about the upstream to `actions`. What goes up the first time is the meter's to allow."""

    def __init__(self, actions: list[ev.Action], audio: AudioFormat, channels: int, meter: Meter, seed: int) -> None:
        """`channels`: those that have Results of their own; `seed` spreads redials."""
        self._actions = actions
        self._audio = audio
        self._meter = meter
        self._replay_bytes = audio.bytes_in(REPLAY_MS)
        self._text_sent_at = 0.0
        self._pulse = Heartbeat(0.0)
        self.tape = Tape(audio.block)
        self.hearing = Hearing(channels)
        self._interims = captions.Interims()
        self.redial = Redial(seed)
        self.stalled = False
        """It does not read."""
        self.wanted = True
        """It is open, or being dialled."""

    def dial(self) -> None:
        """Another one is sought."""
        self.redial.dialled()
        self.wanted = True
        self._actions.append(ev.Dial())

    def opened(self, request_id: str | None, now: float) -> None:
        """It is up, and hears what is on the tape from its position on."""
        self.stalled = False
        self._text_sent_at = now
        self._pulse = Heartbeat(now)
        position = self.tape.position
        self.hearing.opened(request_id, position, self._audio.milliseconds(position), now)
        self.redial.opened(self._audio.milliseconds(self._meter.forwarded), now)

    def unreached(self, now: float) -> bool:
        """It was lost, or could not be opened. Plans another try; False: enough was tried."""
        return self.redial.lost(now, self._audio.milliseconds(self.tape.end))

    def again(self) -> bool:
        """It was lost after CloseStream. Whether another one may find the last words."""
        return self.redial.again(self.hearing.final_ms)

    def lost(self) -> None:
        self.wanted = self.stalled = False

    def hang_up(self) -> None:
        if self.wanted:
            self.lost()
            self._actions.append(ev.HangUp())

    def send(self, text: bytes, now: float) -> None:
        self._text_sent_at = now
        self._actions.append(ev.SendUpstream(text))

    def forward(self, now: float) -> bool:
        """Sends a piece of what waits; whether there was one that may go. What went up before costs nothing."""
        again = self._meter.forwarded - self.tape.position
        piece = self.tape.piece(min(again, PIECE) if again > 0 else PIECE)
        taken = piece if again > 0 else self._meter.take(piece, now)
        if taken:
            self._actions.append(ev.SendAudio(self.tape.take(taken)))
        return taken > 0

    def keep_alive(self, now: float) -> None:
        """KeepAlive alone does not keep it when it never heard any audio (deepgram 1.4)."""
        if self.hearing.untouched(self.tape.position):
            self.hearing.silence_ms = SILENCE_MS
            self._actions.append(ev.SendAudio(self._audio.silence(SILENCE_MS)))
        self.send(deepgram.KEEP_ALIVE, now)

    @property
    def keep_alive_at(self) -> float:
        return max(self._meter.last_audio, self._text_sent_at) + KEEP_ALIVE_AFTER

    def spoke(self, message: deepgram.Message | deepgram.Unknown, now: float) -> bytes | None:
        """Takes in a message; what the client is to be told of it. What it knows already is not told again."""
        self._pulse.heard(now)
        hearing, tape = self.hearing, self.tape
        position = tape.position
        news = hearing.news(message)
        hearing.said(message, position, self._audio.milliseconds(position), now)
        if isinstance(message, deepgram.Results):
            self.redial.results(hearing.results_ms)
            tape.forget(self._audio.bytes_in(hearing.final_ms))
            self.bound()
        return self._interims.caption(message, news, hearing.clock)

    def bound(self) -> None:
        """Keeps no more than REPLAY_MS of what went up."""
        self.tape.bound(self._replay_bytes)

    @property
    def owes_words(self) -> bool:
        """Whether there is audio that is not final, or has not gone up."""
        return len(self.tape) >= self._audio.bytes_in(SHORTEST_WORD_MS)

    @property
    def behind_ms(self) -> int:
        """How far the Results are behind the client's audio, in milliseconds of audio."""
        return max(0, self._audio.milliseconds(self.tape.end) - self.hearing.results_ms)

    def is_answer(self, message: deepgram.Message | deepgram.Unknown) -> bool:
        """Whether a message taken in after CloseStream answers it. Metadata of no audio at all, while words are owed,
        belongs to a close that was on its way (NET-0001)."""
        return isinstance(message, deepgram.Metadata) and (bool(self.hearing.reported_ms) or not self.owes_words)

    @property
    def overfull(self) -> bool:
        """Whether, without an upstream, no more audio can be kept."""
        return self.tape.crowded or len(self.tape) >= self._replay_bytes

    def ponged(self, now: float) -> None:
        self._pulse.heard(now)

    @property
    def check_at(self) -> float:
        return min(self._pulse.deadline, self.hearing.look_at)

    def check(self, now: float) -> bool:
        """Pings it when it is quiet. False: it is dead, or hears and says nothing."""
        if now >= self.hearing.look_at and self.hearing.stalled(self.tape.position, self._audio.bytes_per_second, now):
            return False
        verdict = self._pulse.check(now)
        if verdict is Verdict.PING:
            self._actions.append(ev.PingUpstream())
        return verdict is not Verdict.DEAD

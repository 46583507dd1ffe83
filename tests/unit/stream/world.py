"""A simulation around one session, with its own count of what was sent, what was granted, and what that costs.

Whatever the session does is held against them at once. Nothing here asks the session what is right; only where a
connection is to begin is taken from its buffer, and then proven by the bytes themselves."""

import json
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from random import Random
from typing import Any, Final
from uuid import UUID

from transcription_proxy.metering import rates
from transcription_proxy.stream import events as ev
from transcription_proxy.stream import options
from transcription_proxy.stream.phase import Phase
from transcription_proxy.stream.session import Session
from transcription_proxy.values import Closed, Closing, Opened, Settled, Settlement
from transcription_wire.messages import encode

ID: Final = UUID("5e55105e-0000-4000-8000-0000000000f1")
USER: Final = UUID(int=3)
RATES: Final = rates.load()
MIB: Final = 1 << 20
NOISE: Final = Random(7).randbytes(24 * MIB)
CAP: Final = 45


@dataclass
class Connection:
    """One upstream connection. `start` is where in the client's audio it begins."""

    start: int
    heard: int = 0
    silence: int = 0
    finishing: bool = False
    """CloseStream was sent."""
    said_ms: int = 0
    """End of the finals, on the clock of the connection."""


class Ledger:
    """What the database holds of the session. `elsewhere`: credits in the holds of the user's other sessions."""

    def __init__(self, grant: int, remaining: int) -> None:
        self.grant = grant
        self.remaining = max(remaining, grant)
        self.elsewhere = 0
        self.number = 0
        self.used = 0

    def book(self, settlement: Settlement) -> None:
        assert settlement.number > self.number
        assert self.used <= settlement.total <= self.grant, "billed beyond its grant"
        self.number, self.used = settlement.number, settlement.total
        if settlement.keep is not None:
            assert settlement.total <= settlement.keep
            self.grant = min(self.grant, settlement.keep)
        elif settlement.extend:
            available = self.remaining - self.used - self.elsewhere
            self.grant = max(self.grant, self.used + max(0, min(CAP, ceil(Fraction(available, 4)))))

    def answer(self, **news: Any) -> Settled:
        left = self.remaining - self.used
        return Settled(ID, self.number, self.grant, self.used, left, self.elsewhere, **news)


class World:
    """Client, upstream, ledger and clock. `prompt`: the ledger answers at once; `eager`: so does a dialled upstream."""

    def __init__(self, config: dict[str, Any], grant: int, remaining: int, idle: float, honest: bool) -> None:
        self.now = 1000.0
        chosen = options.read(config, RATES)
        self.audio = chosen.audio
        self.rate = Fraction(chosen.micro, 1_000_000)
        self.session = Session(Opened(ID, USER, grant, remaining), chosen, idle, self.now)
        self.ledger = Ledger(grant, remaining)
        self.prompt = self.eager = True
        self.client_pongs = self.upstream_pongs = True
        # the client
        self.came = 0
        """Bytes of NOISE that the client sent while its frames count."""
        self.in_flight = 0
        """Bytes that came while reading was paused."""
        self.present = True
        self.closed = False
        self.paused = False
        self.stopped = False
        self.told: list[dict[str, Any]] = []
        # the upstream
        self.dialling = True
        self.connection: Connection | None = None
        self.connections = 0
        self.forwarded = 0
        """Bytes of the client sent upstream, each counted once."""
        self.finals_ms = [0] * chosen.channels_billed
        self.results_ms = 0
        self.words = False
        self.reported_ms: int | None = None
        self.silence_ms = 0
        self.honest = honest
        self.final_until = 0.0
        """Session time up to which the client was sent finals of an honest upstream."""
        self.cut = False
        """More audio than a replay holds was lost since then."""
        # the ledger, as the session knows it
        self.known_grant = grant
        self.expires = self.now + 45
        self.sent_at = self.now
        self.pending: Settlement | None = None
        self.closing: Closing | None = None
        self.over = False
        assert self.session.start() == [ev.Dial()]

    # Events

    def tell(self, *events: ev.Event) -> None:
        """Handle events and the answers to their actions, then TimePassed if it is due."""
        self._tell(*events)
        self._ring()

    def _tell(self, *events: ev.Event) -> None:
        waiting = deque(events)
        while waiting:
            self._handle(waiting.popleft(), waiting)

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while (at := self.session.deadline) is not None and at <= until:
            self.now = max(self.now, at)
            self._ring()
        self.now = until

    def _ring(self) -> None:
        """Handle TimePassed while it is due, twice at most: the first may make something else due."""
        for _ in range(2):
            if self._due():
                self._tell(ev.TimePassed())
        assert not self._due(), "a busy loop"

    def _due(self) -> bool:
        at = self.session.deadline
        return at is not None and at <= self.now

    def _handle(self, event: ev.Event, waiting: deque[ev.Event]) -> None:
        self._perform_all(self.session.handle(event, self.now), waiting)
        self._check()

    def _perform_all(self, actions: list[ev.Action], waiting: deque[ev.Event]) -> None:
        for action in actions:
            assert not self.over, "something after the end"
            self._perform(action, waiting)

    def _perform(self, action: ev.Action, waiting: deque[ev.Event]) -> None:  # noqa: C901 - one ladder
        match action:
            case ev.SendClient(message):
                self._client_hears(json.loads(encode(message)))
            case ev.CloseClient():
                assert self.present and not self.closed
                self.closed = True
            case ev.PingClient():
                assert self.present and not self.closed
                if self.client_pongs:
                    waiting.append(ev.ClientPonged())
            case ev.PauseClient():
                assert not self.paused
                self.paused, self.in_flight = True, 0
            case ev.ResumeClient():
                assert self.paused
                self.paused = False
            case ev.Dial():
                assert self.connection is None and not self.dialling and self.closing is None
                self.dialling = True
                if self.eager:
                    waiting.append(self.opening())
            case ev.SendAudio(data):
                self.goes_up(data)
            case ev.SendUpstream(text):
                connection = self._open_connection()
                connection.finishing = json.loads(text)["type"] == "CloseStream"
            case ev.PingUpstream():
                assert self.connection is not None
                if self.upstream_pongs:
                    waiting.append(ev.UpstreamPonged())
            case ev.CloseUpstream():
                self._hung_up()
            case ev.Settle(settlement):
                self._stated(settlement)
                if self.prompt:
                    waiting.append(self.settled())
            case ev.Close(closing):
                self._closes(closing)
            case ev.Finish():
                self.over = True

    # The client

    def frame(self, most: int) -> None:
        data = NOISE[self.came : self.came + most]
        nbytes = len(data)
        if self.paused:
            self.in_flight += nbytes
        if not self.stopped and self.session.phase in (Phase.DIALLING, Phase.LIVE, Phase.REDIALLING):
            self.came += nbytes
        if nbytes and self.session.admit(nbytes, self.now):
            self.session.record(data)
            self.goes_up(data)
            self._check()
        else:
            self.tell(ev.AudioArrived(data))

    def says_to_us(self, kind: str) -> None:
        """Send a text frame of the client."""
        text = json.dumps({"type": kind}).encode()
        if kind == "stop" and self.session.phase in (Phase.DIALLING, Phase.LIVE, Phase.REDIALLING):
            self.stopped = True
        self.tell(ev.ClientSentText(text))

    def _client_hears(self, message: dict[str, Any]) -> None:
        assert self.present and not self.closed
        kinds = [said["type"] for said in self.told]
        assert "session_end" not in kinds, "session_end was not the last message"
        kind = message["type"]
        if kind != "error":
            assert ("ready" in kinds) is (kind != "ready")
        if kind == "transcript" and message["is_final"] and self.honest:
            self._final_told(message["start"], message["start"] + message["duration"])
        self.told.append(message)

    def _final_told(self, start: float, end: float) -> None:
        """Check that the finals of an honest upstream have no gap and no repetition."""
        assert start >= self.final_until - 0.01, "told twice"
        assert start <= self.final_until + 0.01 or self.cut, "a gap"
        self.final_until, self.cut = end, False

    @property
    def ready(self) -> bool:
        return self.connections > 0

    # The upstream

    def opening(self) -> ev.UpstreamOpened:
        """Open the dialled upstream."""
        self.dialling = False
        start = self.session._upstream.buffer.position
        final = min(self.finals_ms)
        ring = self.forwarded - self.audio.bytes_in(30_000)
        assert start <= self.forwarded, "a gap"
        assert start <= max(self.bytes_of(final), ring), "what was not final is not heard again"
        assert start % self.audio.block == 0
        self.cut = self.cut or start > self.bytes_of(final) + self.audio.block
        self.connection = Connection(start)
        self.connections += 1
        self.reported_ms, self.silence_ms = None, 0
        return ev.UpstreamOpened(f"request-{self.connections}")

    def _open_connection(self) -> Connection:
        assert self.connection is not None, "sent to nobody"
        assert not self.connection.finishing, "sent after CloseStream"
        return self.connection

    def goes_up(self, data: bytes) -> None:
        connection = self._open_connection()
        begin = connection.start + connection.heard
        if connection.heard == connection.silence == 0 and data == self.audio.silence(100):
            connection.silence = len(data)
            self.silence_ms = 100
            return
        assert data == NOISE[begin : begin + len(data)], "out of order"
        assert begin + len(data) <= self.came
        connection.heard += len(data)
        if begin + len(data) > self.forwarded:
            self.forwarded = begin + len(data)
            assert self.credits(self.seconds) <= self.known_grant, "not covered"
            assert self.now < self.expires, "later than the grant"

    def _hung_up(self) -> None:
        assert self.dialling or self.connection is not None
        self.connection = None
        self.dialling = False

    def says(self, start_ms: int, duration_ms: int, *, final: bool, text: str, channel: int = 0) -> None:
        """Send Results of the upstream, with times on the clock of the connection."""
        connection = self.connection
        assert connection is not None
        sent = self.ms(connection.start + connection.heard)
        end = min(start_ms + duration_ms + self.shift_ms, sent)
        self.reported_ms = None
        self.words = self.words or text != ""
        self.results_ms = max(self.results_ms, end)
        if final:
            self.finals_ms[channel] = max(self.finals_ms[channel], end)
        message = {
            "type": "Results",
            "start": start_ms / 1000,
            "duration": duration_ms / 1000,
            "is_final": final,
            "channel_index": [channel, len(self.finals_ms)],
            "channel": {"alternatives": [{"transcript": text, "confidence": 0.9}]},
        }
        self.tell(ev.UpstreamSentText(json.dumps(message).encode()))

    def reports(self, milliseconds: int) -> None:
        """Send Metadata of the upstream."""
        self.reported_ms = milliseconds
        self.tell(ev.UpstreamSentText(json.dumps({"type": "Metadata", "duration": milliseconds / 1000}).encode()))

    @property
    def shift_ms(self) -> int:
        """Milliseconds to add to the connection's times to get session time."""
        assert self.connection is not None
        return self.ms(self.connection.start) - self.ms(self.connection.silence)

    @property
    def clock_ms(self) -> int:
        """Milliseconds of audio that the connection got."""
        assert self.connection is not None
        return floor(Fraction((self.connection.heard + self.connection.silence) * 1000, self.audio.bytes_per_second))

    # The ledger

    def _stated(self, settlement: Settlement) -> None:
        assert self.pending is None, "two settles under way"
        assert self.closing is None and self.ready
        assert settlement.total == self.credits(self.seconds)
        if settlement.keep is not None:
            self.known_grant = min(self.known_grant, settlement.keep)
        self.pending, self.sent_at = settlement, self.now

    def settled(self, **news: Any) -> ev.Event:
        """Book the settle under way in the ledger; return its answer."""
        assert self.pending is not None
        if not news.get("gone"):
            self.ledger.book(self.pending)
        answer = self.ledger.answer(**news)
        self.known_grant, self.expires = self.ledger.grant, self.sent_at + 45
        self.pending = None
        return ev.SettleAnswered(answer)

    def unsettled(self, *, booked: bool) -> ev.Event:
        """Fail the settle under way, which may have been booked all the same."""
        assert self.pending is not None
        if booked:
            self.ledger.book(self.pending)
        self.pending = None
        return ev.SettleFailed()

    def _closes(self, closing: Closing) -> None:
        assert self.closing is None, "closed twice"
        self.closing, self.pending = closing, None
        assert closing.number > self.ledger.number
        assert closing.ready is self.ready
        assert closing.total == self.bill()
        assert closing.total <= self.ledger.grant
        assert self.connection is None and not self.dialling

    def commits(self) -> ev.Event:
        assert self.closing is not None
        closing = self.closing
        left = self.ledger.remaining - closing.total
        return ev.CloseCommitted(Closed(ID, closing.total, closing.reason, left))

    def bill(self) -> int:
        """Return the total by money 2-5 and 7, by exact arithmetic."""
        seconds = self.seconds
        reported = self.reported_ms if self.connections == 1 else None
        if reported is not None and not (reported == 0 and self.words):
            seconds = min(seconds, max(Fraction(0), Fraction(reported - self.silence_ms, 1000)))
        if self.results_ms or not self.words:
            seconds = min(seconds, Fraction(self.results_ms, 1000) + 5)
        return self.credits(seconds)

    # Reckoning

    @property
    def seconds(self) -> Fraction:
        return Fraction(self.forwarded, self.audio.bytes_per_second)

    def credits(self, seconds: Fraction) -> int:
        return ceil(self.rate * seconds)

    def ms(self, nbytes: int) -> int:
        return floor(Fraction(nbytes * 1000, self.audio.bytes_per_second) + Fraction(1, 2))

    def bytes_of(self, milliseconds: int) -> int:
        return milliseconds * self.audio.bytes_per_second // 1000

    def _check(self) -> None:
        """Check what must hold at every moment."""
        kept = len(self.session._upstream.buffer)
        assert kept < self.audio.bytes_in(40_000) + MIB

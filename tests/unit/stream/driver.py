"""Drives a session in a test: the test is its client, upstream and ledger, and sets the clock."""

import json
from collections.abc import Callable
from random import Random
from typing import Any, Final, TypeVar
from uuid import UUID

from transcription_proxy.metering import rates
from transcription_proxy.stream import events as ev
from transcription_proxy.stream import options
from transcription_proxy.stream.phase import Phase
from transcription_proxy.stream.session import Session
from transcription_proxy.values import Closed, Opened, Settled, Settlement
from transcription_wire import messages as wire

ID: Final = UUID("5e55105e-0000-4000-8000-000000000001")
USER: Final = UUID(int=3)
RATES: Final = rates.load()
SECOND: Final = 32_000
"""Bytes of a second of the default audio."""
CLOSE_STREAM: Final = b'{"type":"CloseStream"}'
A = TypeVar("A")


class SessionDriver:
    """A session with a clock. `ledger` answers settles; the default grants 45 s beyond every total, at once."""

    def __init__(
        self, *, grant: int = 45, remaining: int = 1000, idle: float = 900, config: dict[str, Any] | None = None
    ) -> None:
        self.now = 1000.0
        self.remaining = remaining
        self.session = Session(Opened(ID, USER, grant, remaining), options.read(config, RATES), idle, self.now)
        self.ledger: Callable[[Settlement], ev.Event | None] = self.generous
        self.pongs = True
        self.actions: list[ev.Action] = self.session.start()
        self.sent = bytearray()
        """Audio sent upstream, the service's own silence included."""
        self.upstream_audio = bytearray()
        """The part of it that the current upstream got."""

    # Input

    def handle(self, *events: ev.Event) -> list[ev.Action]:
        """Handle events, then the answers of ledger and peers to the actions. Return all actions."""
        waiting, done = list(events), list[ev.Action]()
        while waiting:
            event = waiting.pop(0)
            if isinstance(event, ev.UpstreamOpened):
                self.upstream_audio.clear()
            for action in self.session.handle(event, self.now):
                done.append(action)
                if isinstance(action, ev.SendAudio):
                    self._go_up(action.data)
                waiting += self._answers(action)
        self.actions += done
        return done

    def _go_up(self, audio: bytes) -> None:
        self.sent += audio
        self.upstream_audio += audio

    def _answers(self, action: ev.Action) -> list[ev.Event]:
        match action:
            case ev.Settle(settlement):
                answer = self.ledger(settlement)
                return [] if answer is None else [answer]
            case ev.PingClient() if self.pongs:
                return [ev.ClientPonged()]
            case ev.PingUpstream() if self.pongs:
                return [ev.UpstreamPonged()]
            case _:
                return []

    def wait(self, seconds: float) -> list[ev.Action]:
        """Let time pass, and handle TimePassed at each deadline."""
        until = self.now + seconds
        done = list[ev.Action]()
        while (at := self.session.deadline) is not None and at <= until:
            self.now = max(self.now, at)
            done += self.handle(ev.TimePassed())
            later = self.session.deadline
            assert later is None or later > self.now, "a busy loop"
        self.now = until
        return done

    def frame(self, data: bytes = bytes(SECOND // 10)) -> list[ev.Action]:
        """Send one binary frame of the client."""
        if self.session.admit(len(data), self.now):
            self.session.record(data)
            self._go_up(data)
            return []
        return self.handle(ev.AudioArrived(data))

    def stream(self, seconds: float) -> list[ev.Action]:
        """Send seconds of audio in real time, in frames of 100 ms, with a Results without words every second."""
        done = list[ev.Action]()
        for count in range(round(seconds * 10)):
            done += self.wait(0.1)
            done += self.frame()
            if count % 10 == 9 and self.session.phase is Phase.LIVE:
                done += self.handle(
                    results("", 0.0, len(self.upstream_audio) / self.session.options.audio.bytes_per_second)
                )
        return done

    def open_upstream(self, request_id: str | None = None) -> list[ev.Action]:
        return self.handle(ev.UpstreamOpened(request_id))

    def lose_upstream(self, code: int | None = 1011) -> list[ev.Action]:
        """Close the upstream."""
        return self.handle(ev.UpstreamLost(code))

    def dialled(self) -> list[ev.Action]:
        """Let time pass until the session dials, or gives up."""
        done = list[ev.Action]()
        while ev.Dial() not in done and self.session.phase is Phase.REDIALLING:
            done += self.wait(0.1)
        return done

    def redial(self) -> list[ev.Action]:
        """Let time pass until the session dials, then open the upstream."""
        return self.dialled() + self.open_upstream()

    def cannot_dial(self) -> list[ev.Action]:
        """Refuse every dial until the session gives up."""
        done = list[ev.Action]()
        while self.session.phase is Phase.REDIALLING:
            waited = self.wait(0.1)
            done += waited
            if any(isinstance(action, ev.Dial) for action in waited):
                done += self.handle(ev.UpstreamRefused())
        return done

    def client_sends(self, kind: str) -> list[ev.Action]:
        """Send a text frame of the client."""
        return self.handle(ev.ClientSentText(json.dumps({"type": kind}).encode()))

    # Answers of the ledger

    def generous(self, settlement: Settlement) -> ev.Event | None:
        return self.granted(settlement, settlement.keep if settlement.keep is not None else settlement.total + 45)

    def granted(self, settlement: Settlement, grant: int, elsewhere: int = 0, **news: Any) -> ev.SettleAnswered:
        """Return the answer to a settle that was booked, with this grant."""
        used, left = settlement.total, self.remaining - settlement.total
        return ev.SettleAnswered(Settled(ID, settlement.number, grant, used, left, elsewhere, **news))

    def failing(self, _: Settlement) -> ev.Event | None:
        return ev.SettleFailed()

    def silent(self, _: Settlement) -> ev.Event | None:
        return None

    def commit(self) -> list[ev.Action]:
        """Commit the close with the figures that the session stated."""
        closing = self.only(ev.Close).closing
        left = self.remaining - closing.total
        return self.handle(ev.CloseCommitted(Closed(ID, closing.total, closing.reason, left)))

    # Output

    def only(self, kind: type[A]) -> A:
        """Return the only action of this kind so far."""
        (action,) = self.every(kind)
        return action

    def every(self, kind: type[A]) -> list[A]:
        return [action for action in self.actions if isinstance(action, kind)]

    @property
    def settlements(self) -> list[Settlement]:
        return [action.settlement for action in self.every(ev.Settle)]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages sent to the client so far."""
        return messages(self.actions)

    def messages_of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]

    @property
    def texts(self) -> list[str]:
        """The types of the text frames sent upstream."""
        return texts(self.actions)

    @property
    def paused(self) -> bool:
        """Whether reading from the client is paused."""
        last = [action for action in self.actions if isinstance(action, ev.PauseClient | ev.ResumeClient)][-1:]
        return last == [ev.PauseClient()]

    def ending(self) -> tuple[str, int, str | None]:
        """Finish without Metadata; return the reason of `session_end`, the close code and the error code."""
        if self.session.phase is Phase.FINISHING:
            self.wait(5)
        self.commit()
        assert self.actions[-1] == ev.Finish()
        error = self.messages_of("error")[-1]["code"] if self.messages_of("error") else None
        (end,) = self.messages_of("session_end")
        return end["reason"], self.only(ev.CloseClient).code, error


def live(*, grant: int = 45, **settings: Any) -> SessionDriver:
    """Return a driver whose upstream is open. The first settle gets the same grant as the opening."""
    driver = SessionDriver(grant=grant, **settings)
    driver.ledger = lambda settlement: driver.granted(settlement, grant)
    driver.open_upstream()
    driver.ledger = driver.generous
    return driver


def noise(seconds: float) -> bytes:
    """Return so many seconds of audio, no part of which equals another."""
    return Random(1).randbytes(round(seconds * SECOND))


def messages(actions: list[ev.Action]) -> list[dict[str, Any]]:
    return [json.loads(wire.encode(action.message)) for action in actions if isinstance(action, ev.SendClient)]


def texts(actions: list[ev.Action]) -> list[str]:
    return [json.loads(action.text)["type"] for action in actions if isinstance(action, ev.SendUpstream)]


def results(text: str, start: float = 0.0, duration: float = 0.0, **more: Any) -> ev.UpstreamSentText:
    alternative = {"transcript": text, "confidence": 0.9}
    message = {"type": "Results", "start": start, "duration": duration, "channel": {"alternatives": [alternative]}}
    return ev.UpstreamSentText(json.dumps({**message, **more}).encode())


def metadata(duration: float, request_id: str | None = None) -> ev.UpstreamSentText:
    return ev.UpstreamSentText(
        json.dumps({"type": "Metadata", "duration": duration, "request_id": request_id}).encode()
    )

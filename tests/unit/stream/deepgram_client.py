"""A pass-through session with the client, the upstream and the ledger that it needs, played by a test."""

import json
from typing import Any, Final, TypeVar
from uuid import UUID

from transcription_proxy.metering import rates
from transcription_proxy.stream import events as ev
from transcription_proxy.stream import listen_request
from transcription_proxy.stream.listen_request import V1
from transcription_proxy.stream.pass_through import PassThrough
from transcription_proxy.values import Closed, Closing, Opened, Settled, Settlement
from transcription_wire.codes import Reason

ID: Final = UUID(int=15)
USER: Final = UUID(int=3)
RATES: Final = rates.load()
RAW: Final = "model=nova-3&encoding=linear16&sample_rate=16000"
SECOND: Final = 32_000
Kind = TypeVar("Kind", bound=ev.Action)


class Played:
    """`done`: every action so far. The ledger answers settles only when `answer` is called."""

    def __init__(self, query: str = RAW, *, path: str = V1, grant: int = 45, idle: float = 900) -> None:
        self.now = 1000.0
        self.session = PassThrough(
            Opened(ID, USER, grant, 1000), listen_request.read(path, query, RATES), idle, self.now
        )
        self.done: list[ev.Action] = self.session.start()
        self.grant = grant

    def live(self) -> "Played":
        self.tell(ev.UpstreamOpened("9d9d1a5e-0000-4000-8000-000000000001"))
        self.answer()
        self.done.clear()
        return self

    def tell(self, *events: ev.Event) -> list[ev.Action]:
        """Handle events, and return the actions that they caused."""
        actions = [action for event in events for action in self.session.handle(event, self.now)]
        self.done += actions
        return actions

    def wait(self, seconds: float) -> list[ev.Action]:
        """Let time pass, with TimePassed at each deadline."""
        until, before = self.now + seconds, len(self.done)
        for _ in range(1000):
            at = self.session.deadline
            if at is None or at > until:
                self.now = until
                return self.done[before:]
            self.now = max(self.now, at)
            self.tell(ev.TimePassed())
        raise AssertionError("a busy loop")

    def send(self, seconds: float) -> int:
        """Send a frame of audio as a socket does. Return how many of its bytes went straight through."""
        data = bytes(round(seconds * 16000) * 2)
        if self.session.admit(len(data), self.now):
            return len(data)
        self.tell(ev.AudioArrived(data))
        return 0

    def say(self, kind: str, **fields: Any) -> list[ev.Action]:
        """Send a message of the upstream."""
        return self.tell(ev.UpstreamSentText(json.dumps({"type": kind, **fields}).encode()))

    def ask(self, kind: str, **fields: Any) -> list[ev.Action]:
        """Send a message of the client."""
        return self.tell(ev.ClientSentText(json.dumps({"type": kind, **fields}).encode()))

    def hear(self, seconds: float, text: str = "words", duration: float | None = None) -> list[ev.Action]:
        """Send final Results that end at `seconds`."""
        channel = {"alternatives": [{"transcript": text}]}
        length = seconds if duration is None else duration
        return self.say("Results", start=seconds - length, duration=length, is_final=True, channel=channel)

    def answer(self, grant: int | None = None, **news: Any) -> list[ev.Action]:
        """Answer the last settle."""
        settlement = self.all(ev.Settle)[-1].settlement
        self.grant = self.grant if grant is None else grant
        return self.tell(ev.SettleAnswered(settled(settlement, self.grant, **news)))

    def commit(self) -> list[ev.Action]:
        """Commit the close."""
        closing = self.closing
        return self.tell(ev.CloseCommitted(Closed(ID, closing.total, closing.reason, 900)))

    def all(self, kind: type[Kind]) -> list[Kind]:
        return [action for action in self.done if isinstance(action, kind)]

    @property
    def closing(self) -> Closing:
        (close,) = self.all(ev.Close)
        return close.closing

    @property
    def bill(self) -> tuple[int, int, Reason]:
        return self.closing.total, self.closing.audio_ms, self.closing.reason


def settled(settlement: Settlement, grant: int, **news: Any) -> Settled:
    values = {"seconds_used": settlement.total, "seconds_remaining": 900, "elsewhere": 0, **news}
    return Settled(ID, settlement.number, grant, **values)

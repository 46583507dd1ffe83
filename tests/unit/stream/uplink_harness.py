"""An uplink whose audio is paid for at once."""

import json
from typing import Any

from tests.unit.stream.driver import ID, SECOND, USER
from transcription_proxy.metering.audio import AudioFormat
from transcription_proxy.metering.credits import MICRO
from transcription_proxy.stream import deepgram
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.credit import SessionCredit
from transcription_proxy.stream.uplink import Uplink
from transcription_proxy.values import Opened, Settled
from transcription_wire.messages import encode

AUDIO = AudioFormat()


class UplinkHarness:
    """An uplink with its credit, opened at 100 s; `grant` seconds are paid for."""

    def __init__(self, grant: int = 1000, channels: int = 1, audio: AudioFormat = AUDIO) -> None:
        self.actions: list[ev.Action] = []
        self.credit = SessionCredit(Opened(ID, USER, grant, 1000), audio, MICRO, 100.0)
        self.uplink = Uplink(self.actions, audio, channels, self.credit, 0)
        self.uplink.begin_connection("request", 100.0)

    def hear(self, audio: bytes, now: float = 100.0) -> None:
        """Send audio as far as the grant allows, and settle every second of it."""
        for begin in range(0, len(audio), SECOND):
            self.uplink.buffer.append(audio[begin : begin + SECOND])
            self.replay(now)
            self.settle(self.credit.grant, now)

    def settle(self, grant: int, now: float) -> None:
        self.credit.begin_settle(now)
        self.credit.record_answer(Settled(ID, 1, grant, 0, 1000, 0))

    def lose(self, now: float = 100.0) -> None:
        """Lose this connection, and open another one that gets what is buffered."""
        self.uplink.record_loss(now)
        self.uplink.plan_redial(now)
        self.uplink.buffer.rewind()
        self.uplink.dial()
        self.uplink.begin_connection("request", now)

    def replay(self, now: float = 100.0) -> bytes:
        """Send what is buffered, and return what was sent."""
        before = len(self.sent)
        self.uplink.send_pending(now)
        return self.sent[before:]

    def say(self, text: str, start: float, duration: float, **more: Any) -> Any:
        """Receive Results; return the message for the client."""
        alternatives = {"alternatives": [{"transcript": text}]}
        message = {"type": "Results", "start": start, "duration": duration, "channel": alternatives, **more}
        return self.spoke(json.dumps(message).encode())

    def spoke(self, text: bytes, now: float = 100.0) -> Any:
        caption = self.uplink.receive(deepgram.parse(text), now)
        return None if caption is None else json.loads(encode(caption))

    @property
    def sent(self) -> bytes:
        return b"".join(action.data for action in self.actions if isinstance(action, ev.SendAudio))

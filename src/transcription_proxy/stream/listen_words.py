"""Withholds the words of audio that is not paid: a file that is sent at once is heard before its length is known."""

from collections import deque

from transcription_proxy.stream import deepgram
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.client import SessionClient
from transcription_proxy.stream.listen_meter import ListenMeter


class PaidWords:
    """The upstream's messages on their way to the client, in order."""

    def __init__(self, actions: list[ev.Action], client: SessionClient, meter: ListenMeter) -> None:
        self._actions = actions
        self._client = client
        self._meter = meter
        self._waiting: deque[tuple[int, list[ev.Action]]] = deque()
        """Where the words begin, in milliseconds, -1 for a message without words; and the actions that show them."""

    def add(self, message: object, actions: list[ev.Action]) -> None:
        """Add the actions for a message of the upstream."""
        begin = deepgram.milliseconds(message.start) if isinstance(message, deepgram.Results) else None
        self._waiting.append((-1 if begin is None else begin, actions))
        self.release()

    def release(self) -> None:
        """Append the actions of all messages whose words are paid, up to the first one whose are not."""
        while self._waiting and self._meter.is_paid(self._waiting[0][0]):
            self._append(self._waiting.popleft()[1])

    def drop(self) -> None:
        """Drop the words that are not paid. Append the actions of the messages between them."""
        for begin_ms, actions in self._waiting:
            if self._meter.is_paid(begin_ms):
                self._append(actions)
        self._waiting.clear()

    def _append(self, actions: list[ev.Action]) -> None:
        self._actions += [
            each for each in actions if not (self._client.is_gone and isinstance(each, ev.SendClientText))
        ]

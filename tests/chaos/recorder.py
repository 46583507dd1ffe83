"""Records the audio that the stand-in upstream received of each session: how much of it is distinct, and its price."""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from tests.chaos.audio import audio, locate
from tests.standin.record import Record

RATES: Final = {"nova-2": Fraction(1), "nova-3": Fraction(1)}
MULTI: Final = Fraction(12, 10)
ADDONS: Final = {"diarize": Fraction(34, 100), "keyterm": Fraction(22, 100)}
"""Credits a second of one channel, by the built-in rates (money 32)."""


class Spans:
    """A set of positions, as intervals."""

    def __init__(self) -> None:
        self._spans: list[tuple[int, int]] = []

    def add(self, begin: int, end: int) -> None:
        low = bisect_left(self._spans, begin, key=lambda span: span[1])
        high = low
        while high < len(self._spans) and self._spans[high][0] <= end:
            begin, end = min(begin, self._spans[high][0]), max(end, self._spans[high][1])
            high += 1
        self._spans[low:high] = [(begin, end)]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._spans)

    @property
    def total(self) -> int:
        return sum(end - begin for begin, end in self._spans)

    @property
    def end(self) -> int:
        return self._spans[-1][1] if self._spans else 0


@dataclass(slots=True)
class ReceivedAudio:
    """The audio of one session, over all of its connections. `cost`: credits a second for all channels billed."""

    session: str
    bytes_per_second: int
    cost: Fraction
    spans: Spans = field(default_factory=Spans)
    connections: int = 0
    streams: set[int] = field(default_factory=set)
    """The streams that the audio belongs to. More than one is a violation."""
    strange: list[str] = field(default_factory=list)
    """Descriptions of audio that was not the client's, byte for byte and in order."""
    complete: bool = False
    """The last connection ended with CloseStream, the last words and Metadata."""

    @property
    def seconds(self) -> Fraction:
        """Seconds of distinct audio."""
        return Fraction(self.spans.total, self.bytes_per_second)

    @property
    def gaps(self) -> Fraction:
        """Seconds that one connection received in vain and that were too old for the replay to the next one."""
        return Fraction(self.spans.end - self.spans.total, self.bytes_per_second)


class Ear:
    """One connection. It finds the position where the audio begins, then compares every byte with the client's."""

    def __init__(self, heard: ReceivedAudio) -> None:
        self._heard = heard
        self._head = b""
        self._stream: int | None = None
        self._position = 0

    def hear(self, data: bytes) -> None:
        if self._stream is None:
            self._head += data
            place = locate(self._head)
            if place is None:
                if 5 * len(self._head) > self._heard.bytes_per_second:  # our own silence is 0.1 s
                    self._strange(f"{len(self._head)} bytes that are nobody's")
                    self._head = b""
                return
            if place.silence * 10 not in (0, self._heard.bytes_per_second):
                self._strange(f"{place.silence} bytes of silence before the audio")
            self._stream, self._position = place.stream, place.position
            self._heard.streams.add(place.stream)
            data, self._head = self._head[place.silence :], b""
        begin, self._position = self._position, self._position + len(data)
        if audio(self._stream, begin, len(data)) != data:
            self._strange(f"other bytes than the client's at {begin} to {self._position}")
        self._heard.spans.add(begin, self._position)

    def _strange(self, what: str) -> None:
        if len(self._heard.strange) < 5:
            self._heard.strange.append(what)


class UpstreamRecorder:
    """Provides the stand-in's callbacks `heard` and `finished`."""

    def __init__(self, spoiled: Callable[[Record], bool] = lambda record: False) -> None:
        """`spoiled`: returns whether a fault changed how that connection ended."""
        self.sessions: dict[str, ReceivedAudio] = {}
        self._ears: dict[int, Ear] = {}
        self._spoiled = spoiled

    def heard(self, record: Record, data: bytes) -> None:
        ear = self._ears.get(record.number)
        if ear is None:
            heard = self._session(record)
            heard.connections += 1
            ear = self._ears[record.number] = Ear(heard)
        ear.hear(data)

    def finished(self, record: Record) -> None:
        self._ears.pop(record.number, None)
        if record.refused is None:
            self._session(record).complete = (
                "CloseStream" in record.types()
                and record.close_code == 1000
                and not record.closed_first
                and not self._spoiled(record)
            )

    def _session(self, record: Record) -> ReceivedAudio:
        name = record.value("tag") or ""
        if name not in self.sessions:
            self.sessions[name] = ReceivedAudio(name, _bytes_per_second(record), _cost(record))
        return self.sessions[name]


def _bytes_per_second(record: Record) -> int:
    assert record.value("encoding") == "linear16"
    return 2 * int(record.value("sample_rate") or 0) * int(record.value("channels") or 0)


def _cost(record: Record) -> Fraction:
    rate = MULTI if record.value("language") == "multi" else RATES[record.value("model") or ""]
    rate += ADDONS["diarize"] if record.value("diarize") == "true" else 0
    rate += ADDONS["keyterm"] if record.value("keyterm") else 0
    return rate * (int(record.value("channels") or 1) if record.value("multichannel") == "true" else 1)

"""One stream's ears: raw bytes in, what was heard on which channel out. Slow, so it runs in a thread."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

import numpy as np

from transcription_proxy.engine.request import Request
from transcription_proxy.engine.resample import Resampler, Samples
from transcription_proxy.engine.segments import Ended, Heard, Line, Segment, Segments, Started

FORGET_AFTER: Final = 180.0
"""Seconds after which the model begins anew between two lines: it remembers all lines it ever heard."""
OnChannel = tuple[int, Heard]


class Stream(Protocol):
    """A model's ear for one voice, 16 kHz."""

    def hear(self, samples: Samples, /) -> Sequence[Line]:
        """The lines that changed with this audio."""

    def finish(self) -> Sequence[Line]:
        """Completes what is open, and begins again at time 0."""

    def close(self) -> None: ...


OpenStream = Callable[[], Stream]


class Hearing:
    """Hears one request's audio. `open_stream` gives a model's stream."""

    def __init__(self, request: Request, open_stream: OpenStream) -> None:
        self._request = request
        self._rest = b""
        self._frames = 0
        self._ears = [_Ear(open_stream(), request) for _ in range(request.ears)]

    def hear(self, data: bytes) -> list[OnChannel]:
        """What this audio brought. An odd end waits for its other half."""
        data = self._rest + data
        whole = len(data) // self._request.block * self._request.block
        self._rest = data[whole:]
        self._frames += whole // self._request.block
        clock = self._frames / self._request.sample_rate
        samples = np.frombuffer(data[:whole], "<i2").reshape(-1, self._request.channels).astype(np.float32) / 32768
        voices = samples.T if self._request.multichannel else [samples.mean(axis=1)]
        return self._wanted(
            [ear.hear(np.ascontiguousarray(voice), clock) for ear, voice in zip(self._ears, voices, strict=True)]
        )

    def finalize(self) -> list[OnChannel]:
        """Makes all that was heard final; the last message of each channel says so."""
        return self._wanted([_from_finalize(ear.finish(confirm=True)) for ear in self._ears])

    def finish(self) -> list[OnChannel]:
        """The last words, and silence up to the end."""
        return self._wanted([ear.finish() for ear in self._ears])

    def close(self) -> None:
        for ear in self._ears:
            ear.close()

    def _wanted(self, said: list[list[Heard]]) -> list[OnChannel]:
        return [(channel, heard) for channel, ear in enumerate(said) for heard in ear if self._is_wanted(heard)]

    def _is_wanted(self, heard: Heard) -> bool:
        match heard:
            case Segment():
                return heard.is_final or self._request.interim_results
            case Started():
                return self._request.vad_events
            case Ended():
                return True  # there are none unless utterance_end_ms asks for them


class _Ear:
    def __init__(self, stream: Stream, request: Request) -> None:
        self._stream = stream
        self._resampler = Resampler(request.sample_rate)
        self._segments = Segments(
            endpointing=_seconds(request.endpointing), utterance_end=_seconds(request.utterance_end_ms)
        )

    def hear(self, samples: Samples, clock: float) -> list[Heard]:
        said = self._segments.heard(self._stream.hear(self._resampler.feed(samples)), clock)
        if not self._segments.speaking and clock - self._segments.origin > FORGET_AFTER:
            said += self.finish()
        return said

    def finish(self, *, confirm: bool = False) -> list[Heard]:
        return self._segments.finished(self._stream.finish(), confirm=confirm)

    def close(self) -> None:
        self._stream.close()


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _from_finalize(said: list[Heard]) -> list[Heard]:
    *before, last = said
    return [*before, replace(last, from_finalize=True)] if isinstance(last, Segment) else said

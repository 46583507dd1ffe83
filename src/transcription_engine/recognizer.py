"""Runs the model over one stream's audio: raw bytes in, events of each channel out. Slow, so it runs in a thread."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

import numpy as np

from transcription_engine.decode import PcmDecoder
from transcription_engine.pcm import Samples
from transcription_engine.request import Request
from transcription_engine.segments import Ended, Line, Segment, Segments, SpeechEvent, Started

RESET_SECONDS: Final = 180.0
"""Seconds after which the model is reset in the next silence, because its memory of old lines grows."""
ChannelEvent = tuple[int, SpeechEvent]
"""A channel's number, and an event on it."""


class Stream(Protocol):
    """The model's stream for one channel of 16 kHz audio."""

    def feed(self, samples: Samples, /) -> Sequence[Line]:
        """Process audio. Return the lines that changed."""

    def finish(self) -> Sequence[Line]:
        """Complete the open line and start again at time 0. Return the lines that changed."""

    def close(self) -> None: ...


OpenStream = Callable[[], Stream]


class Recognizer:
    """Recognizes the audio of one request."""

    def __init__(self, request: Request, open_stream: OpenStream) -> None:
        """`request`: one for raw audio. `open_stream`: returns a new stream of the model."""
        self._request = request
        self._decoder = PcmDecoder(request)
        self._odd_bytes = b""
        self._frames = 0
        self._channels = [_Channel(open_stream(), request) for _ in range(request.separate_channels)]

    def feed(self, data: bytes) -> list[ChannelEvent]:
        """Process audio. Return its events. An incomplete sample at the end is kept for the next call."""
        data = self._odd_bytes + data
        whole = len(data) // self._request.block * self._request.block
        self._odd_bytes = data[whole:]
        self._frames += whole // self._request.block
        clock = self._frames / self._request.sample_rate
        samples = self._decoder.feed(data[:whole]).astype(np.float32) / 32768
        voices = samples.T if self._request.multichannel else [samples.mean(axis=1)]
        return self._select_wanted(
            [
                channel.feed(np.ascontiguousarray(voice), clock)
                for channel, voice in zip(self._channels, voices, strict=True)
            ]
        )

    def finalize(self) -> list[ChannelEvent]:
        """Make all words final. Each channel's last message has `from_finalize`."""
        return self._select_wanted([_from_finalize(channel.finish(confirm=True)) for channel in self._channels])

    def finish(self) -> list[ChannelEvent]:
        """Return the last words, and the silence up to the end."""
        return self._select_wanted([channel.finish() for channel in self._channels])

    def close(self) -> None:
        """Free the model's streams."""
        for channel in self._channels:
            channel.close()

    def _select_wanted(self, channels: list[list[SpeechEvent]]) -> list[ChannelEvent]:
        return [(number, event) for number, events in enumerate(channels) for event in events if self._is_wanted(event)]

    def _is_wanted(self, event: SpeechEvent) -> bool:
        match event:
            case Segment():
                return event.is_final or self._request.interim_results
            case Started():
                return self._request.vad_events
            case Ended():
                return True  # none occur unless utterance_end_ms is set


class _Channel:
    def __init__(self, stream: Stream, request: Request) -> None:
        self._stream = stream
        self._segments = Segments(
            endpointing=_seconds(request.endpointing), utterance_end=_seconds(request.utterance_end_ms)
        )

    def feed(self, samples: Samples, clock: float) -> list[SpeechEvent]:
        events = self._segments.update(self._stream.feed(samples), clock)
        if not self._segments.is_speaking and clock - self._segments.origin > RESET_SECONDS:
            events += self.finish()
        return events

    def finish(self, *, confirm: bool = False) -> list[SpeechEvent]:
        return self._segments.finish(self._stream.finish(), confirm=confirm)

    def close(self) -> None:
        self._stream.close()


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _from_finalize(events: list[SpeechEvent]) -> list[SpeechEvent]:
    *before, last = events
    return [*before, replace(last, from_finalize=True)] if isinstance(last, Segment) else events

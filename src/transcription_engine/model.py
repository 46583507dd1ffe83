"""The speech model: Moonshine tiny, English, from the wheel of moonshine-voice. No other module imports it."""

from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import numpy as np
from moonshine_voice.moonshine_api import ModelArch
from moonshine_voice.transcriber import Transcriber, Transcript
from numpy.typing import NDArray

from transcription_engine.pcm import RATE

_NEVER_SECONDS: Final = 1e12
_CUT_SECONDS: Final = 10.0
"""Seconds after which the model ends a line even during speech: two thirds of its vad_max_segment_duration."""
_PAUSE: Final = np.zeros(RATE // 2, np.float32)
"""Half a second of silence. The model evaluates audio every half second, and needs 0.3 s of speech to detect any."""


@dataclass(frozen=True, slots=True)
class Line:
    """A stretch of speech. Times are seconds since the stream began or was last finished."""

    id: int
    text: str
    start: float
    duration: float
    complete: bool

    @property
    def cut(self) -> bool:
        """Whether the line ended because it was too long, and not in a pause."""
        return self.complete and self.duration >= _CUT_SECONDS


class Model:
    """The loaded model, shared by all streams. Calls release the GIL, and may come from any thread, one per stream at a
    time."""

    def __init__(self) -> None:
        options = {"return_audio_data": "false"}  # otherwise every update copies all audio since the start
        path = files("moonshine_voice").joinpath("assets", "tiny-en")
        self._transcriber = Transcriber(str(path), ModelArch.TINY, options=options)

    def stream(self) -> "Stream":
        """Return a new stream."""
        return Stream(self._transcriber)


class Stream:
    """One channel of audio. Ids of lines are never used twice, not even after `finish`."""

    def __init__(self, transcriber: Transcriber) -> None:
        self._stream = transcriber.create_stream(update_interval=_NEVER_SECONDS)
        self._stream.start()

    def feed(self, samples: NDArray[np.float32]) -> list[Line]:
        """Process audio, 16 kHz mono. Return the lines that changed."""
        self._stream.add_audio(samples.tolist(), RATE)
        return _lines(self._stream.update_transcription())

    def finish(self) -> list[Line]:
        """Complete the open line and start again at time 0, without memory. Return the lines that changed.

        A pause is processed first: without it the last half second would be lost. Speech under 0.3 s still is.
        """
        lines = {line.id: line for line in [*self.feed(_PAUSE), *_lines(self._stream.stop())]}
        self._stream.start()
        return list(lines.values())

    def close(self) -> None:
        self._stream.close()


def _lines(transcript: Transcript | None) -> list[Line]:
    return [
        Line(line.line_id, line.text.strip(), line.start_time, line.duration, line.is_complete)
        for line in (transcript.lines if transcript else [])
        if line.is_updated
    ]

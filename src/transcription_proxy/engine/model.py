"""The speech model: Moonshine tiny, English, from the wheel of moonshine-voice. The only import of it."""

from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import numpy as np
from moonshine_voice.moonshine_api import ModelArch
from moonshine_voice.transcriber import Transcriber, Transcript
from numpy.typing import NDArray

from transcription_proxy.engine.resample import RATE

_NEVER: Final = 1e12
_CUT_AT: Final = 10.0
"""Seconds after which it ends a line, speech or not: at two thirds of its vad_max_segment_duration."""
_PAUSE: Final = np.zeros(RATE // 2, np.float32)
"""It looks at its audio every half second, and needs a third of a second of speech to notice any."""


@dataclass(frozen=True, slots=True)
class Line:
    """A stretch of speech, in seconds since the stream began or was last finished."""

    id: int
    text: str
    start: float
    duration: float
    complete: bool

    @property
    def cut(self) -> bool:
        """Whether it ended by its length, and not in a pause."""
        return self.complete and self.duration >= _CUT_AT


class Model:
    """Loaded once; streams share it. Calls release the GIL and may come from any thread, one at a time a stream."""

    def __init__(self) -> None:
        options = {"return_audio_data": "false"}  # else every update copies all audio since the start
        path = files("moonshine_voice").joinpath("assets", "tiny-en")
        self._transcriber = Transcriber(str(path), ModelArch.TINY, options=options)

    def stream(self) -> "Stream":
        return Stream(self._transcriber)


class Stream:
    """One voice. Lines are numbered anew by nobody: an id is never used twice."""

    def __init__(self, transcriber: Transcriber) -> None:
        self._stream = transcriber.create_stream(update_interval=_NEVER)
        self._stream.start()

    def hear(self, samples: NDArray[np.float32]) -> list[Line]:
        """The lines that changed with this audio, 16 kHz mono."""
        self._stream.add_audio(samples.tolist(), RATE)
        return _lines(self._stream.update_transcription())

    def finish(self) -> list[Line]:
        """Completes what is open, and begins again at time 0 with nothing remembered.

        A pause is heard before: without it the last half second would be lost. Speech of under 0.3 s still is.
        """
        lines = {line.id: line for line in [*self.hear(_PAUSE), *_lines(self._stream.stop())]}
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

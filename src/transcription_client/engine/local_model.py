"""The built-in speech model over one stream of audio. Imported in the process of local_process.py only."""

from transcription_client.engine.settings import AUDIO
from transcription_engine.model import Model
from transcription_engine.recognizer import ChannelEvent, Recognizer
from transcription_engine.request import Request
from transcription_engine.segments import Segment
from transcription_wire import messages as wire

ENDPOINTING_MILLISECONDS = 300
"""Silence after which words are final."""


class LocalModel:
    """Recognizes 16 kHz mono audio. Times of words are seconds since the first byte."""

    def __init__(self) -> None:
        request = Request(AUDIO.sample_rate, interim_results=True, endpointing=ENDPOINTING_MILLISECONDS)
        self._recognizer = Recognizer(request, Model().stream)

    def feed(self, sound: bytes) -> list[wire.Transcript]:
        """Return the words that are new or have changed."""
        return _transcripts(self._recognizer.feed(sound))

    def finalize(self) -> list[wire.Transcript]:
        """Make all words so far final."""
        return _transcripts(self._recognizer.finalize())

    def finish(self) -> list[wire.Transcript]:
        """Return the last words."""
        return _transcripts(self._recognizer.finish())


def _transcripts(events: list[ChannelEvent]) -> list[wire.Transcript]:
    return [
        wire.Transcript(event.text, event.is_final, None, event.start, event.duration, event.speech_final)
        for _, event in events
        if isinstance(event, Segment)
    ]

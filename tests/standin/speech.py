"""The recognition of the stand-in: bytes of audio in, Deepgram's messages out. Pure; its clock is the audio."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final

from tests.standin.script import Script, values

SAMPLE_BYTES: Final = {"linear16": 2, "linear32": 4, "mulaw": 1, "alaw": 1}
Query = list[tuple[str, str]]


class Speech:
    """One stream. Segments are contiguous; each word belongs to the segment in which it begins."""

    def __init__(self, query: Query, script: Script, request_id: str) -> None:
        self._script = script
        self._request_id = request_id
        self.channels = int(self._first(query, "channels", "1"))
        sample_bytes = SAMPLE_BYTES[self._first(query, "encoding", "linear16")]
        self.bytes_per_second = sample_bytes * self.channels * int(self._first(query, "sample_rate", "16000"))
        self._tracks = self.channels if self._first(query, "multichannel") == "true" else 1
        self._interims = self._first(query, "interim_results") == "true"
        self._vad_events = self._first(query, "vad_events") == "true"
        self._utterance_end = self._first(query, "utterance_end_ms") is not None
        self._diarize = self._first(query, "diarize") == "true"
        self.nbytes = 0
        self._origin_ms: int | None = None if script.locate else 0
        self._segment_ms = 0
        self._next_ms = script.interim_ms
        self._opened_segment = False

    @staticmethod
    def _first(query: Query, name: str, default: Any = None) -> Any:
        return next(iter(values(query, name)), default)

    @property
    def clock_ms(self) -> int:
        """Milliseconds of audio received."""
        return self.nbytes * 1000 // self.bytes_per_second

    @property
    def seconds(self) -> float:
        return self.nbytes / self.bytes_per_second

    @property
    def located(self) -> bool:
        return self._origin_ms is not None

    def begins_at(self, position: int) -> None:
        """It began so many bytes after the beginning of the speaker's audio; in silence before it, if below 0."""
        self._origin_ms = position * 1000 // self.bytes_per_second

    def hear(self, nbytes: int) -> Iterator[str]:
        """Return the messages about `nbytes` more audio."""
        self.nbytes += nbytes
        while self._next_ms <= self.clock_ms:
            yield from self._say(self._next_ms, is_final=self._next_ms - self._segment_ms >= self._script.final_ms)
            self._next_ms += self._script.interim_ms

    def flush(self, *, from_finalize: bool = False) -> Iterator[str]:
        """Return the finals that make all audio so far final."""
        if self.clock_ms > self._segment_ms or from_finalize:
            yield from self._say(self.clock_ms, is_final=True, from_finalize=from_finalize)
            self._next_ms = self._segment_ms + self._script.interim_ms

    def metadata(self) -> str:
        """Return Metadata, with duration 0 and channels 0 if no audio was received."""
        fixed = self._script.metadata_seconds
        seconds = self.seconds * self._script.metadata_factor if fixed is None else fixed
        return json.dumps(
            {
                "type": "Metadata",
                "transaction_key": "deprecated",
                "request_id": self._request_id,
                "sha256": hashlib.sha256(self._request_id.encode()).hexdigest(),
                "created": "2026-01-01T00:00:00.000Z",
                "duration": round(seconds, 6),
                "channels": self.channels if seconds else 0,
            }
        )

    def _say(self, end_ms: int, *, is_final: bool, from_finalize: bool = False) -> Iterator[str]:
        if self._vad_events and not self._opened_segment:
            started = {"type": "SpeechStarted", "channel": [0, self._tracks], "timestamp": self._segment_ms / 1000}
            yield json.dumps(started)
        self._opened_segment = not is_final
        if is_final or self._interims:
            for track in range(self._tracks):
                yield json.dumps(self._results(track, end_ms, is_final=is_final, from_finalize=from_finalize))
        if is_final and self._utterance_end:
            yield json.dumps({"type": "UtteranceEnd", "channel": [0, self._tracks], "last_word_end": end_ms / 1000})
        if is_final:
            self._segment_ms = end_ms

    def _results(self, track: int, end_ms: int, *, is_final: bool, from_finalize: bool) -> dict[str, Any]:
        words = [] if self._script.wordless else self._words(track, end_ms)
        alternative = {
            "transcript": " ".join(word["word"] for word in words),
            "confidence": 0.99 if words else 0.0,
            "words": words,
        }
        return {
            "type": "Results",
            "channel_index": [track, self._tracks],
            "start": self._segment_ms / 1000,
            "duration": (end_ms - self._segment_ms) / 1000,
            "is_final": is_final,
            "speech_final": is_final,
            "from_finalize": from_finalize,
            "channel": {"alternatives": [alternative]},
            "metadata": {"request_id": self._request_id, "model_uuid": "stand-in", "model_info": {}},
        }

    def _words(self, track: int, end_ms: int) -> list[dict[str, Any]]:
        if self._origin_ms is None:
            return []
        word_ms, origin_ms = self._script.word_ms, self._origin_ms
        first_ms, last_ms = (max(0, origin_ms + ms) for ms in (self._segment_ms, end_ms))
        prefix = f"c{track}{self._script.word}" if self._tracks > 1 else self._script.word
        speaker = {"speaker": 0} if self._diarize else {}
        return [
            {
                "word": f"{prefix}{number}",
                "punctuated_word": f"{prefix}{number}",
                "start": (number * word_ms - origin_ms) / 1000,
                "end": ((number + 1) * word_ms - origin_ms) / 1000,
                "confidence": 0.99,
                **speaker,
            }
            for number in range(-(-first_ms // word_ms), -(-last_ms // word_ms))
        ]

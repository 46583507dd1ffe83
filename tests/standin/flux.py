"""The recognition of `/v2/listen`: one turn for each final of `/v1/listen`, in messages that are numbered."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

from tests.standin.script import Script
from tests.standin.speech import Query, Speech


class FluxSpeech(Speech):
    """Sends an Update for each interim, and EndOfTurn for each final. Closing, it sends an Update and no Metadata."""

    def __init__(self, query: Query, script: Script, request_id: str) -> None:
        super().__init__(query, script, request_id)
        self._numbers = itertools.count()
        self._turn = 0

    def opening(self) -> Iterator[str]:
        """Return the message that greets a client."""
        yield self._message("Connected")

    def flush(self, *, from_finalize: bool = False) -> Iterator[str]:
        if self.clock_ms > self._segment_ms:
            yield from self._say(self.clock_ms, is_final=False)

    def _say(self, end_ms: int, *, is_final: bool, from_finalize: bool = False) -> Iterator[str]:
        words = self._words(0, end_ms)
        yield self._message(
            "TurnInfo",
            event="EndOfTurn" if is_final else "Update",
            turn_index=self._turn,
            audio_window_start=self._segment_ms / 1000,
            audio_window_end=end_ms / 1000,
            transcript=" ".join(word["word"] for word in words),
            words=words,
            end_of_turn_confidence=0.9 if is_final else 0.1,
        )
        if is_final:
            self._segment_ms = end_ms
            self._turn += 1

    def _message(self, kind: str, **fields: Any) -> str:
        numbered = {"type": kind, "request_id": self._request_id, "sequence_id": next(self._numbers)}
        return json.dumps({**numbered, **fields})

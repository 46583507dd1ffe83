"""Encodes Deepgram's messages. The model has no word times and no confidence, so the messages have none either."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

from transcription_engine.segments import Ended, Segment, SpeechEvent, Started

MODEL: Final = "moonshine-tiny-en"
MODEL_ID: Final = str(uuid5(NAMESPACE_URL, MODEL))


def message(event: SpeechEvent, channel: int, channels: int, request_id: UUID) -> str:
    """Return the message for an event on `channel`, one of `channels`."""
    where = [channel, channels]
    match event:
        case Segment():
            return json.dumps(_results(event, where, request_id))
        case Started(at):
            return json.dumps({"type": "SpeechStarted", "channel": where, "timestamp": round(at, 3)})
        case Ended(last_word_end):
            return json.dumps({"type": "UtteranceEnd", "channel": where, "last_word_end": round(last_word_end, 3)})


def _results(segment: Segment, where: list[int], request_id: UUID) -> dict[str, Any]:
    start = round(segment.start, 3)
    return {
        "type": "Results",
        "channel_index": where,
        "duration": round(round(segment.start + segment.duration, 3) - start, 3),
        "start": start,
        "is_final": segment.is_final,
        "speech_final": segment.speech_final,
        "from_finalize": segment.from_finalize,
        "channel": {"alternatives": [{"transcript": segment.text, "confidence": 0.0, "words": []}]},
        "metadata": {
            "request_id": str(request_id),
            "model_info": {"name": MODEL, "version": "0.0.73", "arch": "moonshine"},
            "model_uuid": MODEL_ID,
        },
    }


def metadata(request_id: UUID, sha256: str, created: datetime, duration: float, channels: int) -> str:
    """Return the closing message. `duration`: seconds of audio received."""
    return json.dumps(
        {
            "type": "Metadata",
            "transaction_key": "deprecated",
            "request_id": str(request_id),
            "sha256": sha256,
            "created": created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "duration": duration,
            "channels": channels if duration else 0,
        }
    )


def transcription(
    request_id: UUID,
    sha256: str,
    created: datetime,
    duration: float,
    channels: int,
    finals: Sequence[Sequence[Segment]],
    utterances: bool,
) -> str:
    """Return the answer for a recording of `channels` channels. `finals`: of each channel that was recognized."""
    transcripts = [" ".join(segment.text for segment in channel if segment.text) for channel in finals]
    alternatives = [{"transcript": text, "confidence": 0.0, "words": []} for text in transcripts]
    results: dict[str, Any] = {"channels": [{"alternatives": [alternative]} for alternative in alternatives]}
    if utterances:
        spoken = [(number, segment) for number, channel in enumerate(finals) for segment in channel if segment.text]
        results["utterances"] = [
            _utterance(number, segment, request_id)
            for number, segment in sorted(spoken, key=lambda each: each[1].start)
        ]
    about = {
        "transaction_key": "deprecated",
        "request_id": str(request_id),
        "sha256": sha256,
        "created": created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "duration": duration,
        "channels": channels,
        "models": [MODEL_ID],
        "model_info": {MODEL_ID: {"name": MODEL, "version": "0.0.73", "arch": "moonshine"}},
    }
    return json.dumps({"metadata": about, "results": results})


def _utterance(channel: int, segment: Segment, request_id: UUID) -> dict[str, Any]:
    return {
        "id": str(uuid5(request_id, f"{channel} {segment.start}")),
        "start": round(segment.start, 3),
        "end": round(segment.start + segment.duration, 3),
        "confidence": 0.0,
        "channel": channel,
        "transcript": segment.text,
        "words": [],
    }


def schema_error(text: str) -> str:
    """Return the answer to a text frame that cannot be parsed."""
    described = "Could not deserialize last text message: unknown or malformed message."
    return json.dumps({"type": "Error", "variant": "SchemaError", "description": described, "message": text[:1000]})

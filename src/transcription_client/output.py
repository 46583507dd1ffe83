"""Captions in a file: subtitles (SRT, WebVTT), text or JSON. A file is written whole, at the end, or left as it was."""

import os
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from transcription_client.core import printable
from transcription_client.errors import ClientError

LINE_LETTERS: Final = 42
"""Characters of a line that players show well."""
CUE_LINES: Final = 2


@dataclass(frozen=True, slots=True)
class Segment:
    """Final words, and where they are in the sound, in seconds since it began."""

    start: float
    end: float
    text: str


class File:
    """A file that gets the captions. Its folder is tried at once: raises ClientError where it cannot be written."""

    def __init__(self, path: Path, form: Callable[[Sequence[Segment]], str]) -> None:
        self._path = path.resolve()
        self._form = form
        if path.exists() and not path.is_file():
            raise ClientError(f"Can't write {path} (it isn't a regular file). Choose another file.")
        with _may_fail(path):
            self._draft("").unlink()

    def write(self, segments: Sequence[Segment]) -> None:
        """Replace the file in one step. Raises ClientError."""
        with _may_fail(self._path):
            draft = self._draft(self._form(segments))
            try:
                draft.replace(self._path)
            except OSError:
                draft.unlink(missing_ok=True)
                raise

    def _draft(self, content: str) -> Path:
        """A file beside it, with the permissions of any new file."""
        handle, name = tempfile.mkstemp(prefix=f".{self._path.name[:40]}.", dir=self._path.parent)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(content)
        draft = Path(name)
        draft.chmod(0o666 & ~_umask())
        return draft


class Record:
    """Collects final words for files."""

    def __init__(self, files: Sequence[File]) -> None:
        self._files = files
        self._segments: list[Segment] = []

    def add(self, start: float, end: float, text: str) -> None:
        """Final words; those without text withdraw others, and are none."""
        if text.strip():
            self._segments.append(Segment(start, max(start, end), " ".join(printable(text).split())))

    def write(self, *, complete: bool) -> None:
        """Write every file, in order of time, as channels come as they please. One that is not `complete` and has no
        words is left as it was. Raises ClientError."""
        if not complete and not self._segments:
            return
        segments = sorted(self._segments, key=lambda segment: segment.start)
        for file in self._files:
            file.write(segments)


def by_extension(path: Path) -> Callable[[Sequence[Segment]], str]:
    """The form that a file's name asks for; text where it asks for none."""
    return {".srt": as_srt, ".vtt": as_vtt, ".json": as_json}.get(path.suffix.lower(), as_text)


def as_text(segments: Sequence[Segment]) -> str:
    """A line for each final."""
    return "".join(f"{segment.text}\n" for segment in segments)


def as_json(segments: Sequence[Segment]) -> str:
    """The whole text, and each final with its times in seconds."""
    rows = [
        {"start": round(segment.start, 3), "end": round(segment.end, 3), "text": segment.text} for segment in segments
    ]
    whole = {"text": " ".join(segment.text for segment in segments), "segments": rows}
    return msgspec.json.format(msgspec.json.encode(whole)).decode() + "\n"


def as_srt(segments: Sequence[Segment]) -> str:
    """SubRip: numbered cues of at most two lines."""
    cues = [cue for segment in segments for cue in _cues(segment)]
    return "".join(
        f"{number}\n{_clock(cue.start)} --> {_clock(cue.end)}\n{cue.text}\n\n" for number, cue in enumerate(cues, 1)
    )


def as_vtt(segments: Sequence[Segment]) -> str:
    """WebVTT: the same cues, whose text cannot be read as a tag."""
    cues = [cue for segment in segments for cue in _cues(segment)]
    return "WEBVTT\n\n" + "".join(
        f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{_escaped(cue.text)}\n\n" for cue in cues
    )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cues(segment: Segment) -> Iterator[Segment]:
    """A long final in pieces that can be read, each for its share of the time by its letters."""
    lines = textwrap.wrap(segment.text.replace("-->", "->"), LINE_LETTERS)
    pieces = ["\n".join(lines[first : first + CUE_LINES]) for first in range(0, len(lines), CUE_LINES)]
    a_letter = (segment.end - segment.start) / sum(map(len, pieces))
    start = segment.start
    for piece in pieces:
        end = start + len(piece) * a_letter
        yield Segment(start, end, piece)
        start = end


def _clock(seconds: float, point: str = ",") -> str:
    """01:02:03,004"""
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{milliseconds:03}"


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


@contextmanager
def _may_fail(path: Path) -> Iterator[None]:
    """Says that a file cannot be written, and why."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ClientError(f"Can't write {path} ({reason}). Choose another file.") from error

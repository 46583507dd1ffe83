"""A file as the audio of an engine: at the speed it was spoken, and then silence."""

import threading
import time
from pathlib import Path

from tests.e2e.client import sound
from tests.e2e.desktop import wav
from transcription_client.file_audio import FileAudio


def test_a_file_is_played_in_real_time_and_then_silence(tmp_path: Path) -> None:
    heard = bytearray()
    complete = threading.Event()
    expected = sound(0.5)

    def take(piece: bytes) -> None:
        heard.extend(piece)
        if len(heard) >= len(expected) + 6400:
            complete.set()

    source = FileAudio(wav(tmp_path / "a.wav", expected))
    began = time.monotonic()
    source.start(take)
    assert complete.wait(10)
    assert time.monotonic() - began >= 0.65
    source.stop()
    assert heard.startswith(expected)
    assert not any(heard[len(expected) :])
    count = len(heard)
    assert not source._thread or not source._thread.is_alive()
    assert len(heard) == count


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    told = threading.Event()
    sentences: list[str] = []

    def problem(sentence: str) -> None:
        sentences.append(sentence)
        told.set()

    source = FileAudio(tmp_path / "none.wav")
    source.on_problem = problem
    source.start(lambda _: None)
    assert told.wait(10)
    source.stop()
    assert sentences == [f"No such file: {tmp_path / 'none.wav'}. Check the name."]

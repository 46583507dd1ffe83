"""A file as the audio source of an engine: decoded, and sent at the speed it was spoken."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from transcription_client import audio
from transcription_client.core import Format, Pace, frames
from transcription_client.errors import ClientError


class FileAudio:
    """An AudioSource. After the end of the file comes silence, so that the last words become final."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.on_problem: Callable[[str], None] = lambda sentence: None

    def start(self, callback: Callable[[bytes], None]) -> None:
        """Begin to play. A file that cannot be read is told to `on_problem`."""
        self._ended.clear()
        self._thread = threading.Thread(target=self._play, args=(callback,), daemon=True, name="file audio")
        self._thread.start()

    def stop(self) -> None:
        """End. No call of the callback begins after this has returned."""
        self._ended.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _play(self, callback: Callable[[bytes], None]) -> None:
        sound = Format()
        pace = Pace(sound)
        try:
            for frame in frames(audio.from_file(self._path, sound), sound.frame_bytes):
                if self._ended.wait(pace.wait(len(frame), time.monotonic())):
                    return
                callback(frame)
        except ClientError as error:
            self.on_problem(str(error))
        silence = bytes(sound.frame_bytes)
        while not self._ended.wait(pace.wait(len(silence), time.monotonic())):
            callback(silence)

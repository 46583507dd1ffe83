"""Takes audio from the thread that captures it: measures its level, drops it while muted, and passes it on."""

import asyncio
import time

from transcription_client.blocks import Blocks
from transcription_client.engine.level import Level
from transcription_client.engine.settings import AUDIO
from transcription_client.engine.timeline import Timeline
from transcription_client.flow import Source


class Feed:
    """The audio of one run. `began_at`: when the run began, monotonic seconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop, began_at: float) -> None:
        self._began_at = began_at
        self._blocks = Blocks(loop, self._note_taken)
        self._odd_byte = b""
        self.level = Level()
        self.timeline = Timeline()
        self.muted = False
        self.last_at = began_at
        """When audio last arrived that was not muted, monotonic seconds."""

    def put(self, sound: bytes) -> None:
        """Take audio. May be called from any thread, but from one at a time."""
        sound = self._odd_byte + sound
        whole = len(sound) // AUDIO.block * AUDIO.block
        sound, self._odd_byte = sound[:whole], sound[whole:]
        if not sound:
            return
        self.level.feed(sound)
        if not self.muted:
            self.last_at = time.monotonic()
            self._blocks.put(sound)

    def source(self) -> Source:
        """Return what the captioner reads. It never ends by itself."""
        return Source(self._blocks.arriving(""), AUDIO, live=True, take_missed=self._blocks.take_missed)

    def _note_taken(self, nbytes: int, at: float) -> None:
        self.timeline.append(nbytes / AUDIO.bytes_per_second, at - self._began_at)

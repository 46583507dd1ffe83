"""Moves audio from its source to the current session: keeps it on a tape, and limits its lead over its words."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass

from transcription_client.connection import Connection
from transcription_client.core import Format, Lead
from transcription_client.errors import ClientError
from transcription_client.tape import Tape
from transcription_wire import messages as wire


@dataclass(frozen=True, slots=True)
class Source:
    """Where audio comes from: an iterator of bytes in the format `audio`."""

    sound: AsyncIterator[bytes]
    audio: Format
    live: bool = False
    """The source cannot wait, as a microphone cannot: audio that is not read is lost."""
    on_words: Callable[[float], None] = lambda seconds: None
    """Called with the seconds of audio up to which words have come."""
    take_missed: Callable[[], int] = lambda: 0
    """Return how many bytes the source has lost since the last call."""


class Flow:
    """Feeds one transcription's sessions with audio. `on_gap`: called with the seconds of audio that were dropped."""

    def __init__(self, source: Source, on_gap: Callable[[float], None]) -> None:
        self._source = source
        self._on_gap = on_gap
        self._tape = Tape(source.audio)
        self._lead = Lead(0.0)
        self._stirred = asyncio.Event()
        self._began = asyncio.Event()
        self._over = False
        """The source has ended."""
        self._behind = False
        """There is audio that waited for a session."""
        self.gaps = False
        self._feeding = asyncio.create_task(self._feed())

    @property
    def rest(self) -> float | None:
        """Seconds of audio without final words; None until the source has ended."""
        return self._tape.seconds if self._over else None

    @property
    def kept(self) -> float:
        """Seconds of audio on the tape."""
        return self._tape.seconds

    @property
    def is_idle(self) -> bool:
        """Whether all audio so far was sent."""
        return not self._tape.unsent

    def begin(self, now: float) -> None:
        """Begin to send to a session that became ready at `now`, monotonic seconds."""
        self._lead = Lead(now)
        self._began.set()

    async def send_all(self, connection: Connection) -> None:
        """Send all audio from the tape, then `stop`. Return early where the connection is lost."""
        tape, audio = self._tape, self._source.audio
        while await self.wait_for_sound():
            size = min(tape.unsent, audio.frame_bytes)
            wait = self._lead.wait(tape.sent_seconds + size / audio.bytes_per_second, time.monotonic())
            if wait > 0:
                await self._change(wait)
            elif await connection.send_audio(tape.take(size)):
                self._stirred.set()
            else:
                return
        await connection.send_message(wire.Stop())

    def record_words(self, words: wire.Transcript) -> bool:
        """Note that words came. Return False where they were final in an earlier session."""
        self._lead.note_words(words.start + words.duration)
        self._source.on_words(self.span_of(words)[1])
        self._stirred.set()
        return self._tape.record_words(words)

    def span_of(self, words: wire.Transcript) -> tuple[float, float]:
        """Return the start and end of words, in seconds since the transcription began."""
        return self._tape.span_of(words)

    def rewind(self) -> None:
        """Prepare to send all kept audio to the next session, since the last one is over."""
        self._tape.rewind()
        self._behind = True
        self._stirred.set()

    async def wait_for_sound(self) -> bool:
        """Wait for unsent audio. Return False where the source has ended and all was sent."""
        while not self._tape.unsent:
            self._behind = False
            self._stirred.set()
            if self._over:
                return False
            await self._change()
        return True

    def stop(self) -> None:
        """Read no more audio."""
        self._feeding.cancel()
        self._end()

    async def close(self) -> ClientError | None:
        """Read no more audio. Return the error that ended the source, if any."""
        self.stop()
        try:
            await self._feeding
        except asyncio.CancelledError:
            return None
        except ClientError as error:
            return error
        return None

    async def _feed(self) -> None:
        """Move audio from the source to the tape. A source that is not live waits while the tape is full."""
        source, tape = self._source, self._tape
        try:
            if not source.live:
                await self._began.wait()
            async for sound in source.sound:
                while not source.live and not tape.fits(len(sound)):
                    await self._change()
                self._note_gap(tape.append(sound) + source.take_missed())
                self._stirred.set()
                while not source.live and not self._behind and tape.unsent:
                    await self._change()
        finally:
            self._end()

    def _end(self) -> None:
        self._over = True
        self._stirred.set()

    def _note_gap(self, nbytes: int) -> None:
        if nbytes:
            self.gaps = True
            self._on_gap(nbytes / self._source.audio.bytes_per_second)

    async def _change(self, within: float | None = None) -> None:
        """Wait for a change of the tape or the session, at most `within` seconds."""
        self._stirred.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._stirred.wait()

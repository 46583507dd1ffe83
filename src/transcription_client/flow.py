"""Sound on its way from its source to the session there is: kept on a tape, sent no faster than its words come."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass

from transcription_client.core import Format, Lead
from transcription_client.errors import ClientError
from transcription_client.line import Line
from transcription_client.tape import Tape
from transcription_wire import messages as wire


@dataclass(frozen=True, slots=True)
class Source:
    """Where the sound comes from."""

    sound: AsyncIterator[bytes]
    audio: Format
    live: bool = False
    """It cannot wait: what is not taken is lost."""
    heard: Callable[[float], None] = lambda seconds: None
    """To be told how far the words have come."""
    missed: Callable[[], int] = lambda: 0
    """How many bytes it lost since it was last asked."""


class Flow:
    """`on_gap` is told of sound that is lost, seconds."""

    def __init__(self, source: Source, on_gap: Callable[[float], None]) -> None:
        self._source = source
        self._on_gap = on_gap
        self._tape = Tape(source.audio)
        self._lead = Lead(0.0)
        self._stirred = asyncio.Event()
        self._began = asyncio.Event()
        self._over = False
        """No more sound comes."""
        self._behind = False
        """There is sound that waited for a session."""
        self.gaps = False
        self._feeding = asyncio.create_task(self._feed())

    @property
    def rest(self) -> float | None:
        """Seconds of sound without final words, None while more comes."""
        return self._tape.seconds if self._over else None

    @property
    def kept(self) -> float:
        """Seconds of sound on the tape."""
        return self._tape.seconds

    def begin(self, now: float) -> None:
        """A session is ready."""
        self._lead = Lead(now)
        self._began.set()

    async def speak(self, line: Line) -> None:
        """From the tape to the line, and `stop` at the end of all sound."""
        tape, audio = self._tape, self._source.audio
        while await self._sound_is_there():
            size = min(tape.unsent, audio.frame_bytes)
            wait = self._lead.wait(tape.sent_seconds + size / audio.bytes_per_second, time.monotonic())
            if wait > 0:
                await self._change(wait)
            elif await line.send(tape.take(size)):
                self._stirred.set()
            else:
                return
        await line.say(wire.Stop())

    def hear(self, words: wire.Transcript) -> bool:
        """Words came. False: they were final in an earlier session."""
        self._lead.heard(words.start + words.duration)
        self._source.heard(self.span(words)[1])
        self._stirred.set()
        return self._tape.hear(words)

    def span(self, words: wire.Transcript) -> tuple[float, float]:
        """Where words begin and end in all of the sound, whatever session they came from, seconds."""
        return self._tape.span(words)

    def rewind(self) -> None:
        """The session is over; the next one hears what is kept."""
        self._tape.rewind()
        self._behind = True
        self._stirred.set()

    def stop(self) -> None:
        """Takes no more sound."""
        self._feeding.cancel()
        self._end()

    async def close(self) -> ClientError | None:
        """Takes no more sound; what the source failed with."""
        self.stop()
        try:
            await self._feeding
        except asyncio.CancelledError:
            return None
        except ClientError as error:
            return error
        return None

    async def _feed(self) -> None:
        """From the source to the tape. A source that can wait does, when enough is kept."""
        source, tape = self._source, self._tape
        try:
            if not source.live:
                await self._began.wait()
            async for sound in source.sound:
                while not source.live and not tape.fits(len(sound)):
                    await self._change()
                self._note_gap(tape.append(sound) + source.missed())
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

    async def _sound_is_there(self) -> bool:
        """False: and none comes any more."""
        while not self._tape.unsent:
            self._behind = False
            self._stirred.set()
            if self._over:
                return False
            await self._change()
        return True

    async def _change(self, within: float | None = None) -> None:
        """Until something happens."""
        self._stirred.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._stirred.wait()

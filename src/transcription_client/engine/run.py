"""One run of an engine, from start to stop: a thread with an event loop for the captioner, one for callbacks."""

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final

from transcription_client.core import what_happened
from transcription_client.engine import sentences
from transcription_client.engine.background import in_thread
from transcription_client.engine.callbacks import Callbacks
from transcription_client.engine.captioner import STOPPED, Captioner
from transcription_client.engine.feed import Feed
from transcription_client.engine.providers import Provider
from transcription_client.engine.report import OnStatus, OnTranscript, Report
from transcription_client.engine.values import AudioSource
from transcription_client.errors import ClientError
from transcription_client.redial import Ended
from transcription_wire.codes import ErrorCode, Reason
from transcription_wire.sentences import ENDS, ERRORS

log = logging.getLogger(__name__)
LAST_WORDS_SECONDS: Final = 3.0
"""How long `end` waits for the last words before it drops the connection."""
DROP_SECONDS: Final = 1.0
"""How long dropping the connection may take. With the callbacks' second, `end` takes 5 s at most."""
CALLBACK_SECONDS: Final = 0.8
"""How long the app's callbacks may take at the end."""
AUDIO_STOP_SECONDS: Final = 0.5
"""How long an audio source may take to stop."""
FAILED: Final = "failed"
"""The reason of an end by a fault of the engine itself."""
Provide = Callable[[Callbacks], tuple[Provider, Provider | None]]
"""Returns what captions, and what does so meanwhile if that is away. Raises ClientError. Its argument calls the app."""


class Run:
    """Runs once, from `begin` to `end`."""

    def __init__(self, provide: Provide, on_transcript: OnTranscript, on_status: OnStatus | None) -> None:
        self._provide = provide
        self._callbacks = Callbacks()
        self.report = Report(self._callbacks, on_transcript, on_status)
        self.feed: Feed | None = None
        self._loop: asyncio.AbstractEventLoop
        self._thread: threading.Thread | None = None
        self._captioner: Captioner | None = None
        self._working: asyncio.Task[Ended] | None = None
        self._stopping = False
        self._over = False

    @property
    def is_new(self) -> bool:
        """Whether it may still begin."""
        return self._thread is None and not self._stopping

    @property
    def is_running(self) -> bool:
        return self._thread is not None and not self._over

    def begin(self, audio: AudioSource, on_audio: Callable[[bytes], None], *, muted: bool) -> None:
        """Start to caption. `audio` is started with `on_audio`, which passes what it wants to `feed`."""
        self._loop = _new_loop()
        self.feed = Feed(self._loop, time.monotonic())
        self.feed.muted = muted
        self.report.began_at = datetime.now().astimezone()
        self._thread = threading.Thread(target=self._main, args=(audio, on_audio), name="captions", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Finish the last words and end, within 5 s. No callback begins after this has returned."""
        self._stopping = True
        if self._thread is not None:
            self._ask(self._stop_captioner)
            self._thread.join(LAST_WORDS_SECONDS)
            if self._thread.is_alive():
                self._ask(self._drop)
                self._thread.join(DROP_SECONDS)
        self._callbacks.close(CALLBACK_SECONDS)

    def _ask(self, call: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the event loop is closed
            self._loop.call_soon_threadsafe(call)

    def _stop_captioner(self) -> None:
        if self._captioner is not None:
            self._captioner.stop()

    def _drop(self) -> None:
        if self._working is not None:
            self._working.cancel()

    def _main(self, audio: AudioSource, on_audio: Callable[[bytes], None]) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._working = self._loop.create_task(self._work(audio, on_audio))
            ended = self._loop.run_until_complete(self._working)
        except asyncio.CancelledError:
            ended = STOPPED
        except Exception:
            log.exception("the captions failed")
            ended = Ended(error=FAILED)
        finally:
            self._close_loop()
        self._over = True  # before the app is told, since it may start again at once
        reason, sentence = _told(ended)
        self.report.enter("ended", sentence, reason=reason)

    async def _work(self, audio: AudioSource, on_audio: Callable[[bytes], None]) -> Ended:
        assert self.feed is not None
        try:
            primary, fallback = self._provide(self._callbacks)
        except ClientError as error:
            return Ended(fault=error)
        self.report.has_fallback = fallback is not None
        self._captioner = Captioner(primary, fallback, self.feed, self.report)
        if self._stopping:
            self._captioner.stop()
        starting = asyncio.create_task(self._start_audio(audio, on_audio))
        try:
            return await self._captioner.run()
        finally:
            await self._stop_audio(audio, starting)

    async def _start_audio(self, audio: AudioSource, on_audio: Callable[[bytes], None]) -> None:
        if hasattr(audio, "on_problem"):
            audio.on_problem = self.report.problem
        try:
            await in_thread(lambda: audio.start(on_audio))
        except Exception as error:  # noqa: BLE001 - a source of the app's may raise anything
            log.warning("the audio source failed to start: %s", type(error).__name__)
            self.report.problem(str(error) if isinstance(error, ClientError) else sentences.SOURCE_FAILED)

    async def _stop_audio(self, audio: AudioSource, starting: "asyncio.Task[None]") -> None:
        """Stop the source, even while it starts. One that takes too long is left to its thread."""

        async def stop() -> None:
            await starting
            await in_thread(audio.stop)

        try:
            async with asyncio.timeout(AUDIO_STOP_SECONDS):
                await stop()
        except TimeoutError:
            log.warning("the audio source does not stop")
        except Exception as error:  # noqa: BLE001 - a source of the app's may raise anything
            log.warning("the audio source failed to stop: %s", type(error).__name__)

    def _close_loop(self) -> None:
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        self._loop.close()


def _new_loop() -> asyncio.AbstractEventLoop:
    """Return an event loop that can start processes, whatever policy the app has chosen."""
    if sys.platform == "win32":
        return asyncio.ProactorEventLoop()
    return asyncio.new_event_loop()


def _told(ended: Ended) -> tuple[str, str]:
    """Return the reason and the sentence with which captions ended."""
    if ended.error == FAILED:
        return FAILED, sentences.ENGINE_FAILED.full
    if ended.reason is not None:
        known = ended.reason in ENDS
        return str(ended.reason), ENDS[Reason(ended.reason)].sentence.full if known else what_happened(ended.reason)
    if ended.error is not None:
        known = ended.error in ERRORS
        return ended.error, ended.detail or (ERRORS[ErrorCode(ended.error)].full if known else ended.why)
    if ended.fault is not None:
        return "refused", str(ended.fault)
    return str(Reason.CLIENT_GONE), ENDS[Reason.CLIENT_GONE].sentence.full

"""Decodes the container or codec of one live stream, in a thread of its own: FFmpeg asks for bytes and waits for them.

The bytes, and everything that is shared, belong to the event loop. The thread gets and gives through coroutines, so
that audio and Finalize requests keep their order, and a stream that is late slows its own decoder down."""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from enum import Enum
from typing import Any, Final, TypeVar

import numpy as np

from transcription_engine.decode import Undecodable, decoded_live
from transcription_engine.pcm import RATE, Pcm
from transcription_engine.request import Encoded

MAX_WAITING_BYTES: Final = 1 << 20
"""Bytes that may wait for the decoder before the engine stops reading from the client."""
PIECE_SAMPLES: Final = RATE // 2
"""Samples after which decoded audio is delivered. It is delivered earlier when the decoder waits for more bytes."""
Result = TypeVar("Result")


class _Mark(Enum):
    FINALIZE = "finalize"
    END = "end"


class LiveDecoder:
    """The decoder of one stream. Its methods are for the event loop."""

    def __init__(
        self,
        encoded: Encoded | None,
        deliver: Callable[[Pcm], Awaitable[None]],
        finalize: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        """`deliver`: takes decoded audio, and waits while there is no room. `finalize`: takes effect after all audio
        delivered so far. `changed`: called when there is room again, and when the decoder has ended."""
        self._loop = asyncio.get_running_loop()
        self._deliver = deliver
        self._finalize = finalize
        self._changed = changed
        self._items: deque[bytes | _Mark] = deque()
        self._waiting_bytes = 0
        self._has_items = asyncio.Event()
        self._got_bytes = False
        self._aborted = False
        self._error: Exception | None = None
        self._ended = asyncio.Event()
        source = _Source(self._call, self._take, self._flush)
        self._pending: list[Pcm] = []
        """Decoded audio that was not delivered yet. It belongs to the thread."""
        threading.Thread(target=self._run, args=(source, encoded), name="decoder", daemon=True).start()

    def add(self, data: bytes) -> None:
        """Add bytes that arrived."""
        self._got_bytes = True
        self._waiting_bytes += len(data)
        self._put(data)

    def finalize(self) -> None:
        """Add a Finalize, which takes effect after all bytes so far."""
        self._put(_Mark.FINALIZE)

    def end(self) -> None:
        """Say that there are no more bytes."""
        self._put(_Mark.END)

    def abort(self) -> None:
        """End the decoder without its audio."""
        self._aborted = True
        self.end()

    async def wait(self) -> None:
        """Wait until all audio was delivered, after `end` or `abort`."""
        await self._ended.wait()

    @property
    def is_full(self) -> bool:
        """Whether the engine should stop reading from the client."""
        return self._waiting_bytes >= MAX_WAITING_BYTES

    @property
    def is_undecodable(self) -> bool:
        """Whether what arrived cannot be decoded as audio. Raise any other error of the decoder."""
        if self._error is not None and not isinstance(self._error, Undecodable):
            raise self._error
        return self._error is not None and self._got_bytes

    def _put(self, item: bytes | _Mark) -> None:
        self._items.append(item)
        self._has_items.set()

    async def _take(self) -> bytes | None:
        """Return the next message, None at the end."""
        while True:
            while not self._items:
                self._has_items.clear()
                await self._has_items.wait()
            item = self._items[0]
            if item is _Mark.END or self._aborted:
                return None  # the mark stays, so each later call returns None too
            self._items.popleft()
            if isinstance(item, bytes):
                self._waiting_bytes -= len(item)
                self._changed()
                return item
            self._finalize()

    # In the thread

    def _run(self, source: "_Source", encoded: Encoded | None) -> None:
        error: Exception | None = None
        try:
            for piece in decoded_live(source, encoded):
                self._pending.append(piece)
                if sum(map(len, self._pending)) >= PIECE_SAMPLES:
                    self._flush()
            while source.message():
                pass  # what follows the end of a container is ignored, but for the Finalize requests in it
        except Exception as failure:  # noqa: BLE001 - the stream raises it
            error = failure
        self._call(self._finish(error))

    async def _finish(self, error: Exception | None) -> None:
        await self._deliver_all()
        self._error = error
        self._ended.set()
        self._changed()

    def _flush(self) -> None:
        if self._pending:
            self._call(self._deliver_all())

    async def _deliver_all(self) -> None:
        pieces = [piece for piece in self._pending if len(piece)]
        self._pending.clear()
        if pieces and not self._aborted:
            await self._deliver(np.concatenate(pieces))

    def _call(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


class _Source:
    """The bytes of a stream for the decoder, in its thread."""

    def __init__(
        self,
        call: Callable[[Coroutine[Any, Any, bytes | None]], bytes | None],
        take: Callable[[], Coroutine[Any, Any, bytes | None]],
        flush: Callable[[], None],
    ) -> None:
        self._call = call
        self._take = take
        self._flush = flush
        self._head = b""
        self._position = 0

    def read(self, size: int) -> bytes:
        """Return at most so many bytes, none at the end."""
        if self._position == len(self._head):
            self._head, self._position = self.message(), 0
        data = self._head[self._position : self._position + size]
        self._position += len(data)
        return data

    def peek(self, size: int) -> bytes:
        """Return so many bytes without consuming them, fewer at the end."""
        while len(self._head) - self._position < size and (more := self.message()):
            self._head = self._head[self._position :] + more
            self._position = 0
        return self._head[self._position : self._position + size]

    def message(self) -> bytes:
        """Return the next message of the client, none at the end."""
        self._flush()  # the decoder has made what it can of the bytes so far
        return self._call(self._take()) or b""

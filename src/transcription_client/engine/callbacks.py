"""Calls the app's functions, one after another, from one thread."""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

log = logging.getLogger(__name__)
Call = Callable[[], None]


class Callbacks:
    """A queue of calls, and the thread that makes them. The thread starts with the first call."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def post(self, call: Call) -> None:
        """Have a call made soon. May be called from any thread. Calls after `close` are ignored."""
        with self._lock:
            if self._closed:
                return
            self._calls.put(call)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="captions-callbacks", daemon=True)
                self._thread.start()

    def close(self, within: float) -> None:
        """Make the calls that wait, for at most `within` seconds. No call begins after this has returned.

        From within a call, return at once: the calls that wait are dropped."""
        self._calls.put(None)
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(within)
        with self._lock:
            self._closed = True

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            with self._lock:
                if self._closed:
                    return
            try:
                call()
            except Exception:
                log.exception("a callback of the app failed")

"""Calls a function evenly over time: a timer of the kernel wakes the event loop, to the microsecond.

The event loop's own timers are of a millisecond, which turns 10,000 frames a second into bursts of ten."""

import asyncio
import ctypes
import os
from array import array
from collections.abc import Callable
from time import monotonic
from typing import Any

CLOCK_MONOTONIC = 1
SHORTEST_SECONDS = 50e-6
"""Shortest interval of the timer. More frequent interrupts would cost more than the slots, so slots that are due come
together."""
SLOTS_AT_ONCE = 100
"""Slots made up for before the event loop reads answers again."""
PR_SET_TIMERSLACK = 29
_libc: Any = ctypes.CDLL(None, use_errno=True)


class _Spec(ctypes.Structure):
    """struct itimerspec: the interval, then the first expiry, each in seconds and nanoseconds."""

    _fields_ = (("interval", ctypes.c_long * 2), ("first", ctypes.c_long * 2))


class Pacer:
    """Calls `work(slot)` for each slot, `interval` seconds apart. A slot that is late is made up for at once.

    `lateness`: seconds between each slot's time and its call.
    """

    def __init__(self, interval: float, work: Callable[[int], None]) -> None:
        self._interval = interval
        self._work = work
        self._slot = 0
        self._timer = -1
        self.lateness = array("d")

    def start(self) -> None:
        """Begin with slot 0, now. Must be called inside a running event loop."""
        self._began = monotonic()
        self._timer = _timer(max(SHORTEST_SECONDS, self._interval))
        asyncio.get_running_loop().add_reader(self._timer, self._expired)

    def stop(self) -> None:
        asyncio.get_running_loop().remove_reader(self._timer)
        os.close(self._timer)

    def _expired(self) -> None:
        os.read(self._timer, 8)
        for _ in range(SLOTS_AT_ONCE):
            late = monotonic() - self._began - self._slot * self._interval
            if late < 0:
                break
            self.lateness.append(late)
            self._work(self._slot)
            self._slot += 1


def _timer(interval: float) -> int:
    """Return the descriptor of a timer that becomes readable every `interval` seconds. Raise OSError."""
    nanoseconds = max(1, round(interval * 1e9))
    pair = (ctypes.c_long * 2)(*divmod(nanoseconds, 1_000_000_000))
    _libc.prctl(PR_SET_TIMERSLACK, 1)  # else the kernel may delay the timer by 50 microseconds
    timer: int = _libc.timerfd_create(CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
    if timer < 0 or _libc.timerfd_settime(timer, 0, ctypes.byref(_Spec(pair, pair)), None) < 0:
        raise OSError(ctypes.get_errno(), "the kernel gave no timer")
    return timer

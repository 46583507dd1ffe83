"""Runs slow calls on threads of their own, so that no window waits for a network."""

import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Qt, Signal

from transcription_client.errors import ClientError
from transcription_client.gui import sentences

T = TypeVar("T")
Failed = Callable[[str], None]


class _Emitter(QObject):
    """Brings a result to the window's thread. It has no parent, so that no window takes it from a thread that emits."""

    ended = Signal(object)


class Background(QObject):
    """Runs one call at a time for a widget. The result of a call that another has replaced is dropped."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._latest = 0
        self._emitter = _Emitter()
        self._emitter.ended.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def run(self, work: Callable[[], T], done: Callable[[T], None], failed: Failed) -> None:
        """Call `work` on another thread, and then `done` or `failed` (with a sentence) on the window's."""
        self._latest += 1
        arguments = (self._emitter, self._latest, work, done, failed)
        threading.Thread(target=_work, args=arguments, daemon=True, name="background").start()

    def cancel(self) -> None:
        """Drop the result of the call that is under way."""
        self._latest += 1

    def _deliver(self, ended: tuple[int, Callable[[Any], None], Any]) -> None:
        number, then, value = ended
        if number == self._latest:
            then(value)


def _work(emitter: _Emitter, number: int, work: Callable[[], Any], done: Callable[[Any], None], failed: Failed) -> None:
    try:
        result = work()
    except ClientError as error:
        emitter.ended.emit((number, failed, str(error)))
    except Exception as error:  # noqa: BLE001 - a bug is shown, and does not leave the window waiting
        traceback.print_exc(file=sys.stderr)
        emitter.ended.emit((number, failed, sentences.unexpected(error)))
    else:
        emitter.ended.emit((number, done, result))

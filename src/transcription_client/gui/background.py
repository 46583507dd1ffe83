"""Runs slow calls on threads of their own, so that no window waits for a network."""

import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Qt, Signal

from transcription_client.errors import ClientError
from transcription_client.gui import sentences

T = TypeVar("T")
Failed = Callable[[str], None]


class Background(QObject):
    """Runs one call at a time for a widget. The result of a call that another has replaced is dropped."""

    _ended = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._latest = 0
        self._ended.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def run(self, work: Callable[[], T], done: Callable[[T], None], failed: Failed) -> None:
        """Call `work` on another thread, and then `done` or `failed` (with a sentence) on the window's."""
        self._latest += 1
        arguments = (self._latest, work, done, failed)
        threading.Thread(target=self._work, args=arguments, daemon=True, name="background").start()

    def cancel(self) -> None:
        """Drop the result of the call that is under way."""
        self._latest += 1

    def _work(self, number: int, work: Callable[[], Any], done: Callable[[Any], None], failed: Failed) -> None:
        try:
            result = work()
        except ClientError as error:
            self._emit(number, failed, str(error))
        except Exception as error:  # noqa: BLE001 - a defect of ours is shown, and does not leave the window waiting
            traceback.print_exc(file=sys.stderr)
            self._emit(number, failed, sentences.unexpected(error))
        else:
            self._emit(number, done, result)

    def _emit(self, number: int, then: Callable[[Any], None], value: Any) -> None:
        with suppress(RuntimeError):  # the window is gone
            self._ended.emit((number, then, value))

    def _deliver(self, ended: tuple[int, Callable[[Any], None], Any]) -> None:
        number, then, value = ended
        if number == self._latest:
            then(value)

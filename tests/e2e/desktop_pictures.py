"""The pictures of the caption app in docs/: `python -m tests.e2e.desktop_pictures` makes them from a real run.

A new user registers at a running service, captions recorded speech with the built-in engine, and opens the settings."""

import asyncio
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QTimer
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QApplication

from tests.browser.microphone import keep
from tests.e2e.service import Service, environment, serving
from tests.integration.engine.recordings import recording
from tests.unit.client.keyrings import memory_keyring
from transcription_client.audio import FileSource
from transcription_client.gui import app
from transcription_client.gui.settings_dialog import SettingsDialog
from transcription_client.gui.window import CaptionWindow
from transcription_client.net import Api
from transcription_client.store import Store

DOCS: Final = Path(__file__).parents[2] / "docs"
EMAIL: Final = "mira@example.org"
SECONDS: Final = 11_400
"""Beside those that a new account is given."""
WORDS: Final = "wisdom"
"""In the recording, after about seven seconds."""


@contextmanager
def service(scratch: Path) -> Iterator[Service]:
    """A running service with the built-in engine, in an event loop of its own."""
    env = environment(scratch / "data", "")
    del env["DEEPGRAM_URL"], env["DEEPGRAM_API_KEY"]
    env["PORT"] = "3000"
    ready, ended = threading.Event(), asyncio.Event()
    found: list[Any] = []

    async def serve() -> None:
        async with serving(env) as running:
            found.extend((running, asyncio.get_running_loop()))
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    ready.wait()
    running, loop = found
    try:
        yield running
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()


class Photographer:
    """Watches the app's windows, and takes each picture when there is something to see."""

    def begin(self) -> None:
        self._when(self._has_words, self._take_captions)

    @property
    def _window(self) -> CaptionWindow:
        return next(each for each in QApplication.topLevelWidgets() if isinstance(each, CaptionWindow))

    def _has_words(self) -> bool:
        shown = self._window.view.shown
        is_telling = len(shown.interim) > 24 and self._window.controls.level.value() > 40
        return WORDS in " ".join(shown.finals) and is_telling

    def _take_captions(self) -> None:
        self._window.grab().save(str(DOCS / "desktop.png"))
        dialog = self._window.open_settings()
        dialog.tabs.setFocus()
        self._when(lambda: not dialog.section.account.is_checking, lambda: self._take_settings(dialog))

    def _take_settings(self, dialog: SettingsDialog) -> None:
        dialog.grab().save(str(DOCS / "desktop-settings.png"))
        dialog.reject()
        self._window.end()

    def _when(self, condition: Callable[[], bool], act: Callable[[], None]) -> None:
        QTimer.singleShot(100, lambda: act() if condition() else self._when(condition, act))


def main(scratch: Path) -> None:
    os.environ |= {"QT_QPA_PLATFORM": "offscreen", "QT_SCALE_FACTOR": "2"}
    os.environ["TRANSCRIPTION_CONFIG_DIR"] = str(scratch / "me")
    os.environ["LC_TIME"] = "en_US.UTF-8"
    file = keep(scratch / "speech.wav", *recording("two_cities.wav"))
    with service(scratch) as running, memory_keyring():
        Store().save(Api(running.url).enter(EMAIL, "correct horse battery", register=True))
        asyncio.run(running.command("credits", "grant", EMAIL, str(SECONDS), "--reason", "pictures"))
        settings = (
            f"remote: {{mode: managed, server_url: '{running.url}', fallback: local}}\nwindow: {{theme: light}}\n"
        )
        (scratch / "me").mkdir(exist_ok=True)
        (scratch / "me" / "config.yaml").write_text(settings)
        application = QApplication(sys.argv[:1])
        application.setFont(QFont("Liberation Sans", 10))
        Photographer().begin()
        app.run(lambda _: FileSource(file), start=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="captions-pictures-") as name:
        Path(name).chmod(0o755)
        main(Path(name))

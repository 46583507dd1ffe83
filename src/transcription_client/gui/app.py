"""Starts the caption app: one copy, its theme, the first questions, and the window."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from types import FrameType
from typing import Any, Final

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QMessageBox

from transcription_client import lock
from transcription_client.config import Config, expires_at
from transcription_client.engine.report import OnStatus, OnTranscript
from transcription_client.engine.values import AudioSource
from transcription_client.errors import ClientError
from transcription_client.files import writing
from transcription_client.gui import sentences, theme
from transcription_client.gui.icons import icon
from transcription_client.gui.session import Engine
from transcription_client.gui.welcome import Welcome
from transcription_client.gui.window import CaptionWindow, Parts
from transcription_client.local_transcription import LocalTranscriptionEngine
from transcription_client.microphone import Microphone, input_devices
from transcription_client.remote_transcription import RemoteTranscriptionEngine
from transcription_client.secret_store import SecretStore, folder
from transcription_client.store import Login, Store

LOCK: Final = "app.lock"
MODEL: Final = "moonshine_voice"
"""The package that the extra `[local]` brings."""
SIGNAL_MS: Final = 200
"""How late a signal is noticed at most."""
Audio = Callable[[str], AudioSource | None]


def run(audio: Audio | None = None, start: bool = False) -> int:
    """Open the caption window, and return the exit status when it is closed.

    `audio`: makes the source in place of a microphone. `start`: start captions at once. Raise ClientError."""
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    app.setApplicationName("transcription-client")
    app.setApplicationDisplayName(sentences.APP)
    app.setStyle("Fusion")
    app.setQuitOnLastWindowClosed(False)
    app.setWindowIcon(icon("app"))
    held = _take_lock()
    if held is None:
        theme.apply(app, "system")
        print(sentences.ALREADY_RUNNING, file=sys.stderr)  # noqa: T201
        QMessageBox.information(None, sentences.APP, sentences.ALREADY_RUNNING)
        return 1
    try:
        return _run(app, audio or (lambda device: Microphone(device or None)), start)
    finally:
        os.close(held)


def _run(app: QApplication, audio: Audio, start: bool) -> int:
    config, secrets, store = Config.load(), SecretStore(), Store()
    config.move_secrets(secrets, store)
    wear = partial(_wear, app, config)
    wear()
    app.styleHints().colorSchemeChanged.connect(lambda _: wear())  # with "system", when the system's changes
    window = CaptionWindow(Parts(config, store, secrets, _maker(store), audio, input_devices, local_mode()))
    window.show()
    if config.is_new:
        welcome = Welcome(config, window.section(), window)
        welcome.finished.connect(window.show_balance)
        welcome.finished.connect(welcome.deleteLater)
        QTimer.singleShot(0, welcome.open)
    elif start:
        QTimer.singleShot(0, window.start)
    with _signals(window):
        return app.exec()


@contextmanager
def _signals(window: CaptionWindow) -> Iterator[None]:
    """Close the window on Ctrl-C and SIGTERM, as a user does, but without a question. A second signal ends at once.

    Python calls the handler between any two of its own steps, also while a widget paints itself: a window that closes
    then ends the process. So the handler only takes a note, and the event loop closes the window."""
    ended = threading.Event()

    def end(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        ended.set()

    def close() -> None:
        if ended.is_set():
            ended.clear()
            window.end()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    waking = QTimer(interval=SIGNAL_MS)  # while Qt waits, Python calls no handler
    waking.timeout.connect(close)
    waking.start()
    yield
    waking.stop()
    for number, handler in before.items():
        signal.signal(number, handler)


def _wear(app: QApplication, config: Config) -> None:
    theme.apply(app, str(config.sections["window"]["theme"]))


def _take_lock() -> int | None:
    """Return a descriptor that holds the app's lock, or None where another copy holds it. Raise ClientError."""
    with writing(folder()):
        return lock.take(folder() / LOCK, within=0.0)


def local_mode() -> tuple[str, str]:
    """Return the name of the local mode, and a line about it."""
    about = sentences.LOCAL_ABOUT if find_spec(MODEL) else sentences.LOCAL_MISSING
    return sentences.LOCAL_BUILT_IN, about


def _maker(store: Store) -> Callable[..., Engine]:
    """Return what makes an engine, and keeps the tokens that it renews."""

    def keep(token: str, refresh_token: str) -> None:
        with suppress(ClientError), store.locked():  # else the next start asks for a login
            known = store.load()
            if known is not None:
                store.save(renewed(known, token, refresh_token))

    def make(
        config: Mapping[str, Any], on_transcript: OnTranscript, on_status: OnStatus, audio: AudioSource | None
    ) -> Engine:
        if config["mode"] == "local":
            return LocalTranscriptionEngine(config, on_transcript, on_status, audio)
        return RemoteTranscriptionEngine(config, on_transcript, on_status, audio, on_tokens=keep)

    return make


def renewed(login: Login, token: str, refresh_token: str) -> Login:
    """Return a login with the tokens that an engine has renewed."""
    return Login(login.server, login.email, token, refresh_token, expires_at(token))

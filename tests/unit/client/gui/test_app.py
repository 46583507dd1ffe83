"""The start of the app: one copy at a time, the first question, and tokens that an engine renews."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QMessageBox, QWidget
from pytestqt.qtbot import QtBot

from transcription_client import lock
from transcription_client.config import Config
from transcription_client.gui import app, sentences
from transcription_client.gui.welcome import Welcome
from transcription_client.gui.window import CaptionWindow
from transcription_client.local_transcription import LocalTranscriptionEngine
from transcription_client.remote_transcription import RemoteTranscriptionEngine
from transcription_client.secret_store import SecretStore
from transcription_client.store import Login, Store

LOGIN = Login("https://c.example.com", "me@example.com", "t-1", "r-1", time.time() + 900)


@pytest.fixture(autouse=True)
def windows(qtbot: QtBot) -> Iterator[None]:
    """Closes the windows that the app leaves to the end of the process."""
    yield
    for widget in QApplication.topLevelWidgets():
        widget.deleteLater()


def while_it_runs(sees: Callable[[CaptionWindow, list[QWidget]], bool]) -> int:
    """Runs the app until it sees that of its windows, and closes it."""
    give_up_at = time.monotonic() + 10

    def look() -> None:
        widgets = QApplication.topLevelWidgets()
        window = next((widget for widget in widgets if isinstance(widget, CaptionWindow) and widget.isVisible()), None)
        if window is None or not (sees(window, widgets) or time.monotonic() > give_up_at):
            QTimer.singleShot(10, look)
        else:
            window.close()

    QTimer.singleShot(0, look)
    status = app.run()
    assert time.monotonic() < give_up_at
    return status


def asks(widgets: list[QWidget]) -> bool:
    return any(isinstance(widget, Welcome) and widget.isVisible() for widget in widgets)


def test_a_new_user_is_asked_for_the_mode_first() -> None:
    assert while_it_runs(lambda _, widgets: asks(widgets)) == 0


def test_a_known_user_is_not(config: Config) -> None:
    config.save({"remote": {"mode": "local"}})
    seen: list[bool] = []

    def sees(_: CaptionWindow, widgets: list[QWidget]) -> bool:
        seen.append(asks(widgets))
        return len(seen) == 3

    assert while_it_runs(sees) == 0
    assert seen == [False] * 3


def test_a_second_copy_says_so_and_ends(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.mkdir()
    held = lock.take(folder / app.LOCK, within=0)
    assert held is not None
    shown: list[str] = []
    monkeypatch.setattr(QMessageBox, "information", lambda *arguments: shown.append(arguments[2]))
    assert app.run() == 1
    assert shown == [sentences.ALREADY_RUNNING]
    assert capsys.readouterr().err == f"{sentences.ALREADY_RUNNING}\n"
    os.close(held)
    assert while_it_runs(lambda *_: True) == 0


def test_a_token_in_the_settings_is_moved_at_the_start(folder: Path, store: Store) -> None:
    folder.mkdir()
    (folder / "config.yaml").write_text("remote:\n  auth_token: t-9\n")
    moved = "Moved a login out of config.yaml."
    assert while_it_runs(lambda window, _: window.notice.sentence.startswith(moved)) == 0
    assert "t-9" not in (folder / "config.yaml").read_text()
    login = store.load()
    assert login is not None
    assert login.token == "t-9"


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("local", LocalTranscriptionEngine),
        ("managed", RemoteTranscriptionEngine),
        ("byok", RemoteTranscriptionEngine),
    ],
)
def test_each_mode_has_its_engine(config: Config, store: Store, secrets: SecretStore, mode: str, kind: type) -> None:
    make = app._maker(store)
    engine = make({**config.sections["remote"], "mode": mode}, lambda _: None, lambda _: None, None)
    assert type(engine) is kind


def test_tokens_that_an_engine_renewed_are_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save(LOGIN)
    given: dict[str, Callable[[str, str], None]] = {}
    monkeypatch.setattr(app, "RemoteTranscriptionEngine", lambda *_, on_tokens: given.update(keep=on_tokens))
    app._maker(store)({"mode": "managed"}, lambda _: None, lambda _: None, None)
    given["keep"]("t-2", "r-2")
    kept = store.load()
    assert kept is not None
    assert (kept.email, kept.token, kept.refresh_token) == ("me@example.com", "t-2", "r-2")


def test_the_local_mode_says_when_the_model_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "find_spec", lambda _: None)
    assert app.local_mode() == (sentences.LOCAL_BUILT_IN, sentences.LOCAL_MISSING)
    monkeypatch.setattr(app, "find_spec", lambda _: object())
    assert app.local_mode() == (sentences.LOCAL_BUILT_IN, sentences.LOCAL_ABOUT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_the_window_from_the_event_loop_alone(qtbot: QtBot, number: signal.Signals) -> None:
    """A handler runs also while a widget paints itself, and a window that closes then ends the process."""
    ended: list[bool] = []
    before = signal.getsignal(number)
    window = cast("CaptionWindow", SimpleNamespace(end=lambda: ended.append(True)))
    with app._signals(window):
        signal.raise_signal(number)
        assert ended == []
        assert signal.getsignal(number) == signal.SIG_DFL, "a second one ends at once"
        qtbot.waitUntil(lambda: ended == [True])
    assert signal.getsignal(number) == before

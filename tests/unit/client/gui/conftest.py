"""Fixtures of the windows' tests. No window is shown: Qt draws off the screen."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.standin import display
from transcription_client.config import Config
from transcription_client.secret_store import SecretStore
from transcription_client.store import Store

os.environ["QT_QPA_PLATFORM"] = "offscreen"
assert display.can_load_qt(), display.HOW_TO

from pytestqt.qtbot import QtBot  # noqa: E402 - needs Qt

from tests.unit.client.gui.fakes import Engines  # noqa: E402
from tests.unit.client.gui.sections import Open  # noqa: E402
from transcription_client.gui.transcription_mode import TranscriptionModeSection  # noqa: E402
from transcription_client.gui.window import CaptionWindow, Parts  # noqa: E402


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of settings and logins."""
    chosen = tmp_path / "settings"
    monkeypatch.setenv("TRANSCRIPTION_CONFIG_DIR", str(chosen))
    return chosen


@pytest.fixture
def store(folder: Path) -> Store:
    return Store(folder)


@pytest.fixture
def secrets(folder: Path) -> SecretStore:
    return SecretStore(folder)


@pytest.fixture
def opened(qtbot: QtBot, store: Store, secrets: SecretStore) -> Open:
    """Open the section with some settings, and wait until it has looked up what it shows."""

    def show(may_renew: bool = True, **remote: Any) -> TranscriptionModeSection:
        section = TranscriptionModeSection(remote, store=store, secrets=secrets, may_renew=may_renew)
        qtbot.addWidget(section)
        section.show()
        qtbot.waitUntil(lambda: not section.account.is_checking)
        return section

    return show


@pytest.fixture
def config(folder: Path) -> Config:
    return Config.load(folder)


@pytest.fixture
def engines() -> Engines:
    return Engines()


@pytest.fixture
def make(
    qtbot: QtBot, config: Config, store: Store, secrets: SecretStore, engines: Engines
) -> Iterator[Callable[[], CaptionWindow]]:
    windows: list[CaptionWindow] = []

    def show() -> CaptionWindow:
        parts = Parts(config, store, secrets, engines, lambda device: None, list, ("Local", ""))
        window = CaptionWindow(parts)
        windows.append(window)
        window.show()
        qtbot.waitExposed(window)
        return window

    yield show
    for window in windows:
        window.log.unsaved = False
        window.close()
        qtbot.waitUntil(lambda window=window: window.session.phase == "off")  # type: ignore[misc]
        window.deleteLater()


@pytest.fixture
def window(make: Callable[[], CaptionWindow]) -> CaptionWindow:
    return make()


@pytest.fixture
def running(window: CaptionWindow, qtbot: QtBot) -> CaptionWindow:
    window.toggle()
    qtbot.waitUntil(lambda: window.session.phase == "running")
    return window

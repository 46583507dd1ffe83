"""Where no window can be opened, one sentence says why."""

import importlib
import sys
from typing import Any

import pytest

from transcription_client import launch
from transcription_client.errors import ClientError


@pytest.fixture(autouse=True)
def display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(_: str) -> Any:
        raise error

    monkeypatch.setattr(launch, "import_module", fail)


def test_with_everything_there_the_window_can_be_opened() -> None:
    assert launch.window() is importlib.import_module("transcription_client.gui.app").run


def test_without_a_display_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in launch.DISPLAYS:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ClientError, match="There's no display to open a window on"):
        launch.window()


def test_without_qt_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, ModuleNotFoundError("No module named 'PySide6'"))
    with pytest.raises(ClientError, match=r'Run pip install "transcription-proxy\[desktop\]"\.'):
        launch.window()


def test_without_qts_libraries_it_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, ImportError("libEGL.so.1: cannot open shared object file"))
    with pytest.raises(ClientError, match=r"Qt can't start \(libEGL.so.1.*apt install libegl1"):
        launch.window()

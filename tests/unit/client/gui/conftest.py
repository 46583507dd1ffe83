"""Fixtures of the windows' tests. No window is shown: Qt draws off the screen."""

import os
from pathlib import Path

import pytest

from tests.standin import display
from transcription_client.config import Config
from transcription_client.secret_store import SecretStore
from transcription_client.store import Store

os.environ["QT_QPA_PLATFORM"] = "offscreen"
assert display.can_load_qt(), display.HOW_TO


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
def config(folder: Path) -> Config:
    return Config.load(folder)

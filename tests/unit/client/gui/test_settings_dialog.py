"""The settings page: what is chosen is saved at once and whole, and a failure is said and loses nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QColorDialog
from pytestqt.qtbot import QtBot

from transcription_client.config import Config
from transcription_client.errors import ClientError
from transcription_client.gui import sentences
from transcription_client.gui.settings_dialog import SettingsDialog
from transcription_client.gui.transcription_mode import TranscriptionModeSection
from transcription_client.gui.welcome import Welcome
from transcription_client.secret_store import SecretStore
from transcription_client.store import Store

Open = Callable[..., SettingsDialog]


@pytest.fixture
def section(qtbot: QtBot, config: Config, store: Store, secrets: SecretStore) -> TranscriptionModeSection:
    return TranscriptionModeSection(config.sections["remote"], store=store, secrets=secrets)


@pytest.fixture
def opened(qtbot: QtBot, config: Config, section: TranscriptionModeSection) -> Open:
    def show(devices: Callable[[], list[str]] = lambda: ["Blue Yeti", "Webcam"]) -> SettingsDialog:
        dialog = SettingsDialog(config, section, devices)
        qtbot.addWidget(dialog)
        dialog.open()
        return dialog

    return show


def test_nothing_chosen_changes_nothing(opened: Open, folder: Path) -> None:
    saved: list[Any] = []
    dialog = opened()
    dialog.saved.connect(saved.append)
    dialog.accept()
    assert saved == [{}]
    assert not dialog.isVisible()


def test_what_is_chosen_is_saved(opened: Open, folder: Path, qtbot: QtBot) -> None:
    saved: list[Any] = []
    dialog = opened()
    dialog.saved.connect(saved.append)
    qtbot.waitUntil(lambda: dialog.microphone.device.count() == 3)
    dialog.section.choose("byok")
    dialog.section.fallback.setChecked(True)
    dialog.language.setCurrentText(" de ")
    dialog.look.size_px.setValue(48)
    dialog.look.lines.setValue(2)
    dialog.look.opacity.setValue(40)
    dialog.look.on_top.setChecked(True)
    dialog.look.theme.setCurrentIndex(dialog.look.theme.findData("dark"))
    dialog.microphone.device.setCurrentText("Webcam")
    dialog.overlay.enabled.setChecked(True)
    dialog.overlay.port.setValue(9000)
    dialog.accept()
    assert saved == [
        {
            "remote": {"mode": "byok", "fallback": "local", "language": "de"},
            "captions": {"size": 48, "lines": 2, "opacity": 40, "always_on_top": True},
            "window": {"theme": "dark"},
            "audio": {"device": "Webcam"},
            "overlay": {"enabled": True, "port": 9000},
        }
    ]
    kept = Config.load(folder)
    assert kept.problems == []
    for name, section in saved[0].items():
        assert section.items() <= kept.sections[name].items()


def test_cancelled_nothing_is_saved(opened: Open, folder: Path) -> None:
    dialog = opened()
    dialog.look.size_px.setValue(48)
    dialog.reject()
    assert not folder.exists()


def test_a_save_that_fails_is_said_and_the_choices_stay(
    opened: Open, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        raise ClientError("Can't write to /settings (No space left on device). Fix that, then try again.")

    monkeypatch.setattr(config, "save", full)
    dialog = opened()
    dialog.look.size_px.setValue(48)
    dialog.accept()
    assert dialog.isVisible()
    assert dialog.notice.sentence == (
        "Your settings weren't saved. Can't write to /settings (No space left on device). Fix that, then try again."
    )
    assert dialog.look.size_px.value() == 48


def test_what_is_missing_for_a_mode_is_said_and_does_not_stop_a_save(opened: Open) -> None:
    dialog = opened()
    dialog.section.choose("byok")
    assert dialog.missing.sentence == "Paste your Deepgram API key, or choose another mode."
    dialog.section.key.key.setText("k")
    dialog.section.key.key.textEdited.emit("k")
    assert dialog.missing.sentence == ""
    dialog.section.choose("managed")
    assert dialog.missing.sentence == "Log in first, or choose another mode."
    dialog.accept()
    assert not dialog.isVisible()


def test_an_unplugged_microphone_stays_chosen(config: Config, opened: Open, qtbot: QtBot) -> None:
    config.sections["audio"]["device"] = "Old Mic"
    dialog = opened()
    qtbot.waitUntil(lambda: dialog.microphone.device.count() == 4)
    assert dialog.microphone.chosen == "Old Mic"


def test_without_a_microphone_it_says_so_and_looks_again(opened: Open, qtbot: QtBot) -> None:
    names: list[str] = []
    dialog = opened(lambda: names)
    qtbot.waitUntil(lambda: dialog.microphone.notice.sentence == sentences.NO_MICROPHONE)
    names.append("Blue Yeti")
    dialog.microphone.refresh_button.click()
    qtbot.waitUntil(lambda: dialog.microphone.device.count() == 2)
    assert dialog.microphone.notice.sentence == ""


def test_without_portaudio_it_says_so(opened: Open, qtbot: QtBot) -> None:
    def no_portaudio() -> list[str]:
        raise ClientError("Run sudo apt install libportaudio2.")

    dialog = opened(no_portaudio)
    qtbot.waitUntil(
        lambda: dialog.microphone.notice.sentence == "Can't list microphones. Run sudo apt install libportaudio2."
    )


def test_a_color_is_chosen_and_shown_in_the_sample(opened: Open) -> None:
    dialog = opened()
    dialog.look.color.click()
    (asked,) = dialog.look.color.findChildren(QColorDialog)
    asked.setCurrentColor(QColor("#ffd400"))
    asked.accept()
    assert dialog.look.look().color == "#ffd400"
    assert dialog.look.sample._look.color == "#ffd400"


def test_the_url_for_obs_follows_the_port_and_is_copied(opened: Open) -> None:
    dialog = opened()
    assert not dialog.overlay.url.isEnabled()
    dialog.overlay.enabled.setChecked(True)
    dialog.overlay.port.setValue(9001)
    dialog.overlay.copy.click()
    assert QApplication.clipboard().text() == "http://127.0.0.1:9001/"
    assert dialog.overlay.copy.text() == "Copied"


def test_a_new_user_is_asked_for_the_mode(
    qtbot: QtBot, config: Config, section: TranscriptionModeSection, folder: Path
) -> None:
    welcome = Welcome(config, section)
    qtbot.addWidget(welcome)
    welcome.open()
    section.choose("managed")
    welcome.go.click()
    assert welcome.isVisible()
    assert welcome.notice.sentence == "Log in first, or choose another mode."
    section.choose("local")
    assert welcome.notice.sentence == ""
    welcome.go.click()
    assert not welcome.isVisible()
    assert not Config.load(folder).is_new


def test_a_choice_that_cannot_be_saved_is_said(
    qtbot: QtBot, config: Config, section: TranscriptionModeSection, folder: Path
) -> None:
    folder.touch()  # a file where the folder should be
    welcome = Welcome(config, section)
    qtbot.addWidget(welcome)
    welcome.open()
    welcome.go.click()
    assert welcome.notice.sentence.startswith("Your settings weren't saved.")
    assert welcome.isVisible()

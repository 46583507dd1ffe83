"""The settings of the caption app, in tabs. Nothing changes before Save."""

from collections.abc import Callable
from typing import Any, Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from transcription_client.config import Config
from transcription_client.errors import ClientError
from transcription_client.gui import sentences
from transcription_client.gui.look import Look
from transcription_client.gui.look_tab import LookTab
from transcription_client.gui.microphone_tab import MicrophoneTab
from transcription_client.gui.notice import Notice
from transcription_client.gui.overlay_tab import OverlayTab
from transcription_client.gui.transcription_mode import TranscriptionModeSection

LANGUAGES: Final = ("en-US", "en-GB", "de", "es", "fr", "hi", "it", "ja", "ko", "nl", "pl", "pt-BR", "ru", "tr", "zh")
"""Suggestions; another code can be typed."""


class SettingsDialog(QDialog):
    """Emits `saved` with the sections that were written."""

    saved = Signal(object)

    def __init__(
        self,
        config: Config,
        section: TranscriptionModeSection,
        devices: Callable[[], list[str]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._config = config
        self.section = section
        self.setWindowTitle(sentences.SETTINGS)
        parts = config.sections
        self.language = QComboBox(editable=True)
        self.language.addItems(LANGUAGES)
        self.language.setCurrentText(str(parts["remote"]["language"]))
        self.look = LookTab(Look.of(parts["captions"]), str(parts["window"]["theme"]))
        self.microphone = MicrophoneTab(str(parts["audio"]["device"]), devices)
        self.overlay = OverlayTab(bool(parts["overlay"]["enabled"]), int(parts["overlay"]["port"]))
        self.notice = Notice()
        self.missing = Notice()
        self._arrange()
        section.changed.connect(self._show_missing)
        self._show_missing()

    def _arrange(self) -> None:
        self.tabs = QTabWidget(documentMode=True)
        self.tabs.addTab(self._source_tab(), sentences.SOURCE_TAB)
        self.tabs.addTab(self.look, sentences.LOOK_TAB)
        self.tabs.addTab(self.microphone, sentences.AUDIO_TAB)
        self.tabs.addTab(self.overlay, sentences.OVERLAY_TAB)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self.tabs)
        layout.addWidget(self.notice)
        layout.addWidget(buttons)
        self.resize(640, 520)

    def _source_tab(self) -> QWidget:
        tab = QWidget()
        form = QFormLayout()
        form.addRow(sentences.LANGUAGE, self.language)
        layout = QVBoxLayout(tab)
        layout.addWidget(self.section)
        layout.addWidget(self.missing)
        layout.addLayout(form)
        layout.addStretch()
        return tab

    def _show_missing(self) -> None:
        is_busy = self.section.mode == "managed" and self.section.account.is_checking
        self.missing.say("" if is_busy else self.section.problem(), "warn")

    def accept(self) -> None:
        """Save and close, or say why not and stay."""
        try:
            changes = self._changes()
            self._config.save(changes)
        except ClientError as error:
            self.notice.say(sentences.not_saved(str(error)), "bad")
            return
        self.saved.emit(changes)
        super().accept()

    def _changes(self) -> dict[str, dict[str, Any]]:
        """Return what differs from the settings before, by section."""
        chosen = {
            "remote": {**self.section.save(), "language": self.language.currentText().strip() or "en-US"},
            "captions": self.look.look().section(),
            "window": {"theme": self.look.theme.currentData()},
            "audio": {"device": self.microphone.chosen},
            "overlay": {"enabled": self.overlay.enabled.isChecked(), "port": self.overlay.port.value()},
        }
        before = self._config.sections
        changed = {
            name: {key: value for key, value in section.items() if before[name].get(key) != value}
            for name, section in chosen.items()
        }
        return {name: section for name, section in changed.items() if section}

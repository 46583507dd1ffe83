"""The settings page for the microphone."""

from collections.abc import Callable

from PySide6.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from transcription_client.gui import sentences
from transcription_client.gui.background import Background
from transcription_client.gui.notice import Notice


class MicrophoneTab(QWidget):
    """Lists microphones by name. The chosen one stays in the list while it is unplugged."""

    def __init__(self, chosen: str, devices: Callable[[], list[str]]) -> None:
        super().__init__()
        self._devices = devices
        self._background = Background(self)
        self.device = QComboBox()
        self.device.addItem(sentences.SYSTEM_DEFAULT, "")
        if chosen:
            self.device.addItem(chosen, chosen)
            self.device.setCurrentIndex(1)
        self.refresh_button = QPushButton(sentences.REFRESH)
        self.refresh_button.setAutoDefault(False)
        self.notice = Notice()
        row = QHBoxLayout()
        row.addWidget(self.device, 1)
        row.addWidget(self.refresh_button)
        form = QFormLayout()
        form.addRow(sentences.MICROPHONE, row)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.notice)
        layout.addStretch()
        self.refresh_button.clicked.connect(self.refresh)
        self.refresh()

    @property
    def chosen(self) -> str:
        """The name of the chosen microphone; empty for the system's default."""
        return str(self.device.currentData() or "")

    def refresh(self) -> None:
        """List the microphones that are connected now."""
        self._background.run(self._devices, self._show, lambda why: self.notice.say(sentences.microphones(why), "bad"))

    def _show(self, names: list[str]) -> None:
        chosen = self.chosen
        self.device.clear()
        self.device.addItem(sentences.SYSTEM_DEFAULT, "")
        for name in dict.fromkeys([*names, *([chosen] if chosen else [])]):
            self.device.addItem(name, name)
        self.device.setCurrentIndex(max(0, self.device.findData(chosen)))
        self.notice.say("" if names else sentences.NO_MICROPHONE, "warn")

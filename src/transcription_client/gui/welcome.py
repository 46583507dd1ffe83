"""The first window of a new user: it asks where captions should come from."""

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from transcription_client.config import Config
from transcription_client.errors import ClientError
from transcription_client.gui import sentences
from transcription_client.gui.notice import Notice
from transcription_client.gui.transcription_mode import TranscriptionModeSection


class Welcome(QDialog):
    """Saves the chosen mode. Closed without a choice, it comes again at the next start."""

    def __init__(self, config: Config, section: TranscriptionModeSection, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._config = config
        self.section = section
        self.setWindowTitle(sentences.WELCOME)
        head = QLabel(sentences.WELCOME_HEAD, wordWrap=True)
        font = head.font()
        font.setPointSizeF(font.pointSizeF() * 1.5)
        font.setBold(True)
        head.setFont(font)
        self.notice = Notice()
        self._buttons = QDialogButtonBox()
        self.go = self._buttons.addButton(sentences.CONTINUE, QDialogButtonBox.ButtonRole.AcceptRole)
        self._buttons.accepted.connect(self.accept)
        layout = QVBoxLayout(self)
        layout.setSpacing(12)
        for widget in (head, QLabel(sentences.WELCOME_TEXT), section, self.notice):
            layout.addWidget(widget)
        layout.addStretch()
        layout.addWidget(self._buttons)
        self.resize(560, 440)
        section.changed.connect(lambda: self.notice.say(""))

    def accept(self) -> None:
        """Save and close, or say what is missing."""
        if problem := self.section.problem():
            self.notice.say(problem, "warn")
            return
        try:
            self._config.save({"remote": self.section.save()})
        except ClientError as error:
            self.notice.say(sentences.not_saved(str(error)), "bad")
            return
        super().accept()

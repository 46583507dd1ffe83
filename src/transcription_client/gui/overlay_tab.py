"""The settings page for OBS: whether captions are served on this computer, and the URL to paste."""

from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from transcription_client.gui import sentences
from transcription_client.gui.overlay_server import HOST


class OverlayTab(QWidget):
    """`trouble`: why the page isn't served now, or an empty string."""

    def __init__(self, enabled: bool, port: int) -> None:
        super().__init__()
        self.enabled = QCheckBox(sentences.OVERLAY_ENABLED)
        self.enabled.setChecked(enabled)
        self.port = QSpinBox(minimum=1024, maximum=65_535, value=port)
        self.port.setGroupSeparatorShown(False)
        self.url = QLineEdit(readOnly=True)
        self.copy = QPushButton(sentences.COPY)
        self.copy.setAutoDefault(False)
        how = QLabel(sentences.OVERLAY_HOW, wordWrap=True)
        row = QHBoxLayout()
        row.addWidget(self.url)
        row.addWidget(self.copy)
        form = QFormLayout()
        form.addRow(sentences.OVERLAY_PORT, self.port)
        form.addRow(sentences.OVERLAY_URL, row)
        layout = QVBoxLayout(self)
        layout.addWidget(self.enabled)
        layout.addLayout(form)
        layout.addWidget(how)
        layout.addStretch()
        self.port.valueChanged.connect(self._show)
        self.enabled.toggled.connect(self._show)
        self.copy.clicked.connect(self._copy)
        self._show()

    def _show(self) -> None:
        self.url.setText(f"http://{HOST}:{self.port.value()}/")
        self.copy.setText(sentences.COPY)
        for widget in (self.url, self.copy, self.port):
            widget.setEnabled(self.enabled.isChecked())

    def _copy(self) -> None:
        QApplication.clipboard().setText(self.url.text())
        self.copy.setText(sentences.COPIED)

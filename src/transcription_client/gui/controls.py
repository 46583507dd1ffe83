"""The bar below the captions: start, mute, the level, and how things stand."""

import math
from typing import Final

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QSizePolicy, QToolButton, QWidget

from transcription_client.gui import sentences
from transcription_client.gui.icons import icon
from transcription_client.gui.session import Phase

QUIETEST_DECIBELS: Final = -60.0
"""Shown as an empty meter."""


class Controls(QWidget):
    """Shows the actions of the window as buttons."""

    def __init__(self, start: QAction, mute: QAction, floating: QAction, settings: QAction) -> None:
        super().__init__()
        self._start, self._mute = start, mute
        self._actions = {start: "start", mute: "microphone", floating: "float", settings: "settings"}
        self.start, self.mute = _button(start, text=True), _button(mute)
        self.level = QProgressBar(maximum=100, textVisible=False)
        self.level.setAccessibleName(sentences.LEVEL)
        self.level.setToolTip(sentences.LEVEL)
        self.level.setFixedSize(96, 10)
        self.status = QLabel(sentences.OFF)
        self.left = QLabel()
        self.left.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.left.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.status.setTextFormat(Qt.TextFormat.PlainText)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 10)
        layout.setSpacing(10)
        for widget in (self.start, self.mute, self.level, self.status):
            layout.addWidget(widget)
        layout.addWidget(self.left, 1)
        layout.addWidget(_button(floating))
        layout.addWidget(_button(settings))
        self.draw_icons()

    def show_phase(self, phase: Phase, muted: bool) -> None:
        """Show what Start and Mute do next."""
        is_off = phase == "off"
        self._start.setText(sentences.START if is_off else sentences.STOP)
        self._start.setEnabled(phase != "stopping")
        self._mute.setText(sentences.UNMUTE if muted else sentences.MUTE)
        self._mute.setChecked(muted)
        self._actions |= {self._start: "start" if is_off else "stop", self._mute: "muted" if muted else "microphone"}
        self.draw_icons()

    def show_level(self, level: float) -> None:
        """Show a loudness from 0.0 to 1.0, on a scale of decibels as the ear has it."""
        decibels = 20 * math.log10(level) if level > 0 else QUIETEST_DECIBELS
        self.level.setValue(round(100 * max(0.0, min(1.0, 1 - decibels / QUIETEST_DECIBELS))))

    def draw_icons(self) -> None:
        for action, name in self._actions.items():
            action.setIcon(icon(name))

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange:
            self.draw_icons()
        super().changeEvent(event)


def _button(action: QAction, *, text: bool = False) -> QToolButton:
    button = QToolButton()
    button.setDefaultAction(action)
    button.setIconSize(QSize(20, 20))
    button.setMinimumHeight(34)
    style = Qt.ToolButtonStyle.ToolButtonTextBesideIcon if text else Qt.ToolButtonStyle.ToolButtonIconOnly
    button.setToolButtonStyle(style)
    if text:
        button.setMinimumWidth(92)
    return button

"""A line that says how things stand: its kind shows in a sign and a color."""

from typing import Final, Literal

from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

Kind = Literal["plain", "good", "warn", "bad"]
SIGNS: Final[dict[Kind, str]] = {"plain": "", "good": "\u2713 ", "warn": "\u26a0 ", "bad": "\u2715 "}
COLORS: Final[dict[Kind, tuple[str, str]]] = {
    "plain": ("#56605d", "#a4b1ad"),
    "good": ("#17663a", "#7ddba0"),
    "warn": ("#7d4a00", "#f2c063"),
    "bad": ("#ad1f2d", "#ff9a9a"),
}
"""On light and on dark windows, as on the service's pages."""


class Notice(QLabel):
    """Hidden while it says nothing."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self.kind: Kind = "plain"
        self.hide()

    def say(self, sentence: str, kind: Kind = "plain") -> None:
        """Show a sentence, or nothing for an empty one."""
        self.kind = kind
        is_dark = self.palette().color(QPalette.ColorRole.Window).lightness() < 128
        self.setStyleSheet(f"color: {COLORS[kind][is_dark]}")
        self.setText(f"{SIGNS[kind]}{sentence}" if sentence else "")
        self.setVisible(bool(sentence))

    @property
    def sentence(self) -> str:
        """The sentence shown, without the sign before it."""
        return self.text().removeprefix(SIGNS[self.kind])

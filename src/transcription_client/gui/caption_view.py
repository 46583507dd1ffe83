"""Draws the last lines of the captions, from the bottom up."""

from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QAccessible, QAccessibleEvent, QPainter, QPaintEvent, QPen, QTextLayout, QTextOption
from PySide6.QtWidgets import QSizePolicy, QWidget

from transcription_client.gui import sentences
from transcription_client.gui.captions import Shown
from transcription_client.gui.look import Look

MARGIN: Final = 0.6
"""Around the words, in heights of a letter."""
GAP: Final = 1.25
"""From line to line, in heights of a letter."""


class CaptionView(QWidget):
    """Shows captions in a look. `hint`: what is shown while there are none."""

    def __init__(self, look: Look, *, see_through: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._look = look
        self._see_through = see_through
        self._shown = Shown()
        self._hint = ""
        self.setAccessibleName(sentences.CAPTIONS)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def set_look(self, look: Look) -> None:
        self._look = look
        self.updateGeometry()
        self.update()

    def show_captions(self, shown: Shown) -> None:
        """Show words. A screen reader gets the final ones."""
        if shown.finals != self._shown.finals:
            self.setAccessibleDescription(shown.finals[-1] if shown.finals else "")
            QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.DescriptionChanged))
        self._shown = shown
        self.update()

    def set_hint(self, hint: str) -> None:
        self._hint = hint
        self.update()

    @property
    def shown(self) -> Shown:
        return self._shown

    def sizeHint(self) -> QSize:
        return QSize(self._look.size * 22, self._height(self._look.lines))

    def minimumSizeHint(self) -> QSize:
        return QSize(200, self._height(1))

    def _height(self, lines: int) -> int:
        return round(self._look.size * (GAP * lines + 2 * MARGIN))

    def lines(self, width: float) -> list[tuple[str, bool]]:
        """Return the lines that are shown, each with whether it is interim."""
        found: list[tuple[str, bool]] = []
        for text, interim in reversed(self._paragraphs()):
            found = [(line, interim) for line in self._wrapped(text, interim, width)] + found
            if len(found) >= self._look.lines:
                break
        return found[-self._look.lines :]

    def _paragraphs(self) -> list[tuple[str, bool]]:
        finals = [(text, False) for text in self._shown.finals]
        interim = [(self._shown.unfinished, True)] if self._shown.interim else []
        return finals + interim or [(self._hint, True)]

    def _wrapped(self, text: str, interim: bool, width: float) -> list[str]:
        layout = QTextLayout(text, self._look.typeface(interim=interim))
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        layout.setTextOption(option)
        layout.beginLayout()
        lines = []
        while (line := layout.createLine()).isValid():
            line.setLineWidth(width)
            lines.append(text[line.textStart() : line.textStart() + line.textLength()].strip())
        layout.endLayout()
        return lines

    def paintEvent(self, _: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        painter.fillRect(self.rect(), self._look.paper(see_through=self._see_through))
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
        margin, step = self._look.size * MARGIN, self._look.size * GAP
        lines = self.lines(self.width() - 2 * margin)
        top = self.height() - margin - step * len(lines)
        for number, (text, interim) in enumerate(lines):
            where = QRectF(margin, top + step * number, self.width() - 2 * margin, step)
            painter.setFont(self._look.typeface(interim=interim))
            painter.setPen(QPen(self._look.ink(interim=interim)))
            painter.drawText(where, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeading, text)
        painter.end()

"""Icons of the windows, drawn as SVG in the color of the text."""

from typing import Final

from PySide6.QtCore import QByteArray, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

SIZE: Final = 48
"""Pixels that an icon is drawn with; Qt scales it down."""
FRAME: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="{color}" stroke-width="2" '
    'stroke-linecap="round" stroke-linejoin="round">{shape}</svg>'
)
MICROPHONE: Final = (
    '<rect x="9" y="3" width="6" height="11" rx="3"/><path d="M5 11a7 7 0 0 0 14 0"/><path d="M12 18v3"/>'
)
SHAPES: Final = {
    "start": '<path d="M8 5l11 7-11 7z" fill="{color}"/>',
    "stop": '<rect x="6" y="6" width="12" height="12" rx="1" fill="{color}"/>',
    "microphone": MICROPHONE,
    "muted": f'{MICROPHONE}<path d="M4 4l16 16"/>',
    "settings": '<path d="M4 7h9M17 7h3M4 17h3M11 17h9"/><circle cx="15" cy="7" r="2"/><circle cx="9" cy="17" r="2"/>',
    "save": '<path d="M12 4v11M7 11l5 5 5-5M4 20h16"/>',
    "float": '<rect x="3" y="5" width="18" height="14" rx="2"/><path d="M7 15h10M7 11h5"/>',
    "reveal": '<path d="M2 12s4-7 10-7 10 7 10 7-4 7-10 7-10-7-10-7z"/><circle cx="12" cy="12" r="3"/>',
    "app": '<rect x="1" y="3" width="22" height="18" rx="4" fill="#0d6b62" stroke="none"/>'
    '<path d="M5 16h9M17 16h2M5 12h4M12 12h7" stroke="#ffffff"/>',
}


def icon(name: str, color: QColor | None = None) -> QIcon:
    """Return an icon in a color, or in that of the text on buttons."""
    drawn = color or QApplication.palette().color(QPalette.ColorRole.ButtonText)
    faded = QColor(drawn)
    faded.setAlphaF(0.4)
    made = QIcon(_drawn(name, drawn))
    made.addPixmap(_drawn(name, faded), QIcon.Mode.Disabled)
    return made


def _drawn(name: str, color: QColor) -> QPixmap:
    shape = SHAPES[name].replace("{color}", color.name())
    pixmap = QPixmap(SIZE, SIZE)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setOpacity(color.alphaF())
    QSvgRenderer(QByteArray(FRAME.format(color=color.name(), shape=shape).encode())).render(painter)
    painter.end()
    return pixmap

"""Captions alone, over all other windows: no frame, and as much background as the user chose."""

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QAction, QCloseEvent, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QSizeGrip, QVBoxLayout, QWidget

from transcription_client.gui import sentences
from transcription_client.gui.caption_view import CaptionView
from transcription_client.gui.look import Look
from transcription_client.gui.notice import Notice


class FloatingCaptions(QWidget):
    """Emits `returned` when the user wants the whole window back."""

    returned = Signal()

    def __init__(self, look: Look) -> None:
        super().__init__(None, Qt.WindowType.Window | Qt.WindowType.FramelessWindowHint)
        self.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground)
        self.setWindowTitle(sentences.APP)
        self.setToolTip(sentences.FLOAT_HINT)
        self.view = CaptionView(look, see_through=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.notice = Notice()
        self.notice.setAutoFillBackground(True)
        self.notice.setMargin(8)
        layout.addWidget(self.notice)
        layout.addWidget(self.view, 1)
        self._grip = QSizeGrip(self)
        self._held: QPoint | None = None
        back = QAction(sentences.RETURN, self)
        back.triggered.connect(self.returned)
        self.addAction(back)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self.set_look(look)
        self.resize(self.view.sizeHint())

    def set_look(self, look: Look) -> None:
        self.view.set_look(look)
        set_on_top(self, look.always_on_top)

    def resizeEvent(self, _: object) -> None:
        self._grip.move(self.rect().bottomRight() - self._grip.rect().bottomRight())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Move the window: by the system where it can, and else by ourselves."""
        window = self.windowHandle()
        if event.button() == Qt.MouseButton.LeftButton and not (window and window.startSystemMove()):
            self._held = event.globalPosition().toPoint() - self.pos()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._held is not None:
            self.move(event.globalPosition().toPoint() - self._held)

    def mouseReleaseEvent(self, _: QMouseEvent) -> None:
        self._held = None

    def mouseDoubleClickEvent(self, _: QMouseEvent) -> None:
        self.returned.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.returned.emit()
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Return to the window, which asks about captions that are not saved."""
        event.ignore()
        self.returned.emit()


def set_on_top(window: QWidget, on_top: bool) -> None:
    """Keep a window above all others, or no longer. A change of this flag hides a window, so it is shown again."""
    if bool(window.windowFlags() & Qt.WindowType.WindowStaysOnTopHint) == on_top:
        return
    was_visible = window.isVisible()
    window.setWindowFlag(Qt.WindowType.WindowStaysOnTopHint, on_top)
    if was_visible:
        window.show()

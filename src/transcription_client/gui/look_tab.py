"""The settings page for how captions look, with a sample that follows every change."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont
from PySide6.QtWidgets import (
    QCheckBox,
    QColorDialog,
    QComboBox,
    QFontComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from transcription_client.gui import sentences
from transcription_client.gui.caption_view import CaptionView
from transcription_client.gui.captions import Shown
from transcription_client.gui.look import Look

SAMPLE = Shown((sentences.SAMPLE_FINAL,), sentences.SAMPLE_INTERIM)


class ColorButton(QPushButton):
    """Shows a color and its name, and asks for another when pressed."""

    def __init__(self, color: str, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setAutoDefault(False)
        self.color = ""
        self.set_color(color)
        self.clicked.connect(self._ask)

    def set_color(self, color: str) -> None:
        self.color = color
        self.setText(color)
        ink = "#000000" if QColor(color).lightnessF() > 0.5 else "#ffffff"
        self.setStyleSheet(f"background: {color}; color: {ink}; border: 1px solid palette(shadow); padding: 4px 16px")

    def _ask(self) -> None:
        dialog = QColorDialog(QColor(self.color), self)
        dialog.setWindowTitle(sentences.CHOOSE_COLOR)
        dialog.colorSelected.connect(lambda chosen: self.set_color(chosen.name()))
        dialog.colorSelected.connect(lambda _: self.pressed.emit())
        dialog.open()


class LookTab(QWidget):
    """The sample shows the look as it is chosen now."""

    def __init__(self, look: Look, theme: str) -> None:
        super().__init__()
        self.font_name = QFontComboBox()
        self.font_name.setCurrentFont(QFont(look.font) if look.font else QFont())
        self._font = look.font
        self.size_px = QSpinBox(minimum=12, maximum=160, value=look.size, suffix=sentences.PIXELS)
        self.lines = QSpinBox(minimum=1, maximum=12, value=look.lines)
        self.color = ColorButton(look.color, sentences.TEXT_COLOR)
        self.background = ColorButton(look.background, sentences.BACKGROUND)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setValue(look.opacity)
        self._share = QLabel(sentences.percent(look.opacity))
        self.on_top = QCheckBox(sentences.ON_TOP)
        self.on_top.setChecked(look.always_on_top)
        self.theme = QComboBox()
        for name, shown in sentences.THEMES.items():
            self.theme.addItem(shown, name)
        self.theme.setCurrentIndex(max(0, self.theme.findData(theme)))
        self.sample = CaptionView(look, see_through=True)
        self.sample.show_captions(SAMPLE)
        self._arrange()
        self._connect()

    def look(self) -> Look:
        return Look(
            self._font,
            self.size_px.value(),
            self.lines.value(),
            self.color.color,
            self.background.color,
            self.opacity.value(),
            self.on_top.isChecked(),
        )

    def _arrange(self) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.FieldsStayAtSizeHint)
        self.opacity.setMinimumWidth(200)
        opacity = QHBoxLayout()
        opacity.addWidget(self.opacity)
        opacity.addWidget(self._share)
        for name, widget in (
            (sentences.FONT, self.font_name),
            (sentences.SIZE, self.size_px),
            (sentences.LINES, self.lines),
            (sentences.TEXT_COLOR, self.color),
            (sentences.BACKGROUND, self.background),
            (sentences.OPACITY, opacity),
            (sentences.THEME, self.theme),
            ("", self.on_top),
        ):
            form.addRow(name, widget)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.sample, 1)

    def _connect(self) -> None:
        self.font_name.currentFontChanged.connect(self._choose_font)
        for changed in (self.size_px.valueChanged, self.lines.valueChanged, self.opacity.valueChanged):
            changed.connect(self._show)
        self.color.pressed.connect(self._show)
        self.background.pressed.connect(self._show)

    def _choose_font(self, font: QFont) -> None:
        self._font = font.family()
        self._show()

    def _show(self) -> None:
        self._share.setText(sentences.percent(self.opacity.value()))
        self.sample.set_look(self.look())

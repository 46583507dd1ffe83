"""How captions look: the `captions` section of the settings."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from PySide6.QtGui import QColor, QFont


@dataclass(frozen=True, slots=True)
class Look:
    """`size` in pixels, `opacity` of the background in percent. An empty `font` is the system's."""

    font: str = ""
    size: int = 32
    lines: int = 3
    color: str = "#ffffff"
    background: str = "#000000"
    opacity: int = 80
    always_on_top: bool = False

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> Self:
        """Return the look of a section, which may have other keys too."""
        return cls(**{name: section[name] for name in cls.__dataclass_fields__ if name in section})

    def section(self) -> dict[str, Any]:
        return asdict(self)

    def typeface(self, *, interim: bool) -> QFont:
        """Return the font. Interim words are slanted and lighter, so that they differ by more than color."""
        font = QFont(self.font) if self.font else QFont()
        font.setPixelSize(self.size)
        font.setWeight(QFont.Weight.Normal if interim else QFont.Weight.DemiBold)
        font.setItalic(interim)
        return font

    def ink(self, *, interim: bool) -> QColor:
        color = QColor(self.color)
        color.setAlphaF(0.78 if interim else 1.0)
        return color

    def paper(self, *, see_through: bool) -> QColor:
        color = QColor(self.background)
        color.setAlphaF(self.opacity / 100 if see_through else 1.0)
        return color

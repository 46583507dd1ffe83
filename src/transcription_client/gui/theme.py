"""Dark and light, in the colors of the service's pages."""

from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

Role = QPalette.ColorRole
SCHEMES: Final = {
    "system": Qt.ColorScheme.Unknown,
    "light": Qt.ColorScheme.Light,
    "dark": Qt.ColorScheme.Dark,
}
COLORS: Final = {
    Role.Window: ("#faf9f6", "#1a201e"),
    Role.WindowText: ("#17201e", "#edf3f1"),
    Role.Base: ("#ffffff", "#2a3330"),
    Role.AlternateBase: ("#f1efe9", "#0b0e0d"),
    Role.Text: ("#17201e", "#edf3f1"),
    Role.Button: ("#f1efe9", "#2f3936"),
    Role.ButtonText: ("#17201e", "#edf3f1"),
    Role.ToolTipBase: ("#ffffff", "#2f3936"),
    Role.ToolTipText: ("#17201e", "#edf3f1"),
    Role.PlaceholderText: ("#6b7370", "#93a09c"),
    Role.Highlight: ("#0d6b62", "#62d6c5"),
    Role.HighlightedText: ("#ffffff", "#05231f"),
    Role.Accent: ("#0d6b62", "#62d6c5"),
    Role.Link: ("#0d6b62", "#62d6c5"),
    Role.Light: ("#ffffff", "#4a5652"),
    Role.Midlight: ("#f4f2ec", "#3a4541"),
    Role.Mid: ("#cfcac0", "#4a5652"),
    Role.Dark: ("#b3ada2", "#0b0e0d"),
    Role.Shadow: ("#857f74", "#000000"),
}
"""Light and dark."""
FADED: Final = {Role.WindowText: 0.5, Role.Text: 0.5, Role.ButtonText: 0.5}


def apply(app: QApplication, theme: str) -> None:
    """Put a theme on all windows. With "system", it follows the system from now on."""
    hints = app.styleHints()
    hints.setColorScheme(SCHEMES.get(theme, Qt.ColorScheme.Unknown))  # also for title bars
    is_dark = theme == "dark" or (theme != "light" and hints.colorScheme() == Qt.ColorScheme.Dark)
    app.setPalette(_palette(is_dark))


def _palette(is_dark: bool) -> QPalette:
    palette = QPalette()
    for role, colors in COLORS.items():
        color = QColor(colors[is_dark])
        palette.setColor(role, color)
        if role in FADED:
            color.setAlphaF(FADED[role])
            palette.setColor(QPalette.ColorGroup.Disabled, role, color)
    return palette

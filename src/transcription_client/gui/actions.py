"""The actions of the window, each with its menu and its keys."""

from typing import Final

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMainWindow, QWidget

from transcription_client.gui import sentences

KEYS: Final = {
    "start": (sentences.START, "Ctrl+Return", "captions"),
    "mute": (sentences.MUTE, "Ctrl+M", "captions"),
    "save": (sentences.SAVE, "Ctrl+S", "captions"),
    "clear": (sentences.CLEAR, "Ctrl+Backspace", "captions"),
    "buy": (sentences.BUY, "Ctrl+B", "captions"),
    "settings": (sentences.SETTINGS, "Ctrl+,", "captions"),
    "quit": (sentences.QUIT, "Ctrl+Q", "captions"),
    "float": (sentences.FLOAT, "F11", "view"),
    "on_top": (sentences.ON_TOP, "Ctrl+T", "view"),
    "bigger": (sentences.BIGGER, "Ctrl++", "view"),
    "smaller": (sentences.SMALLER, "Ctrl+-", "view"),
    "shortcuts": (sentences.SHORTCUTS, "F1", "help"),
}
MENUS: Final = {"captions": sentences.CAPTION_MENU, "view": sentences.VIEW_MENU, "help": sentences.HELP_MENU}
MORE_KEYS: Final = {"bigger": ("Ctrl+=",), "start": ("Ctrl+Enter",)}
"""Other keys for an action: those of other keyboards, and Enter on the number pad."""


def add_actions(window: QMainWindow) -> dict[str, QAction]:
    """Fill the menu bar of a window, and return its actions by name."""
    menus = {name: window.menuBar().addMenu(title) for name, title in MENUS.items()}
    actions = {name: _action(window, name) for name in KEYS}
    for name, (_, _, menu) in KEYS.items():
        menus[menu].addAction(actions[name])
    actions["quit"].setMenuRole(QAction.MenuRole.QuitRole)
    actions["settings"].setMenuRole(QAction.MenuRole.PreferencesRole)
    for name in ("mute", "on_top"):
        actions[name].setCheckable(True)
    return actions


def share(actions: dict[str, QAction], window: QWidget) -> None:
    """Make the keys work in another window too."""
    window.addActions(list(actions.values()))


def listed(actions: dict[str, QAction]) -> str:
    """Return all keys, a line for each."""
    return "\n".join(
        f"{action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)}\t{KEYS[name][0].rstrip('.')}"
        for name, action in actions.items()
    )


def _action(window: QMainWindow, name: str) -> QAction:
    text, keys, _ = KEYS[name]
    action = QAction(text, window)
    action.setShortcuts([QKeySequence(each) for each in (keys, *MORE_KEYS.get(name, ()))])
    action.setToolTip(f"{text} ({QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)})")
    return action

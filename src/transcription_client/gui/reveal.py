"""A button in a line of a secret that shows what is typed."""

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLineEdit

from transcription_client.gui.icons import icon


def add_reveal(line: QLineEdit, name: str) -> QAction:
    """Hide what is typed in a line, and add the button. `name`: for its tooltip and for screen readers."""
    action = QAction(icon("reveal"), name, line, checkable=True)
    modes = {False: QLineEdit.EchoMode.Password, True: QLineEdit.EchoMode.Normal}
    line.setEchoMode(modes[False])
    action.toggled.connect(lambda shown: line.setEchoMode(modes[shown]))
    line.addAction(action, QLineEdit.ActionPosition.TrailingPosition)
    return action

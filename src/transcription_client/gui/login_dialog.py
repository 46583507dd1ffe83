"""The window to log in to a caption service, or to create an account there."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QDialog, QDialogButtonBox, QFormLayout, QLineEdit, QVBoxLayout, QWidget

from transcription_client.gui import sentences
from transcription_client.gui.background import Background
from transcription_client.gui.notice import Notice
from transcription_client.gui.reveal import add_reveal
from transcription_client.net import Api
from transcription_client.store import Login, Store


class LoginDialog(QDialog):
    """Emits `entered` with the login, once it is saved."""

    entered = Signal(object)

    def __init__(self, server: str, store: Store, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._server = server
        self._store = store
        self._background = Background(self)
        self._is_closed = False
        self.setWindowTitle(sentences.LOG_IN_OR_REGISTER)
        self.setMinimumWidth(400)
        self.email = QLineEdit(placeholderText="name@example.com")
        self.password = QLineEdit(echoMode=QLineEdit.EchoMode.Password)
        self.is_new = QCheckBox(sentences.IS_NEW)
        self.notice = Notice()
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.enter = self._buttons.addButton(sentences.LOG_IN, QDialogButtonBox.ButtonRole.AcceptRole)
        add_reveal(self.password, sentences.SHOW_PASSWORD)
        self._arrange()
        self._buttons.accepted.connect(self._enter)
        self._buttons.rejected.connect(self.reject)
        self.is_new.toggled.connect(self._show_use)

    def _arrange(self) -> None:
        form = QFormLayout()
        form.addRow(sentences.EMAIL, self.email)
        form.addRow(sentences.PASSWORD, self.password)
        form.addRow("", self.is_new)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.notice)
        layout.addWidget(self._buttons)

    def _show_use(self, is_new: bool) -> None:
        self.enter.setText(sentences.REGISTER if is_new else sentences.LOG_IN)
        self.password.setPlaceholderText(sentences.NEW_PASSWORD if is_new else "")
        self.notice.say("")

    def _enter(self) -> None:
        email, password, register = self.email.text().strip(), self.password.text(), self.is_new.isChecked()
        if not email or not password:
            self.notice.say(sentences.EMAIL_AND_PASSWORD, "bad")
            return
        self._wait(True)
        self.notice.say(sentences.REGISTERING if register else sentences.ENTERING)
        self._background.run(lambda: self._entered(email, password, register), self._show_entered, self._show_failed)

    def _entered(self, email: str, password: str, register: bool) -> Login:
        login = Api(self._server).enter(email, password, register=register)
        if not self._is_closed:
            with self._store.locked():
                self._store.save(login)
        return login

    def _show_entered(self, login: Login) -> None:
        self.entered.emit(login)
        self.accept()

    def _show_failed(self, sentence: str) -> None:
        self._wait(False)
        self.notice.say(sentence, "bad")
        self.password.setFocus()

    def _wait(self, waiting: bool) -> None:
        for widget in (self.email, self.password, self.is_new, self.enter):
            widget.setEnabled(not waiting)

    def done(self, result: int) -> None:
        """Close. A login that is still under way is dropped."""
        self._is_closed = True
        self._background.cancel()
        super().done(result)

"""The settings of the managed mode: the server's address, the login there, and the balance."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from PySide6.QtCore import QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFormLayout, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from transcription_client.config import same_server
from transcription_client.errors import ClientError
from transcription_client.gui import sentences
from transcription_client.gui.background import Background
from transcription_client.gui.login_dialog import LoginDialog
from transcription_client.gui.notice import Notice
from transcription_client.net import Api, fresh
from transcription_client.store import Login, Store
from transcription_wire.proxies import LOOPBACK

BUY_PATH: Final = "/dashboard#buy"


@dataclass(frozen=True, slots=True)
class Account:
    """A login's balance: `seconds` left, or the sentence that says why it is unknown."""

    login: Login | None
    seconds: int | None = None
    trouble: str = ""


def look_up(store: Store, server: str, *, may_renew: bool) -> Account:
    """Return the login at a server, and its balance. Raise ClientError for an address that is none.

    `may_renew`: False while an engine runs, which renews the tokens itself."""
    api = Api(server)
    login = store.load()
    if login is None or not same_server(login.server, server):
        return Account(login)
    try:
        login = (fresh(store) if may_renew else None) or login
        return Account(login, api.balance(login.token).seconds_remaining)
    except ClientError as error:
        return Account(login, trouble=str(error))


def open_shop(server: str) -> None:
    """Open the service's page to buy minutes in the browser."""
    QDesktopServices.openUrl(QUrl(server + BUY_PATH))


class AccountPanel(QWidget):
    """Emits `changed` when the address or the login has changed."""

    changed = Signal()

    def __init__(self, server: str, store: Store, *, may_renew: bool = True, parent: QWidget | None = None) -> None:
        """`may_renew`: as for `look_up`."""
        super().__init__(parent)
        self._store = store
        self._may_renew = may_renew
        self._background = Background(self)
        self._login: Login | None = None
        self.is_checking = False
        self.server = QLineEdit(server, placeholderText=sentences.SERVER_EXAMPLE, clearButtonEnabled=True)
        self.warning = Notice()
        self.notice = Notice()
        self.log_in = QPushButton(sentences.LOG_IN_OR_REGISTER)
        self.log_out = QPushButton(sentences.LOG_OUT)
        self.balance = QPushButton(sentences.VIEW_BALANCE)
        self.buy = QPushButton(sentences.BUY)
        self._arrange()
        self._connect()
        self.refresh()

    @property
    def address(self) -> str:
        """The server's address as it is typed. A name alone gets https."""
        typed = self.server.text().strip()
        scheme, _, host = typed.rpartition("://")
        return f"{scheme or 'https'}://{host.rstrip('/')}" if typed else ""

    @property
    def is_logged_in(self) -> bool:
        return self._login is not None and same_server(self._login.server, self.address)

    def _arrange(self) -> None:
        buttons = QHBoxLayout()
        for button in (self.log_in, self.log_out, self.balance, self.buy):
            button.setAutoDefault(False)
            buttons.addWidget(button)
        buttons.addStretch()
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(sentences.SERVER, self.server)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addWidget(self.warning)
        layout.addWidget(self.notice)
        layout.addLayout(buttons)

    def _connect(self) -> None:
        self.server.editingFinished.connect(self.refresh)
        self.server.textEdited.connect(lambda _: self.changed.emit())
        self.log_in.clicked.connect(self.open_login)
        self.log_out.clicked.connect(self._log_out)
        self.balance.clicked.connect(self.refresh)
        self.buy.clicked.connect(lambda: open_shop(self.address))

    def refresh(self) -> None:
        """Look up the login and its balance."""
        self.warning.say(sentences.NOT_ENCRYPTED if _is_exposed(self.address) else "", "warn")
        if not self.address:
            self._background.cancel()
            self._show(Account(None, trouble=""))
            self.notice.say(sentences.NO_SERVER)
            return
        self._wait(sentences.CHECKING)
        server = self.address
        store, may_renew = self._store, self._may_renew
        self._background.run(lambda: look_up(store, server, may_renew=may_renew), self._show, self._show_failed)

    def _show(self, account: Account) -> None:
        self._login = account.login
        known = self.is_logged_in
        self._wait("")
        self.log_in.setVisible(not known or bool(account.trouble))
        self.log_in.setEnabled(bool(self.address))
        for button in (self.log_out, self.balance, self.buy):
            button.setVisible(known)
        has_balance = account.seconds is not None
        self.balance.setText(sentences.balance(account.seconds or 0) if has_balance else sentences.VIEW_BALANCE)
        if account.trouble:
            self.notice.say(account.trouble, "bad")
        elif account.login is not None and known:
            self.notice.say(sentences.logged_in_as(account.login.email), "good")
        else:
            elsewhere = account.login.server if account.login else ""
            self.notice.say(sentences.other_server(elsewhere) if elsewhere else sentences.LOGGED_OUT)
        self.changed.emit()

    def _show_failed(self, sentence: str) -> None:
        self._show(Account(None, trouble=sentence))

    def open_login(self) -> None:
        """Ask for email and password."""
        dialog = LoginDialog(self.address, self._store, self)
        dialog.entered.connect(lambda _: self.refresh())
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _log_out(self) -> None:
        login = self._login
        self._wait(sentences.LOGGING_OUT)
        self._background.run(lambda: self._left(login), self._show, self._show_failed)

    def _left(self, login: Login | None) -> Account:
        """Forget the login here first, so that it is gone also where the service cannot be reached."""
        with self._store.locked():
            self._store.forget()
        if login is not None:
            try:
                Api(login.server).leave(login)
            except ClientError as error:
                raise ClientError(sentences.left_only_here(str(error))) from error
        return Account(None)

    def _wait(self, sentence: str) -> None:
        self.is_checking = bool(sentence)
        for button in (self.log_in, self.log_out, self.balance, self.buy):
            button.setEnabled(not sentence)
        self.notice.say(sentence)


def _is_exposed(address: str) -> bool:
    """Return whether a password sent to the address could be read on its way."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme == "http" and bool(parts.hostname) and parts.hostname not in LOOPBACK

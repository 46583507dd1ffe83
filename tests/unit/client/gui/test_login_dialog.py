"""The window to log in: what is sent, what is kept, and what is said when it fails."""

import threading
from typing import Any

import pytest
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from tests.unit.client.servers import Http
from transcription_client.gui.login_dialog import LoginDialog
from transcription_client.store import Store

ENTERED = {"user": {"email": "me@example.com"}, "token": "t-1", "refresh_token": "r-1", "expires_in": 900}


@pytest.fixture
def dialog(qtbot: QtBot, http: Http, store: Store) -> LoginDialog:
    dialog = LoginDialog(http.url, store)
    qtbot.addWidget(dialog)
    dialog.open()
    dialog.email.setText(" me@example.com ")
    dialog.password.setText("correct horse")
    return dialog


def test_logging_in_keeps_the_login_and_closes(dialog: LoginDialog, http: Http, store: Store, qtbot: QtBot) -> None:
    http.answers["POST /auth/login"] = (200, ENTERED)
    with qtbot.waitSignal(dialog.entered):
        dialog.enter.click()
    assert not dialog.isVisible()
    login = store.load()
    assert login is not None
    assert (login.server, login.email, login.token) == (http.url, "me@example.com", "t-1")
    assert http.asked[0].body == {"email": "me@example.com", "password": "correct horse"}


def test_a_new_user_creates_an_account(dialog: LoginDialog, http: Http, qtbot: QtBot) -> None:
    http.answers["POST /auth/register"] = (201, ENTERED)
    dialog.is_new.click()
    assert dialog.enter.text() == "Create account"
    with qtbot.waitSignal(dialog.entered):
        dialog.enter.click()


def test_a_refusal_is_said_in_the_services_words_and_can_be_mended(
    dialog: LoginDialog, http: Http, store: Store, qtbot: QtBot
) -> None:
    http.answers["POST /auth/login"] = (401, {"error": {"code": "no", "message": "Wrong email or password."}})
    dialog.enter.click()
    assert dialog.notice.sentence == "Logging in..."
    assert not dialog.password.isEnabled()
    qtbot.waitUntil(dialog.password.isEnabled)
    assert dialog.notice.sentence == "Wrong email or password."
    assert dialog.isVisible()
    assert store.load() is None


@pytest.mark.parametrize(("email", "password"), [("", "x"), ("me@example.com", "")])
def test_nothing_is_sent_without_both(dialog: LoginDialog, http: Http, email: str, password: str) -> None:
    dialog.email.setText(email)
    dialog.password.setText(password)
    dialog.enter.click()
    assert dialog.notice.sentence == "Enter your email and password."
    assert http.asked == []


def test_a_cancelled_login_is_not_kept(dialog: LoginDialog, http: Http, store: Store, qtbot: QtBot) -> None:
    asked, answered = threading.Event(), threading.Event()

    def late(_: Any) -> Any:
        asked.set()
        assert answered.wait(10)
        return (200, ENTERED)

    http.answers["POST /auth/login"] = late
    dialog.enter.click()
    assert asked.wait(10)
    dialog.reject()
    answered.set()
    qtbot.waitUntil(lambda: not [thread for thread in threading.enumerate() if thread.name == "background"])
    assert store.load() is None


def test_a_login_that_cannot_be_saved_is_said(dialog: LoginDialog, http: Http, folder: Any, qtbot: QtBot) -> None:
    http.answers["POST /auth/login"] = (200, ENTERED)
    folder.touch()  # a file where the folder should be
    dialog.enter.click()
    qtbot.waitUntil(lambda: dialog.notice.sentence.startswith(f"Can't write to {folder}"))


def test_the_password_is_hidden_until_it_is_shown(dialog: LoginDialog) -> None:
    (show,) = dialog.password.actions()
    assert dialog.password.echoMode() == QLineEdit.EchoMode.Password
    show.trigger()
    assert dialog.password.echoMode() == QLineEdit.EchoMode.Normal

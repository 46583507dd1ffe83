"""Every state of the section that says where captions come from."""

import threading
import time
from typing import Any

import pytest
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QGroupBox
from pytestqt.qtbot import QtBot

from tests.unit.client.gui.sections import HTML, Open
from tests.unit.client.keyrings import MemoryKeyring
from tests.unit.client.servers import Http
from transcription_client.gui.transcription_mode import TranscriptionModeSection
from transcription_client.secret_store import SecretStore
from transcription_client.store import Login, Store

BALANCE = {"seconds_remaining": 25_200, "minutes_remaining": 420, "seconds_held": 0, "seconds_frozen": 0}
REFUSED = {"error": {"code": "unauthorized", "message": "Your login is no longer valid. Log in again."}}


@pytest.fixture
def logged_in(http: Http, store: Store) -> Http:
    http.answers["GET /billing/balance"] = (200, BALANCE)
    store.save(Login(http.url, "me@example.com", "token-1", "refresh-1", time.time() + 3600))
    return http


def says(section: TranscriptionModeSection) -> str:
    """What the account's line says."""
    return section.account.notice.sentence


# --- The modes


def test_it_is_a_group_that_any_window_can_hold(opened: Open) -> None:
    section = opened()
    assert isinstance(section, QGroupBox)
    assert section.title() == "Transcription Mode"
    assert section.mode == "local"
    modes = [button.text() for button in section._group.buttons()]
    assert modes == ["Local (Whisper)", "Remote - Managed", "Remote - BYOK"]


@pytest.mark.parametrize(
    ("mode", "shown"), [("local", (False, False)), ("managed", (True, False)), ("byok", (False, True))]
)
def test_only_the_chosen_modes_settings_are_shown(opened: Open, mode: str, shown: tuple[bool, bool]) -> None:
    section = opened(mode=mode)
    assert (section.account.isVisible(), section.key.isVisible()) == shown
    assert section.fallback.isVisible() is (mode != "local")


def test_choosing_a_mode_shows_its_settings_and_tells_the_page(opened: Open, qtbot: QtBot) -> None:
    section = opened(mode="local")
    with qtbot.waitSignal(section.changed):
        section._modes["byok"][0].click()
    assert section.key.isVisible()
    assert section.values()["mode"] == "byok"


def test_an_unknown_mode_is_local(opened: Open) -> None:
    assert opened(mode="cloud").mode == "local"


def test_the_values_have_the_plans_keys_and_no_secret(opened: Open) -> None:
    section = opened(mode="byok", server_url="https://c.example.com", deepgram_model="nova-3", fallback="local")
    section.key.key.setText("k-1")
    assert section.values() == {
        "mode": "byok",
        "server_url": "https://c.example.com",
        "deepgram_model": "nova-3",
        "fallback": "local",
    }


def test_a_model_that_was_never_named_stays_open(opened: Open) -> None:
    section = opened(mode="byok", deepgram_model="")
    assert (section.key.model.currentText(), section.values()["deepgram_model"]) == ("nova-3", "")
    section.key.model.setCurrentText("nova-2-meeting")
    assert section.values()["deepgram_model"] == "nova-2-meeting"


def test_where_secrets_are_kept_is_said(opened: Open, folder: object) -> None:
    assert f"Logins and keys are kept in {folder}, in files only you can read." in opened(mode="byok").place.sentence


def test_with_a_keyring_the_page_names_it(keyring: MemoryKeyring, opened: Open) -> None:
    assert opened(mode="byok").place.sentence == "Logins and keys are kept in your system's keyring."


# --- Managed: the login


def test_without_an_address_it_asks_for_one(opened: Open) -> None:
    section = opened(mode="managed")
    assert says(section) == "Enter the address of your caption service."
    assert not section.account.log_in.isEnabled()
    assert section.problem() == "Log in first, or choose another mode."


def test_without_a_login_it_offers_one(opened: Open, http: Http) -> None:
    section = opened(mode="managed", server_url=http.url)
    assert says(section) == "Log in to see your balance."
    assert section.account.log_in.isVisible()
    assert section.account.log_in.text() == "Log in / Register"
    assert not section.account.balance.isVisible()
    assert http.asked == []


def test_with_a_login_it_shows_the_balance_as_the_plan_draws_it(opened: Open, logged_in: Http) -> None:
    section = opened(mode="managed", server_url=logged_in.url)
    assert section.account.balance.text() == "View Balance: 420 min remaining"
    assert says(section) == "Logged in as me@example.com."
    assert not section.account.log_in.isVisible()
    assert section.problem() == ""
    assert logged_in.asked[0].authorization == "Bearer token-1"


def test_the_balance_is_read_again_when_it_is_pressed(opened: Open, logged_in: Http, qtbot: QtBot) -> None:
    section = opened(mode="managed", server_url=logged_in.url)
    logged_in.answers["GET /billing/balance"] = (200, {**BALANCE, "seconds_remaining": 60})
    section.account.balance.click()
    assert says(section) == "Checking your login..."
    qtbot.waitUntil(lambda: section.account.balance.text() == "View Balance: 1 min remaining")


def test_buying_minutes_opens_the_browser(opened: Open, logged_in: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: addresses.append(url.toString()))
    opened(mode="managed", server_url=logged_in.url).account.buy.click()
    assert addresses == [f"{logged_in.url}/dashboard#buy"]


def test_another_address_is_another_login(opened: Open, logged_in: Http, qtbot: QtBot) -> None:
    section = opened(mode="managed", server_url=logged_in.url)
    section.account.server.setText("https://other.example.com")
    section.account.server.editingFinished.emit()
    qtbot.waitUntil(lambda: not section.account.is_checking)
    assert says(section) == f"You're logged in at {logged_in.url}. Log in here to use this address."
    assert section.account.log_in.isVisible()
    assert not section.account.is_logged_in


def test_a_name_alone_gets_https(opened: Open) -> None:
    section = opened(mode="managed", server_url="captions.example.com/")
    assert section.values()["server_url"] == "https://captions.example.com"


@pytest.mark.parametrize(
    ("address", "warns"),
    [
        ("http://captions.example.com", True),
        ("https://captions.example.com", False),
        ("http://127.0.0.1:3000", False),
        ("http://localhost", False),
        ("http://[::1", False),
    ],
)
def test_an_address_that_is_not_encrypted_is_warned_about(opened: Open, address: str, warns: bool) -> None:
    section = opened(mode="managed", server_url=address)
    assert section.account.warning.isVisible() is warns


def test_logging_out_forgets_the_login_here_and_there(
    opened: Open, logged_in: Http, store: Store, qtbot: QtBot
) -> None:
    logged_in.answers["POST /auth/logout"] = (204, b"")
    section = opened(mode="managed", server_url=logged_in.url)
    section.account.log_out.click()
    qtbot.waitUntil(lambda: says(section) == "Log in to see your balance.")
    assert store.load() is None
    assert logged_in.asked[-1].body == {"refresh_token": "refresh-1"}


def test_logging_out_works_without_the_service(opened: Open, logged_in: Http, store: Store, qtbot: QtBot) -> None:
    section = opened(mode="managed", server_url=logged_in.url)
    section.account.log_out.click()  # the service answers 404
    qtbot.waitUntil(lambda: not section.account.is_checking)
    assert says(section).startswith("Logged out on this computer, but the service doesn't know yet.")
    assert store.load() is None
    assert section.account.log_in.isEnabled()


# --- Managed: what can go wrong


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("ftp://captions", "'ftp://captions' isn't a valid address. Use one like https://captions.example.com."),
        ("http://", "'http://' isn't a valid address. Use one like https://captions.example.com."),
        ("https://a b c", "Can't reach https://a b c"),
    ],
)
def test_a_wrong_address_is_said(opened: Open, logged_in: Http, store: Store, address: str, sentence: str) -> None:
    store.save(Login(address, "me@example.com", "t", "r", time.time() + 3600))
    section = opened(mode="managed", server_url=address)
    assert says(section).startswith(sentence)
    assert section.account.notice.kind == "bad"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((200, HTML), "{url} isn't a caption service. Check the address."),
        ((404, HTML), "{url} isn't a caption service. Check the address (status 404)."),
        ((502, b""), "{url} isn't a caption service. Check the address (status 502)."),
        ((401, REFUSED), "Your login is no longer valid. Log in again."),
    ],
)
def test_a_wrong_answer_is_said(opened: Open, logged_in: Http, answer: Any, sentence: str) -> None:
    logged_in.answers["GET /billing/balance"] = answer
    section = opened(mode="managed", server_url=logged_in.url)
    assert says(section) == sentence.format(url=logged_in.url)
    assert section.account.log_in.isVisible()
    assert section.account.log_out.isVisible()
    assert section.account.balance.text() == "View Balance"


def test_a_service_that_is_away_is_said_and_tried_again(
    opened: Open, logged_in: Http, nobody: str, store: Store, qtbot: QtBot
) -> None:
    store.save(Login(nobody, "me@example.com", "t", "r", time.time() + 3600))
    section = opened(mode="managed", server_url=nobody)
    assert says(section).startswith(f"Can't reach {nobody}")
    assert section.account.balance.isEnabled()
    section.account.server.setText(logged_in.url)
    store.save(Login(logged_in.url, "me@example.com", "t", "r", time.time() + 3600))
    section.account.balance.click()
    qtbot.waitUntil(lambda: "420 min" in section.account.balance.text())


def test_a_token_that_expires_is_renewed_unless_an_engine_does_so(opened: Open, logged_in: Http, store: Store) -> None:
    logged_in.answers["POST /auth/refresh"] = (
        200,
        {"token": "token-2", "refresh_token": "refresh-2", "expires_in": 900},
    )
    store.save(Login(logged_in.url, "me@example.com", "token-1", "refresh-1", time.time()))
    opened(mode="managed", server_url=logged_in.url, may_renew=False)
    assert [asked.request for asked in logged_in.asked] == ["GET /billing/balance"]
    opened(mode="managed", server_url=logged_in.url)
    assert logged_in.asked[-1].authorization == "Bearer token-2"
    kept = store.load()
    assert kept is not None
    assert kept.refresh_token == "refresh-2"


def test_a_locked_keyring_is_said(opened: Open, http: Http, keyring: MemoryKeyring) -> None:
    keyring.locked = True
    section = opened(mode="managed", server_url=http.url)
    assert says(section).startswith("Can't open your system's keyring (no prompt). Unlock it, then try again.")


def test_the_window_does_not_wait_for_the_network(
    opened: Open, logged_in: Http, qtbot: QtBot, store: Store, secrets: SecretStore
) -> None:
    answered = threading.Event()

    def late(_: Any) -> Any:
        assert answered.wait(10)
        return (200, BALANCE)

    logged_in.answers["GET /billing/balance"] = late
    section = TranscriptionModeSection({"mode": "managed", "server_url": logged_in.url}, store=store, secrets=secrets)
    qtbot.addWidget(section)
    section.show()
    assert says(section) == "Checking your login..."
    section.choose("byok")  # the window works meanwhile
    assert section.key.isVisible()
    answered.set()
    qtbot.waitUntil(lambda: not section.account.is_checking)


def test_a_section_that_is_closed_meanwhile_ends_no_program(logged_in: Http, qtbot: QtBot, store: Store) -> None:
    answered = threading.Event()

    def late(_: Any) -> Any:
        assert answered.wait(10)
        return (200, BALANCE)

    logged_in.answers["GET /billing/balance"] = late
    section = TranscriptionModeSection({"mode": "managed", "server_url": logged_in.url}, store=store)
    section.deleteLater()
    del section
    qtbot.wait(1)
    answered.set()
    qtbot.waitUntil(lambda: not [thread for thread in threading.enumerate() if thread.name == "background"])

"""Every state of the part of the section that is about the user's own Deepgram key."""

from typing import Any

import pytest
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from tests.unit.client.gui.sections import HTML, Open
from tests.unit.client.servers import Http
from transcription_client.gui import sentences
from transcription_client.gui.transcription_mode import TranscriptionModeSection
from transcription_client.secret_store import SecretStore


def deepgram(http: Http, status: int, answer: Any) -> str:
    http.answers["GET /v1/auth/token"] = (status, answer)
    return http.url.replace("http", "ws", 1)


def pressed_test(opened: Open, qtbot: QtBot, url: str, key: str) -> TranscriptionModeSection:
    section = opened(mode="byok", deepgram_url=url)
    section.key.key.setText(key)
    section.key.test.click()
    assert section.key.notice.sentence == "Asking Deepgram..."
    qtbot.waitUntil(lambda: not section.key.is_testing)
    return section


def test_a_key_that_works_is_said(opened: Open, qtbot: QtBot, http: Http) -> None:
    section = pressed_test(opened, qtbot, deepgram(http, 200, {"api_key_id": "1"}), " key-1 ")
    assert section.key.notice.sentence == "Deepgram accepts this key."
    assert http.asked[0].authorization == "Token key-1"


@pytest.mark.parametrize(
    ("status", "answer", "sentence"),
    [
        (
            401,
            {"err_code": "INVALID_AUTH"},
            "Deepgram doesn't accept this key. Copy it again from console.deepgram.com.",
        ),
        (403, b"", "This key isn't allowed to transcribe. Create another at console.deepgram.com."),
        (503, b"", "Deepgram can't check the key now (status 503). Try again in a minute."),
        (429, b"", "Deepgram can't check the key now (status 429). Try again in a minute."),
        (200, HTML, "{url} isn't Deepgram (status 200). Check the address."),
        (404, HTML, "{url} isn't Deepgram (status 404). Check the address."),
    ],
)
def test_a_key_that_does_not_work_is_said(
    opened: Open, qtbot: QtBot, http: Http, status: int, answer: Any, sentence: str
) -> None:
    section = pressed_test(opened, qtbot, deepgram(http, status, answer), "key-1")
    assert section.key.notice.sentence == sentence.format(url=http.url)
    assert section.key.notice.kind == "bad"


@pytest.mark.parametrize("key", ["two words", "schl\u00fcssel", "a\tb"])
def test_what_cannot_be_a_key_is_not_sent(opened: Open, qtbot: QtBot, http: Http, key: str) -> None:
    section = pressed_test(opened, qtbot, deepgram(http, 200, {}), key)
    assert section.key.notice.sentence == "This isn't a Deepgram key. Copy it again from console.deepgram.com."
    assert http.asked == []


def test_without_a_key_there_is_nothing_to_test(opened: Open, qtbot: QtBot) -> None:
    section = pressed_test(opened, qtbot, "wss://api.deepgram.com", "")
    assert section.key.notice.sentence == "Paste your Deepgram API key first."
    assert section.problem() == "Paste your Deepgram API key, or choose another mode."


@pytest.mark.parametrize("url", ["", "deepgram", "ftp://x", "wss://", "wss://x:y"])
def test_a_wrong_address_of_deepgram_is_said(opened: Open, qtbot: QtBot, url: str) -> None:
    section = pressed_test(opened, qtbot, url, "key-1")
    assert section.key.notice.sentence == (
        f"{url!r} isn't a valid address for Deepgram. Use one like wss://api.deepgram.com."
    )


def test_deepgram_out_of_reach_is_said(opened: Open, qtbot: QtBot, nobody: str) -> None:
    section = pressed_test(opened, qtbot, nobody, "key-1")
    assert section.key.notice.sentence.startswith(f"Can't reach {nobody}")


def test_a_typed_key_is_hidden_and_kept_apart_from_the_settings(opened: Open, secrets: SecretStore) -> None:
    section = opened(mode="byok")
    section.key.key.setText("key-1")
    assert section.key.key.displayText() == "\u25cf" * 5 or section.key.key.echoMode().name == "Password"
    assert "key-1" not in str(section.save())
    assert secrets.get("byok_api_key") == "key-1"
    assert section.key.key.text() == ""


def test_a_kept_key_is_used_and_not_shown(opened: Open, secrets: SecretStore, qtbot: QtBot, http: Http) -> None:
    secrets.set("byok_api_key", "kept-1")
    section = opened(mode="byok", deepgram_url=deepgram(http, 200, {}))
    qtbot.waitUntil(lambda: section.key.key.placeholderText() == sentences.KEY_KEPT)
    assert section.key.key.text() == ""
    assert section.problem() == ""
    section.key.test.click()
    qtbot.waitUntil(lambda: not section.key.is_testing)
    assert http.asked[0].authorization == "Token kept-1"


def test_another_key_makes_the_answer_about_the_first_void(opened: Open, qtbot: QtBot, http: Http) -> None:
    section = pressed_test(opened, qtbot, deepgram(http, 401, {}), "key-1")
    QTest.keyClicks(section.key.key, "2")
    assert section.key.notice.sentence == ""

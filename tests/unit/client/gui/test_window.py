"""The caption window with a fake engine: captions, states and keys."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox
from pytestqt.qtbot import QtBot

from tests.unit.client.gui.fakes import Engines
from tests.unit.client.servers import Http
from transcription_client.config import Config
from transcription_client.engine import sentences as engine_sentences
from transcription_client.gui.window import CaptionWindow
from transcription_client.store import Login, Store
from transcription_wire.sentences import behind

Key = Qt.Key
CTRL = Qt.KeyboardModifier.ControlModifier


def press(window: CaptionWindow, key: Qt.Key, modifier: Qt.KeyboardModifier = CTRL) -> None:
    window.activateWindow()
    QTest.keyClick(window, key, modifier)


def test_it_says_how_to_begin(window: CaptionWindow) -> None:
    assert window.view.lines(600) == [("Press Start and speak.", True)]
    assert window.controls.status.text() == "Captions are off"
    assert window.controls.start.text() == "Start"


def test_words_appear_interim_and_then_final(running: CaptionWindow, engines: Engines, qtbot: QtBot) -> None:
    engines.last.say("hello wor", final=False)
    qtbot.waitUntil(lambda: running.view.lines(800) == [("hello wor\u2026", True)])
    engines.last.say("Hello world.")
    qtbot.waitUntil(lambda: running.view.lines(800) == [("Hello world.", False)])
    assert running.floating.view.shown == running.view.shown


def test_interim_words_differ_by_more_than_color(window: CaptionWindow) -> None:
    assert window._look.typeface(interim=True).italic()
    assert not window._look.typeface(interim=False).italic()


def test_only_the_last_lines_are_shown(running: CaptionWindow, engines: Engines, qtbot: QtBot) -> None:
    for number in range(6):
        engines.last.say(f"Line {number}.")
    qtbot.waitUntil(lambda: len(running.log.segments) == 6)
    assert [text for text, _ in running.view.lines(800)] == ["Line 3.", "Line 4.", "Line 5."]


def test_a_long_text_wraps_and_a_word_without_end_too(running: CaptionWindow, engines: Engines, qtbot: QtBot) -> None:
    engines.last.say("a few words " + "x" * 500)
    qtbot.waitUntil(lambda: len(running.view.lines(400)) == 3)
    running.grab()


@pytest.mark.parametrize(
    ("state", "message", "status", "notice"),
    [
        ("connecting", engine_sentences.CONNECTING, "Connecting...", ""),
        ("live", engine_sentences.LIVE, "\u25cf Live", ""),
        ("live", "9 min left. Captions stop at zero.", "\u25cf Live", "9 min left. Captions stop at zero."),
        (
            "reconnecting",
            engine_sentences.RECONNECTING,
            "\u25cc Reconnecting",
            "Reconnecting. Nothing you say is lost.",
        ),
        (
            "fallback",
            "Captions continue on this computer.",
            "\u25d0 On this computer",
            "Captions continue on this computer.",
        ),
        ("live", behind(4), "\u25cf Live", "Captions are 4 s behind."),
        ("live", behind(0), "\u25cf Live", ""),
        ("live", engine_sentences.UNPLUGGED, "\u25cf Live", engine_sentences.UNPLUGGED),
    ],
)
def test_every_state_has_a_sign_and_a_sentence(
    running: CaptionWindow, engines: Engines, qtbot: QtBot, state: str, message: str, status: str, notice: str
) -> None:
    engines.last.enter(state, message)  # type: ignore[arg-type]
    qtbot.waitUntil(lambda: running.controls.status.text() == status)
    assert running.controls.status.toolTip() == message
    assert running.notice.sentence == notice


def test_good_news_is_no_warning(running: CaptionWindow, engines: Engines, qtbot: QtBot) -> None:
    engines.last.enter("live", engine_sentences.BACK)
    qtbot.waitUntil(lambda: running.notice.sentence == "The service is back. Captions are live.")
    assert running.notice.kind == "good"


def test_why_captions_ended_stays_to_be_read(running: CaptionWindow, engines: Engines, qtbot: QtBot) -> None:
    engines.last.enter("ended", "You're out of minutes. Buy more to continue.", 0, "insufficient_credits")
    qtbot.waitUntil(lambda: running.session.phase == "off")
    assert running.notice.sentence == "You're out of minutes. Buy more to continue."
    assert running.notice.kind == "bad"
    assert running.controls.start.text() == "Start"


def test_minutes_left_and_how_long_they_last(running: CaptionWindow, engines: Engines, qtbot: QtBot) -> None:
    engines.last.enter("live", engine_sentences.LIVE, 12_000)
    qtbot.waitUntil(lambda: running.controls.left.text().startswith("3 h 20 min left, until about "))


def test_without_a_balance_nothing_is_said_of_it(running: CaptionWindow, engines: Engines, qtbot: QtBot) -> None:
    engines.last.enter("live", engine_sentences.LIVE)
    qtbot.waitUntil(lambda: running.controls.status.text() == "\u25cf Live")
    assert running.controls.left.text() == ""


def test_the_level_moves_while_it_runs(running: CaptionWindow, engines: Engines, qtbot: QtBot) -> None:
    engines.last.level = 0.1  # -20 dB
    qtbot.waitUntil(lambda: running.controls.level.value() == 67)
    running.session.stop()
    qtbot.waitUntil(lambda: running.session.phase == "off")
    assert running.controls.level.value() == 0


@pytest.mark.parametrize(("level", "shown"), [(0.0, 0), (1.0, 100), (0.0001, 0), (2.0, 100)])
def test_the_meter_has_the_scale_of_the_ear(window: CaptionWindow, level: float, shown: int) -> None:
    window.controls.show_level(level)
    assert window.controls.level.value() == shown


def test_the_login_goes_to_the_engine(
    window: CaptionWindow, engines: Engines, config: Config, store: Store, qtbot: QtBot
) -> None:
    config.sections["remote"] |= {"mode": "managed", "server_url": "https://c.example.com"}
    store.save(Login("https://c.example.com", "me@example.com", "t-1", "r-1", 2e10))
    window.toggle()
    qtbot.waitUntil(lambda: window.session.phase == "running")
    assert engines.last.config["auth_token"] == "t-1"
    assert engines.last.config["mode"] == "managed"


def test_before_the_start_it_shows_what_is_left(
    make: Callable[[], CaptionWindow], config: Config, store: Store, http: Http, qtbot: QtBot
) -> None:
    balance = {"seconds_remaining": 12_000, "minutes_remaining": 200, "seconds_held": 0, "seconds_frozen": 0}
    http.answers["GET /billing/balance"] = (200, balance)
    store.save(Login(http.url, "me@example.com", "t-1", "r-1", 2e10))
    config.sections["remote"] |= {"mode": "managed", "server_url": http.url}
    window = make()
    qtbot.waitUntil(lambda: window.controls.left.text() == "3 h 20 min left")


def test_minutes_are_bought_in_the_browser_where_the_mode_has_any(
    make: Callable[[], CaptionWindow], config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()))
    assert not make().actions_by_name["buy"].isEnabled()
    config.sections["remote"] |= {"mode": "managed", "server_url": "https://c.example.com"}
    make().actions_by_name["buy"].trigger()
    assert opened == ["https://c.example.com/dashboard#buy"]


# --- Keys


def test_keys_start_mute_and_stop(window: CaptionWindow, engines: Engines, qtbot: QtBot) -> None:
    press(window, Key.Key_Return)
    qtbot.waitUntil(lambda: window.session.phase == "running")
    press(window, Key.Key_M)
    assert engines.last.calls[-1] == "muted True"
    assert window.view.lines(800) == [("Muted. You aren't billed while muted.", True)]
    assert window.actions_by_name["mute"].text() == "Unmute"
    press(window, Key.Key_M)
    assert engines.last.calls[-1] == "muted False"
    press(window, Key.Key_Return)
    qtbot.waitUntil(lambda: window.session.phase == "off")


def test_keys_change_the_size_and_it_is_kept(window: CaptionWindow, folder: Path) -> None:
    press(window, Key.Key_Equal)
    press(window, Key.Key_Equal)
    press(window, Key.Key_Minus)
    assert window._look.size == 36
    assert Config.load(folder).sections["captions"]["size"] == 36


def test_sizes_have_an_end(window: CaptionWindow) -> None:
    for _ in range(60):
        window.actions_by_name["bigger"].trigger()
    assert window._look.size == 160
    for _ in range(60):
        window.actions_by_name["smaller"].trigger()
    assert window._look.size == 12


def test_captions_alone_and_back(window: CaptionWindow) -> None:
    press(window, Key.Key_F11, Qt.KeyboardModifier.NoModifier)
    assert (window.isVisible(), window.floating.isVisible()) == (False, True)
    QTest.keyClick(window.floating, Key.Key_Escape)
    assert (window.isVisible(), window.floating.isVisible()) == (True, False)
    window.toggle_floating()
    window.floating.close()
    assert (window.isVisible(), window.floating.isVisible()) == (True, False)


def test_captions_alone_have_a_transparent_background(window: CaptionWindow) -> None:
    window._restyle(opacity=0)
    window.toggle_floating()
    corner = window.floating.grab().toImage().pixelColor(2, 2)
    assert corner.alpha() == 0


def test_on_top_of_other_windows_and_no_longer(window: CaptionWindow) -> None:
    on_top = Qt.WindowType.WindowStaysOnTopHint
    window.actions_by_name["on_top"].trigger()
    assert window.windowFlags() & on_top
    assert window.floating.windowFlags() & on_top
    assert window.isVisible()
    window.actions_by_name["on_top"].trigger()
    assert not window.windowFlags() & on_top


def test_all_keys_are_listed(window: CaptionWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(QMessageBox, "information", lambda *arguments: shown.append(arguments[2]))
    press(window, Key.Key_F1, Qt.KeyboardModifier.NoModifier)
    assert len(shown[0].splitlines()) == len(window.actions_by_name)
    assert "Ctrl+M\tMute" in shown[0]

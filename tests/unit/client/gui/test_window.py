"""The caption window with a fake engine: captions, keys, states, saving, and its end."""

import errno
import http.client
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from tests.unit.client.gui.fakes import Engines
from tests.unit.client.servers import Http
from transcription_client.config import Config
from transcription_client.engine import sentences as engine_sentences
from transcription_client.gui import sentences
from transcription_client.gui.window import CaptionWindow, Parts
from transcription_client.secret_store import SecretStore
from transcription_client.store import Login, Store
from transcription_wire.sentences import behind

Key = Qt.Key
CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def engines() -> Engines:
    return Engines()


@pytest.fixture
def make(
    qtbot: QtBot, config: Config, store: Store, secrets: SecretStore, engines: Engines
) -> Iterator[Callable[[], CaptionWindow]]:
    windows: list[CaptionWindow] = []

    def show() -> CaptionWindow:
        parts = Parts(config, store, secrets, engines, lambda device: None, list, ("Local", ""))
        window = CaptionWindow(parts)
        windows.append(window)
        window.show()
        qtbot.waitExposed(window)
        return window

    yield show
    for window in windows:
        window.log.unsaved = False
        window.close()
        qtbot.waitUntil(lambda window=window: window.session.phase == "off")  # type: ignore[misc]
        window.deleteLater()


@pytest.fixture
def window(make: Callable[[], CaptionWindow]) -> CaptionWindow:
    return make()


@pytest.fixture
def running(window: CaptionWindow, qtbot: QtBot) -> CaptionWindow:
    window.toggle()
    qtbot.waitUntil(lambda: window.session.phase == "running")
    return window


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


# --- Saving


def spoken(window: CaptionWindow, engines: Engines, qtbot: QtBot) -> None:
    engines.last.say("Hello world.")
    qtbot.waitUntil(lambda: window.log.unsaved)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.srt", "1\n00:00:01,000 --> 00:00:03,000\nHello world.\n\n"),
        ("a.vtt", "WEBVTT\n\n00:00:01.000 --> 00:00:03.000\nHello world.\n\n"),
        ("a.txt", "Hello world.\n"),
    ],
)
def test_captions_are_saved(
    running: CaptionWindow, engines: Engines, qtbot: QtBot, tmp_path: Path, name: str, content: str
) -> None:
    spoken(running, engines, qtbot)
    running.log.segments[0] = type(running.log.segments[0])(1.0, 3.0, "Hello world.")
    assert running.save_to(tmp_path / name)
    assert (tmp_path / name).read_text() == content
    assert not running.log.unsaved
    assert running.notice.sentence == f"Saved to {tmp_path / name}."


def test_a_full_disk_is_said_and_the_captions_stay(
    running: CaptionWindow, engines: Engines, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken(running, engines, qtbot)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("transcription_client.output.File._draft", full)
    assert not running.save_to(tmp_path / "a.srt")
    assert running.notice.sentence == (
        f"Can't write {tmp_path / 'a.srt'} (No space left on device). Choose another file."
    )
    assert running.log.unsaved


def test_without_captions_there_is_nothing_to_save(window: CaptionWindow) -> None:
    window.actions_by_name["save"].trigger()
    assert window.notice.sentence == "No captions to save yet."


def test_a_look_that_cannot_be_kept_is_said_and_worn(window: CaptionWindow, folder: Path) -> None:
    folder.touch()  # a file where the folder should be
    window.actions_by_name["bigger"].trigger()
    assert window.notice.sentence.startswith("Your settings weren't saved.")
    assert window._look.size == 36


# --- Settings


def test_another_mode_is_a_clean_stop_and_start(running: CaptionWindow, engines: Engines, qtbot: QtBot) -> None:
    dialog = running.open_settings()
    dialog.section.choose("byok")
    dialog.accept()
    qtbot.waitUntil(lambda: len(engines.made) == 2 and running.session.phase == "running")
    assert engines.made[0].calls[-1] == "stop"
    assert engines.made[1].config["mode"] == "byok"


def test_another_look_leaves_the_engine_alone(running: CaptionWindow, engines: Engines) -> None:
    dialog = running.open_settings()
    dialog.look.lines.setValue(5)
    dialog.accept()
    assert running._look.lines == 5
    assert len(engines.made) == 1


@pytest.mark.parametrize(("theme", "is_dark"), [("dark", True), ("light", False)])
def test_the_theme_is_put_on(window: CaptionWindow, qtbot: QtBot, theme: str, is_dark: bool) -> None:
    window._config.sections["window"]["theme"] = "system"
    dialog = window.open_settings()
    dialog.look.theme.setCurrentIndex(dialog.look.theme.findData(theme))
    dialog.accept()
    qtbot.waitUntil(lambda: (window.palette().window().color().lightness() < 128) is is_dark)


def test_captions_reach_the_page_for_obs(running: CaptionWindow, engines: Engines, qtbot: QtBot) -> None:
    running._config.sections["overlay"] |= {"enabled": True, "port": 0}
    running._serve()
    spoken(running, engines, qtbot)
    connection = http.client.HTTPConnection("127.0.0.1", running.overlay.port or 0, timeout=10)
    connection.request("GET", "/captions")
    assert b"Hello world." in connection.getresponse().readline()
    connection.close()


def test_a_port_that_is_used_is_said(make: Callable[[], CaptionWindow], config: Config) -> None:
    first = make()
    config.sections["overlay"] |= {"enabled": True, "port": 0}
    first._serve()
    config.sections["overlay"]["port"] = first.overlay.port
    second = make()
    second._serve()
    assert second.notice.sentence == sentences.port_taken(first.overlay.port or 0)


def test_what_was_wrong_with_the_settings_is_said(make: Callable[[], CaptionWindow], config: Config) -> None:
    config.problems.append("config.yaml couldn't be read.")
    assert make().notice.sentence == "config.yaml couldn't be read."


def test_a_file_that_was_broken_meanwhile_is_said_at_the_next_save(window: CaptionWindow, folder: Path) -> None:
    folder.mkdir()
    (folder / "config.yaml").write_text("captions: [")
    window.actions_by_name["bigger"].trigger()
    assert window.notice.sentence.startswith("config.yaml couldn't be read")
    assert Config.load(folder).sections["captions"]["size"] == 36


def test_captions_alone_show_why_they_stopped_and_nothing_less(window: CaptionWindow) -> None:
    window.toggle_floating()
    window.say("9 min left.", "warn")
    assert not window.floating.notice.isVisible()
    window.say("You're out of minutes.", "bad")
    assert window.floating.notice.isVisible()


# --- The end


def answering(monkeypatch: pytest.MonkeyPatch, label: str) -> None:
    """Somebody presses that button of the question."""

    def press_button(box: QMessageBox) -> int:
        button = next(each for each in box.findChildren(QPushButton) if each.text() == label)
        monkeypatch.setattr(QMessageBox, "clickedButton", lambda _: button)
        return 0

    monkeypatch.setattr(QMessageBox, "exec", press_button)


def test_closing_stops_the_engine_first(running: CaptionWindow, engines: Engines, qtbot: QtBot) -> None:
    running.close()
    qtbot.waitUntil(lambda: not running.isVisible())
    assert engines.last.calls[-1] == "stop"


def test_unsaved_captions_are_asked_about(
    running: CaptionWindow, engines: Engines, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken(running, engines, qtbot)
    answering(monkeypatch, "Cancel")
    running.close()
    assert running.isVisible()
    assert running.session.phase == "running"
    answering(monkeypatch, "Discard")
    running.close()
    qtbot.waitUntil(lambda: not running.isVisible())


def test_clearing_asks_about_unsaved_captions(
    running: CaptionWindow, engines: Engines, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken(running, engines, qtbot)
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.No)
    running.actions_by_name["clear"].trigger()
    assert running.log.segments
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    running.actions_by_name["clear"].trigger()
    assert running.log.segments == []

"""The caption window with a fake engine: saving, settings, and its end."""

import errno
import http.client
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from tests.unit.client.gui.fakes import Engines
from transcription_client.config import Config
from transcription_client.gui import sentences
from transcription_client.gui.window import CaptionWindow

Key = Qt.Key
CTRL = Qt.KeyboardModifier.ControlModifier


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

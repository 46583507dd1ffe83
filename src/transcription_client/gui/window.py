"""The caption window: captions, the bar below them, and a line for what went wrong."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QDateTime, QLocale, QTimer
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QApplication, QFileDialog, QMainWindow, QMessageBox, QVBoxLayout, QWidget

from transcription_client import output
from transcription_client.config import Config, engine_config
from transcription_client.engine import sentences as engine
from transcription_client.engine.values import AudioSource, EngineStatus, TranscriptionResult
from transcription_client.errors import ClientError
from transcription_client.gui import sentences, theme
from transcription_client.gui.account_panel import Account, look_up, open_shop
from transcription_client.gui.actions import add_actions, listed, share
from transcription_client.gui.background import Background
from transcription_client.gui.caption_view import CaptionView
from transcription_client.gui.captions import CaptionLog, Forecast
from transcription_client.gui.controls import Controls
from transcription_client.gui.floating import FloatingCaptions, set_on_top
from transcription_client.gui.look import Look
from transcription_client.gui.notice import Notice
from transcription_client.gui.overlay_server import OverlayServer
from transcription_client.gui.session import CaptionSession, MakeEngine, Phase
from transcription_client.gui.settings_dialog import SettingsDialog
from transcription_client.gui.transcription_mode import TranscriptionModeSection
from transcription_client.secret_store import SecretStore
from transcription_client.store import Store
from transcription_wire.sentences import behind

LEVEL_MS: Final = 66
SIZE_STEP: Final = 4
STATES: Final = {"live": "\u25cf Live", "fallback": "\u25d0 On this computer", "reconnecting": "\u25cc Reconnecting"}
"""A sign and a word for each state; the sentence of the engine is the tooltip, and a notice where it matters."""
USUAL: Final = (engine.CONNECTING, engine.LIVE, engine.LIVE_LOCALLY, behind(0))
"""Sentences that the state shows already, and one that only takes a warning back."""


@dataclass(frozen=True)
class Parts:
    """The objects that the window works with. `audio`: makes the source of an engine from the name of a microphone."""

    config: Config
    store: Store
    secrets: SecretStore
    make_engine: MakeEngine
    audio: Callable[[str], AudioSource | None]
    devices: Callable[[], list[str]]
    local: tuple[str, str]


class CaptionWindow(QMainWindow):
    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self._parts = parts
        self._config = parts.config
        self._look = Look.of(parts.config.sections["captions"])
        self.log = CaptionLog()
        self._forecast = Forecast()
        self.overlay = OverlayServer()
        self.session = CaptionSession(parts.make_engine, self)
        self.actions_by_name = add_actions(self)
        by_name = self.actions_by_name
        self.controls = Controls(by_name["start"], by_name["mute"], by_name["float"], by_name["settings"])
        self.view = CaptionView(self._look)
        self.view.set_hint(sentences.OFF_HINT)
        self.notice = Notice()
        self.notice.setContentsMargins(12, 8, 12, 0)
        self.floating = FloatingCaptions(self._look)
        self._quits = False
        self._background = Background(self)
        self._arrange()
        self._connect()
        self._wear(self._look)
        self._serve()
        self._show_phase("off")
        self.show_balance()
        self.say(parts.config.take_problems(), "warn")

    # --- The window

    def _arrange(self) -> None:
        self.setWindowTitle(sentences.APP)
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.notice)
        layout.addWidget(self.controls)
        self.setCentralWidget(inside)
        self.resize(860, 320)
        share(self.actions_by_name, self.floating)
        self._meter = QTimer(self, interval=LEVEL_MS)
        self._meter.timeout.connect(lambda: self.controls.show_level(self.session.level))

    def _connect(self) -> None:
        does: dict[str, Callable[[], Any]] = {
            "start": self.toggle,
            "mute": lambda: self.mute(not self.session.muted),
            "save": self.save,
            "clear": self.clear,
            "buy": lambda: open_shop(str(self._remote["server_url"])),
            "settings": self.open_settings,
            "quit": self.close,
            "float": self.toggle_floating,
            "on_top": lambda: self._restyle(always_on_top=not self._look.always_on_top),
            "bigger": lambda: self._restyle(size=min(160, self._look.size + SIZE_STEP)),
            "smaller": lambda: self._restyle(size=max(12, self._look.size - SIZE_STEP)),
            "shortcuts": lambda: QMessageBox.information(self, sentences.SHORTCUTS, listed(self.actions_by_name)),
        }
        for name, act in does.items():
            self.actions_by_name[name].triggered.connect(lambda _=False, act=act: act())
        self.floating.returned.connect(self.toggle_floating)
        self.session.transcript.connect(self._take_words)
        self.session.status.connect(self._take_status)
        self.session.phase_changed.connect(self._show_phase)
        self.session.failed.connect(lambda sentence: self.say(sentence, "bad"))

    def say(self, sentence: str, kind: Any = "plain") -> None:
        """Show a sentence between the captions and the bar, or none. Captions alone show only what has stopped them."""
        self.notice.say(sentence, kind)
        self.floating.notice.say(sentence if kind == "bad" else "", "bad")

    def _say_problems(self) -> None:
        if told := self._config.take_problems():
            self.say(told, "warn")

    @property
    def _remote(self) -> Mapping[str, Any]:
        return self._config.sections["remote"]

    def show_balance(self) -> None:
        """Look up the minutes that are left, where the mode has any. The settings page says what goes wrong there."""
        is_managed = self._remote["mode"] == "managed" and bool(self._remote["server_url"])
        self.actions_by_name["buy"].setEnabled(is_managed)
        self.controls.left.setText("")
        if is_managed and self.session.phase == "off":
            server, store = str(self._remote["server_url"]), self._parts.store
            self._background.run(lambda: look_up(store, server, may_renew=True), self._show_account, lambda _: None)

    def _show_account(self, account: Account) -> None:
        if account.seconds is not None and self.session.phase == "off":
            self.controls.left.setText(sentences.left(account.seconds, ""))

    # --- Captions

    def toggle(self) -> None:
        """Start, or stop."""
        if self.session.phase in ("starting", "running"):
            self.session.stop()
        elif self.session.phase == "off":
            self.start()

    def start(self) -> None:
        self._background.cancel()
        self.say("")
        self.log.begin(time.monotonic())
        self._forecast = Forecast()
        remote, device = self._remote, str(self._config.sections["audio"]["device"])
        secrets, store = self._parts.secrets, self._parts.store
        self.session.start(lambda: engine_config(remote, secrets, store), lambda: self._parts.audio(device))

    def mute(self, muted: bool) -> None:
        self.session.set_muted(muted)
        self.controls.show_phase(self.session.phase, muted)
        self._show_hint()

    def _take_words(self, result: TranscriptionResult) -> None:
        self.log.take(result)
        self._show_captions()

    def _take_status(self, status: EngineStatus) -> None:
        self.controls.status.setText(STATES.get(status.state, status.message))
        self.controls.status.setToolTip(status.message)
        if status.seconds_remaining is not None:
            self._show_left(status.seconds_remaining)
        if status.state == "ended":
            self.say(status.message, "plain" if status.reason == "client_stop" else "bad")
        else:
            kind = "good" if status.message == engine.BACK else "warn"
            self.say("" if status.message in USUAL else status.message, kind)

    def _show_left(self, seconds: int) -> None:
        self._forecast.note(seconds, time.monotonic())
        lasts = self._forecast.lasts()
        until = ""
        if lasts is not None and self.session.phase == "running":
            at = QDateTime.currentDateTime().addSecs(round(lasts))
            until = QLocale().toString(at.time(), QLocale.FormatType.ShortFormat) if lasts < 86_400 else ""
        self.controls.left.setText(sentences.left(seconds, until))

    def _show_phase(self, phase: Phase) -> None:
        self.controls.show_phase(phase, self.session.muted)
        if phase == "running":
            self._meter.start()
        else:
            self._meter.stop()
            self.controls.show_level(0.0)
        if phase == "off":
            self.log.end()
            self.controls.status.setText(sentences.OFF)
            self.controls.status.setToolTip("")
        elif phase == "stopping":
            self.controls.status.setText(sentences.STOPPING)
        self._show_hint()
        self._show_captions()

    def _show_hint(self) -> None:
        is_off = self.session.phase == "off"
        hint = sentences.OFF_HINT if is_off else sentences.MUTED if self.session.muted else sentences.LISTENING
        for view in (self.view, self.floating.view):
            view.set_hint(hint)

    def _show_captions(self) -> None:
        shown = self.log.shown
        self.view.show_captions(shown)
        self.floating.view.show_captions(shown)
        self.overlay.show_captions(shown)

    # --- Saving

    def save(self) -> bool:
        """Ask for a file, and write the captions. Return whether they were written."""
        if not self.log.segments:
            self.say(sentences.NOTHING_TO_SAVE)
            return False
        name, kind = QFileDialog.getSaveFileName(self, sentences.SAVE, "captions.srt", sentences.FILE_TYPES)
        return bool(name) and self.save_to(_with_suffix(Path(name), kind))

    def save_to(self, path: Path) -> bool:
        """Write the captions in the form that the file's name asks for."""
        try:
            output.File(path, output.by_extension(path)).write(self.log.segments)
        except ClientError as error:
            self.say(str(error), "bad")
            return False
        self.log.unsaved = False
        self.say(sentences.saved(str(path)), "good")
        return True

    def clear(self) -> None:
        if not self.log.unsaved or self._agrees(sentences.CLEAR_QUESTION):
            self.log.clear()
            self.log.begin(time.monotonic())
            self._show_captions()

    def _agrees(self, question: str) -> bool:
        answer = QMessageBox.question(self, sentences.CLEAR, question)
        return answer == QMessageBox.StandardButton.Yes

    # --- Look and settings

    def toggle_floating(self) -> None:
        """Show the captions alone, or the whole window again."""
        floats = not self.floating.isVisible()
        self.floating.setVisible(floats)
        self.setVisible(not floats)

    def _restyle(self, **changes: Any) -> None:
        self._keep({"captions": changes})
        self._wear(replace(self._look, **changes))

    def _keep(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        try:
            self._config.save(changes)
        except ClientError as error:
            self.say(sentences.not_saved(str(error)), "bad")
        else:
            self._say_problems()

    def _wear(self, look: Look) -> None:
        self._look = look
        self.view.set_look(look)
        self.floating.set_look(look)
        self.overlay.set_look(look)
        set_on_top(self, look.always_on_top)
        self.actions_by_name["on_top"].setChecked(look.always_on_top)

    def open_settings(self) -> SettingsDialog:
        """Show the settings, over this window or the captions alone, whose keys rest meanwhile."""
        over = self if self.isVisible() else self.floating
        dialog = SettingsDialog(self._config, self.section(), self._parts.devices, over)
        dialog.saved.connect(self._apply)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
        return dialog

    def section(self) -> TranscriptionModeSection:
        """Return the settings of the transcription mode, as a widget."""
        return TranscriptionModeSection(
            self._remote,
            store=self._parts.store,
            secrets=self._parts.secrets,
            local=self._parts.local,
            may_renew=self.session.phase == "off",
        )

    def _apply(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """Put saved settings to use. Another mode, language or microphone is a clean stop and start."""
        self.say("")
        self._say_problems()
        if "captions" in changes:
            self._wear(Look.of(self._config.sections["captions"]))
        if "window" in changes:
            theme.apply(_app(), str(self._config.sections["window"]["theme"]))
        if "overlay" in changes:
            self._serve()
        if changes.keys() & {"remote", "audio"} and self.session.phase == "running":
            self.session.stop(then=self.start)
        else:
            self.show_balance()

    def _serve(self) -> None:
        section = self._config.sections["overlay"]
        self.overlay.stop()
        if not section["enabled"]:
            return
        try:
            self.overlay.start(int(section["port"]))
        except ClientError as error:
            self.say(str(error), "warn")

    # --- The end

    def end(self) -> None:
        """Close without a question."""
        self._quits = True
        self.close()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Ask about captions that are not saved, stop the engine, and close once it has stopped."""
        if not self._quits and self.log.unsaved and not self._may_lose_captions():
            event.ignore()
            return
        self._quits = True
        if self.session.phase != "off":
            event.ignore()
            self.session.stop(then=self.close)
            return
        self.overlay.stop()
        self.floating.hide()
        event.accept()
        _app().quit()

    def _may_lose_captions(self) -> bool:
        box = QMessageBox(QMessageBox.Icon.Question, sentences.APP, sentences.UNSAVED, parent=self)
        box.setInformativeText(sentences.UNSAVED_HINT)
        save = box.addButton(sentences.SAVE_NOW, QMessageBox.ButtonRole.AcceptRole)
        discard = box.addButton(sentences.DISCARD, QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(sentences.CANCEL, QMessageBox.ButtonRole.RejectRole)
        box.exec()
        return self.save() if box.clickedButton() is save else box.clickedButton() is discard


def _with_suffix(path: Path, kind: str) -> Path:
    """Return a path with the suffix of the chosen kind of file, where the typed name has none."""
    return path if path.suffix else path.with_suffix(f".{kind.partition('*.')[2].rstrip(')')}")


def _app() -> QApplication:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    return app

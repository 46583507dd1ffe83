"""`TranscriptionModeSection`: the part of a settings page that says where captions come from. Any Qt app can embed it.

section = TranscriptionModeSection(config["remote"])
layout.addWidget(section)
...
if not section.problem():
    config["remote"].update(section.save())
"""

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QCheckBox, QGroupBox, QRadioButton, QStyle, QVBoxLayout, QWidget

from transcription_client.deepgram_key import DEEPGRAM
from transcription_client.gui import sentences
from transcription_client.gui.account_panel import AccountPanel
from transcription_client.gui.key_panel import KeyPanel
from transcription_client.gui.notice import Notice
from transcription_client.secret_store import SecretStore
from transcription_client.store import Store


class TranscriptionModeSection(QGroupBox):
    """The three modes, each with its own settings below it. Emits `changed` at every change.

    `remote`: the settings of the plan's `remote:` section. Tokens and keys are kept by `store` and `secrets` alone."""

    changed = Signal()

    def __init__(
        self,
        remote: Mapping[str, Any],
        *,
        store: Store | None = None,
        secrets: SecretStore | None = None,
        local: tuple[str, str] = (sentences.LOCAL, ""),
        may_renew: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        """`local`: the name of the local mode, and a line about it. `may_renew`: False while an engine runs."""
        super().__init__(sentences.MODES, parent)
        self._secrets = secrets or SecretStore()
        self.account = AccountPanel(str(remote.get("server_url", "")), store or Store(), may_renew=may_renew)
        self.key = KeyPanel(
            str(remote.get("deepgram_model") or ""), str(remote.get("deepgram_url", DEEPGRAM)), self._secrets
        )
        self.fallback = QCheckBox(sentences.FALLBACK)
        self.fallback.setChecked(remote.get("fallback") == "local")
        self.place = Notice()
        self.place.say(self._secrets.place())
        self._group = QButtonGroup(self)
        self._modes = {
            "local": (QRadioButton(local[0]), local[1], QWidget()),
            "managed": (QRadioButton(sentences.MANAGED), sentences.MANAGED_ABOUT, self.account),
            "byok": (QRadioButton(sentences.BYOK), sentences.BYOK_ABOUT, self.key),
        }
        self._arrange()
        self.choose(str(remote.get("mode", "local")))
        self._connect()

    @property
    def mode(self) -> str:
        return next(mode for mode, (button, _, _) in self._modes.items() if button.isChecked())

    def choose(self, mode: str) -> None:
        """Choose a mode; an unknown one is "local"."""
        self._modes.get(mode, self._modes["local"])[0].setChecked(True)
        self._show_mode()

    def values(self) -> dict[str, Any]:
        """Return the settings as they are chosen, in the plan's keys and without secrets."""
        return {
            "mode": self.mode,
            "server_url": self.account.address,
            "deepgram_model": self.key.chosen_model,
            "fallback": "local" if self.fallback.isChecked() else "",
        }

    def problem(self) -> str:
        """Return a sentence that says what is missing for the chosen mode, or an empty string."""
        if self.mode == "managed" and not self.account.is_logged_in:
            return sentences.LOGIN_NEEDED
        if self.mode == "byok" and not self.key.has_key:
            return sentences.KEY_NEEDED
        return ""

    def save(self) -> dict[str, Any]:
        """Keep a typed key among the secrets, and return the settings. Raise ClientError."""
        self.key.save()
        return self.values()

    def _arrange(self) -> None:
        layout = QVBoxLayout(self)
        style = self.style()
        indent = style.pixelMetric(QStyle.PixelMetric.PM_ExclusiveIndicatorWidth) + style.pixelMetric(
            QStyle.PixelMetric.PM_RadioButtonLabelSpacing
        )
        for button, about, panel in self._modes.values():
            self._group.addButton(button)
            layout.addWidget(button)
            below = QVBoxLayout()
            below.setContentsMargins(indent, 0, 0, 4)
            note = Notice()
            note.say(about)
            button.setAccessibleDescription(about)
            below.addWidget(note)
            below.addWidget(panel)
            layout.addLayout(below)
        layout.addWidget(self.fallback)
        layout.addWidget(self.place)

    def _connect(self) -> None:
        self._group.buttonToggled.connect(self._toggled)
        self.account.changed.connect(self.changed)
        self.key.changed.connect(self.changed)
        self.key.model.currentTextChanged.connect(lambda _: self.changed.emit())
        self.fallback.toggled.connect(lambda _: self.changed.emit())

    def _toggled(self, _: object, checked: bool) -> None:
        if checked:
            self._show_mode()
            self.changed.emit()

    def _show_mode(self) -> None:
        chosen = self.mode
        for mode, (_, _, panel) in self._modes.items():
            panel.setVisible(mode == chosen and mode != "local")
        self.fallback.setVisible(chosen != "local")
        self.place.setVisible(chosen != "local")

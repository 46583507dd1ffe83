"""The settings of the mode with the user's own Deepgram key: the key, a test of it, and the model."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from transcription_client.config import BYOK_KEY
from transcription_client.deepgram_key import check_key
from transcription_client.engine.settings import MODEL
from transcription_client.gui import sentences
from transcription_client.gui.background import Background
from transcription_client.gui.notice import Notice
from transcription_client.gui.reveal import add_reveal
from transcription_client.secret_store import SecretStore

MODELS = (MODEL, "nova-3-general", "nova-2", "nova-2-general", "nova-2-meeting", "nova-2-phonecall")


class KeyPanel(QWidget):
    """A saved key is not shown: the line stays empty until another key is typed."""

    changed = Signal()

    def __init__(self, model: str, url: str, secrets: SecretStore, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._secrets = secrets
        self._url = url
        self._loading = Background(self)
        self._background = Background(self)
        self._kept = ""
        self._named_model = model
        self.is_testing = False
        self.key = QLineEdit(placeholderText=sentences.KEY_EXAMPLE)
        self.test = QPushButton(sentences.TEST)
        self.test.setAutoDefault(False)
        self.model = QComboBox(editable=True)
        self.model.addItems(MODELS)
        self.model.setCurrentText(model or MODEL)
        self.notice = Notice()
        add_reveal(self.key, sentences.SHOW_KEY)
        self._arrange()
        self.key.textEdited.connect(self._edited)
        self.test.clicked.connect(self._test)
        self._loading.run(lambda: secrets.get(BYOK_KEY) or "", self._show_kept, self._show_failed)

    @property
    def has_key(self) -> bool:
        return bool(self._key)

    @property
    def _key(self) -> str:
        """The key that counts: the typed one, or else the saved one."""
        return self.key.text().strip() or self._kept

    @property
    def chosen_model(self) -> str:
        """The model that is chosen, empty while none was ever named: then a service may suggest another one."""
        text = self.model.currentText().strip()
        return text if self._named_model or text != MODEL else ""

    def save(self) -> None:
        """Keep the typed key. Raise ClientError."""
        if typed := self.key.text().strip():
            self._secrets.set(BYOK_KEY, typed)
            self._show_kept(typed)
            self.key.clear()

    def _arrange(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self.key)
        row.addWidget(self.test)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(sentences.KEY, row)
        form.addRow(sentences.MODEL, self.model)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addWidget(self.notice)

    def _show_kept(self, key: str) -> None:
        self._kept = key
        self.key.setPlaceholderText(sentences.KEY_KEPT if key else sentences.KEY_EXAMPLE)
        self.changed.emit()

    def _edited(self) -> None:
        self._background.cancel()
        self._wait("")
        self.changed.emit()

    def _test(self) -> None:
        key = self._key
        self._wait(sentences.TESTING)
        self._background.run(lambda: check_key(key, self._url), lambda _: self._show_works(), self._show_failed)

    def _show_works(self) -> None:
        self._wait("")
        self.notice.say(sentences.KEY_WORKS, "good")

    def _show_failed(self, sentence: str) -> None:
        self._wait("")
        self.notice.say(sentence, "bad")

    def _wait(self, sentence: str) -> None:
        self.is_testing = bool(sentence)
        self.test.setEnabled(not sentence)
        self.notice.say(sentence)

"""The names of all settings, as the program asks for them."""

from typing import Any

from tests.unit.settings import PRODUCTION
from transcription_proxy.config import load


def names() -> set[str]:
    """Return every variable that the settings are read from."""
    asked: set[str] = set()

    class Asked(dict[str, str]):
        def get(self, name: str, default: Any = None) -> Any:
            asked.add(name)
            return super().get(name, default)

    load(Asked(PRODUCTION))
    return asked

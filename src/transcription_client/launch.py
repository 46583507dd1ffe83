"""Loads the windows when they are asked for, and says what is missing: Qt, its libraries, or a display."""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from transcription_client.errors import ClientError

DISPLAYS: Final = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
NO_QT: Final = 'The window needs PySide6. Run pip install "transcription-proxy[desktop]".'
NO_DISPLAY: Final = "There's no display to open a window on. Run this in a desktop session."
LIBRARIES: Final = "libegl1 libgl1 libxkbcommon-x11-0 libdbus-1-3 libfontconfig1 libxcb-cursor0"


def window() -> Callable[[Any, bool], int]:
    """Return what opens the caption window. Raise ClientError where no window can be opened."""
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in DISPLAYS):
        raise ClientError(NO_DISPLAY)  # Qt would end the process with a message of its own
    try:
        start: Callable[[Any, bool], int] = import_module("transcription_client.gui.app").run
    except ModuleNotFoundError as error:
        raise ClientError(NO_QT) from error
    except ImportError as error:
        raise ClientError(f"Qt can't start ({error}). On Debian and Ubuntu, run apt install {LIBRARIES}.") from error
    return start

"""A screen for windows, and the libraries that Qt needs: `python -m tests.standin.display` installs Debian's."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests import debian

LIBRARIES: Final = ("libegl1", "libgl1", "libxkbcommon-x11-0", "libdbus-1-3", "libfontconfig1", "libxcb-cursor0")
XCB: Final = ("libxcb-icccm4", "libxcb-image0", "libxcb-keysyms1", "libxcb-randr0", "libxcb-render-util0")
XCB_MORE: Final = ("libxcb-shape0", "libxcb-xinerama0", "libxcb-xkb1")
SCREEN: Final = ("xvfb", "xdotool")
HOW_TO: Final = f"The tests of the windows need Qt's libraries (Debian: sudo apt-get install {' '.join(LIBRARIES)})"


def can_load_qt() -> bool:
    """Whether the libraries are there."""
    try:
        import PySide6.QtWidgets  # noqa: F401
    except ImportError:
        return False
    return True


@contextmanager
def screen() -> Iterator[dict[str, str]]:
    """The environment of a program with windows: on a screen in memory where there is Xvfb, and else without one."""
    server = shutil.which("Xvfb")
    if server is None:
        yield {"QT_QPA_PLATFORM": "offscreen"}
        return
    arguments = [server, "-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield {"DISPLAY": f":{process.stdout.readline().strip()}", "QT_QPA_PLATFORM": "xcb"}
        finally:
            process.terminate()


if __name__ == "__main__":
    if sys.platform.startswith("linux") and not (can_load_qt() and all(map(shutil.which, ("Xvfb", "xdotool")))):
        print("Installing a screen for the tests of windows ...", flush=True)  # noqa: T201
        debian.install(*LIBRARIES, *XCB, *XCB_MORE)
        debian.install(*SCREEN)
    if not can_load_qt():
        sys.stderr.write(f"{HOW_TO}\n")

"""Finds Chromium. `python -m tests.browser.chromium` installs Debian's, if it has the right to."""

import os
import shutil
import sys
from pathlib import Path
from typing import Final

from tests import debian

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PLACES: Final = (
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
)
LIGHT: Final = "chromium-headless-shell"
"""Chromium without windows, which opens a tab in less than half the time. It has no fake microphone."""
PACKAGES: Final = ("chromium", "fonts-liberation")
HOW_TO: Final = (
    "The browser tests need Chromium and found none. Install it (Debian: sudo apt-get install chromium), "
    "or name one: CHROMIUM=/path/to/chromium make test"
)


def find() -> str | None:
    """Return the program that CHROMIUM names, or an installed one, or None."""
    given = os.environ.get("CHROMIUM")
    if given:
        return shutil.which(given)
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or next((str(place) for place in PLACES if place.exists()), None)


def find_light() -> str | None:
    """Return the program for pages that need no microphone: the light one where it is installed."""
    given = os.environ.get("CHROMIUM")
    return find() if given else shutil.which(LIGHT) or find()


def install() -> None:
    """Install Debian's Chromium. Older releases have no headless shell."""
    print("Installing Chromium for the browser tests ...", flush=True)  # noqa: T201
    debian.install(*PACKAGES)
    debian.install(LIGHT)


if __name__ == "__main__":
    if "CHROMIUM" not in os.environ and not (find() and shutil.which(LIGHT)):
        install()
    if find() is None:
        sys.stderr.write(f"{HOW_TO}\n")

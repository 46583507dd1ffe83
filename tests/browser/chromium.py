"""Finds Chromium. `python -m tests.browser.chromium` installs Debian's, if it has the right to."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

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
    """Install Chromium by apt, as root or with a sudo that needs no password. Otherwise do nothing."""
    apt_install("Chromium for the browser tests", PACKAGES, [LIGHT])  # older Debians have no light one


def apt_install(what: str, *choices: Sequence[str]) -> None:
    """Install Debian packages, one group after the other, so that a missing package only fails its group."""
    apt = shutil.which("apt-get")
    prefix = rights()
    if apt is None or prefix is None:
        return
    print(f"Installing {what} ...", flush=True)  # noqa: T201
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["install", "-y", "--no-install-recommends"]
    for arguments in (["update"], *([*install, *packages] for packages in choices)):
        subprocess.run([*prefix, apt, "-qq", *arguments], env=quiet, stdout=subprocess.DEVNULL, check=False)


def rights() -> list[str] | None:
    """Return the prefix of a command that needs root, or None without the right."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0:
        return [sudo, "-n"]
    return None


if __name__ == "__main__":
    if "CHROMIUM" not in os.environ and not (find() and shutil.which(LIGHT)):
        install()
    if find() is None:
        sys.stderr.write(f"{HOW_TO}\n")

"""Debian packages that tests need: `python -m tests.debian [PROGRAM ...]` installs what is missing, where it may.

It does so only where no systemd runs, that is in a container: elsewhere nginx and HAProxy would start at once, and at
each boot."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

PROGRAMS: Final = {
    "nginx": "nginx-light",
    "haproxy": "haproxy",
    "pgbouncer": "pgbouncer",
    "pg_ctl": "postgresql",
    "systemd-analyze": "systemd",
    "ip": "iproute2",
}
"""The package of each program."""
SYSTEMD: Final = Path("/run/systemd/system")


class Missing(Exception):
    """A program that is not installed, and how to get it."""


def find(program: str) -> Path:
    """Return a program's path. Raise Missing."""
    places = [*os.get_exec_path(), "/usr/local/sbin", "/usr/sbin", "/sbin", *map(str, _postgres())]
    found = shutil.which(program, path=os.pathsep.join(places))
    if found is None:
        raise Missing(f"The tests need {program}. Debian: sudo apt-get install {PROGRAMS[program]}")
    return Path(found)


def install(*packages: str) -> None:
    """Install packages by apt, as root or with a sudo that needs no password. Otherwise do nothing."""
    apt, prefix = shutil.which("apt-get"), _rights()
    if apt is None or prefix is None:
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        subprocess.run([*prefix, apt, "-qq", *arguments], env=quiet, stdout=subprocess.DEVNULL, check=False)


def _postgres() -> list[Path]:
    """Folders of Debian's PostgreSQL servers, the oldest first."""
    return sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


def _rights() -> list[str] | None:
    """Return the prefix of a command that needs root, or None without the right."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0:
        return [sudo, "-n"]
    return None


def _missing(programs: Iterable[str]) -> list[str]:
    """Return the packages of those programs that are not installed."""
    missing = []
    for program in programs:
        try:
            find(program)
        except Missing:
            missing.append(PROGRAMS[program])
    return missing


if __name__ == "__main__":
    wanted = sys.argv[1:] or list(PROGRAMS)
    if _missing(wanted) and not SYSTEMD.exists():
        print(f"Installing {', '.join(_missing(wanted))} ...", flush=True)  # noqa: T201
        install(*_missing(wanted))
    if _missing(wanted):
        sys.stderr.write(f"Not installed. Debian: sudo apt-get install {' '.join(_missing(wanted))}\n")

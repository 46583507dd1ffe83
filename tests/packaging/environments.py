"""Commands in environments that hold only what a wheel brings."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

SCRIPTS: Final = Path("Scripts" if sys.platform == "win32" else "bin")
WITHIN: Final = 300
"""Seconds that a command may take."""


def run(*command: str | Path, env: dict[str, str] | None = None) -> str:
    """The output of a command that must succeed."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=WITHIN, cwd="/", env=env, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


def bare(**more: str) -> dict[str, str]:
    """An environment without the tester's own settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "SYSTEMROOT") if name in os.environ}
    return kept | more

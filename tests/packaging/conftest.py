"""The project's wheel, and environments to install it into."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.packaging.environments import SCRIPTS, run

ROOT: Final = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture
def install(wheel: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Installs extras, or with "" the wheel alone, and returns the folder of the environment."""

    def into_an_empty_environment(extra: str) -> Path:
        run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "env")
        python = tmp_path / "env" / SCRIPTS / "python"
        pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
        run(*pip, "install", "--quiet", f"{wheel}[{extra}]" if extra else wheel)
        run(*pip, "check")
        return tmp_path / "env"

    return into_an_empty_environment

"""The pages' pure modules, tested by Node's own test runner: tests/unit/web/js has a file for each of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from transcription_proxy.web.shared_sentences import MODULE

HERE = Path(__file__).parent / "js"
NODE = Path(sys.executable).parent / "node"


@pytest.mark.parametrize("file", sorted(HERE.glob("*.test.js")), ids=lambda file: file.name)
def test_a_module(file: Path) -> None:
    run = subprocess.run(
        [NODE, "--import", HERE / "page.js", "--test", "--test-reporter=tap", file],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "SHARED_SENTENCES": MODULE},
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "\n# tests 0\n" not in run.stdout, "The file has no test."

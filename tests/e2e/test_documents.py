"""The commands of the README and the tutorial, run as they stand against a service that nothing was configured for."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.documents import commands
from tests.e2e.service import Service, environment, serving
from transcription_proxy.config import PROJECT

WITHIN = 120.0
EXAMPLE = "me@example.com"
REGISTER = "login --register"
"""Asks a reader for an address, who here has no terminal to be asked on."""
ELSEWHERE = {
    ".venv/bin/transcription-client gui": "tests/e2e/test_gui.py",
    ".venv/bin/transcription-proxy usage reconcile": "tests/e2e/test_usage.py",
    'pip install "transcription_proxy-0.2.0-py3-none-any.whl[server,desktop]"': "tests/packaging/test_wheel.py",
    "transcription-proxy serve": "tests/packaging/test_wheel.py",
}
"""Commands that another test runs."""


@dataclass
class Reader:
    """Somebody who follows a document, in a folder that has the project's `.venv` and a recording."""

    folder: Path
    env: dict[str, str]

    async def type(self, command: str) -> str:
        process = await asyncio.create_subprocess_exec(
            "bash", "-c", command, cwd=self.folder, env=self.env,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            out = (await asyncio.wait_for(process.communicate(), WITHIN))[0].decode()
        except BaseException:
            process.kill()
            raise
        assert process.returncode == 0, f"{command}: {out}"
        return out


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def unconfigured(scratch: Path) -> AsyncIterator[Service]:
    """`serve` with its own database, engine and Stripe."""
    env = environment(scratch / "unconfigured", "", DEEPGRAM_API_KEY="")
    async with serving(env) as running:
        yield running


@pytest.fixture
def reader(unconfigured: Service, tmp_path: Path) -> Reader:
    (tmp_path / ".venv").symlink_to(PROJECT / ".venv")
    shutil.copy(str(files("moonshine_voice").joinpath("assets", "beckett.wav")), tmp_path / "talk.mp3")
    client = {
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        "TRANSCRIPTION_CONFIG_DIR": str(tmp_path / "client"),
        "TRANSCRIPTION_SERVER": unconfigured.url,
        "TRANSCRIPTION_PASSWORD": "correct horse battery",
    }
    return Reader(tmp_path, unconfigured.env | client)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("document", ["README.md", "docs/tutorial.md"])
async def test_each_command_of_a_document_works(document: str, reader: Reader, unconfigured: Service) -> None:
    """Each document has an account of its own."""
    email = f"{Path(document).stem.lower()}@example.com"
    outputs = {}
    for command in commands((PROJECT / document).read_text()):
        if command in ELSEWHERE:
            assert (PROJECT / ELSEWHERE[command]).is_file()
        elif command.startswith("make "):
            _assert_is_a_target(command)
        else:
            typed = f"{command} --email EMAIL" if command.endswith(REGISTER) else command
            outputs[command] = await reader.type(typed.replace(EXAMPLE, "EMAIL").replace("EMAIL", email))
    assert len(outputs) > 5, outputs
    transcript = next(out for command, out in outputs.items() if " transcribe " in command)
    assert "billed" in transcript, transcript


def _assert_is_a_target(command: str) -> None:
    done = subprocess.run(
        [*command.split(), "--dry-run"], cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60,
        env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

"""Each extra in an empty environment: it brings what it needs, nothing else, and starts. Needs the package registry."""

import json
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.packaging.environments import SCRIPTS, bare, run

ROOT: Final = Path(__file__).parents[2]
EXTRAS: Final[dict[str, list[str]]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
    "optional-dependencies"
]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
DESKTOP: Final = """
import threading
from transcription_client.engine import sentences
from transcription_client.local_transcription import LocalTranscriptionEngine
from transcription_client.remote_transcription import RemoteTranscriptionEngine

def run(engine_class, config, wanted):
    reached = threading.Event()
    engine = engine_class(config, print, lambda status: wanted in status.message and reached.set())
    engine.start()
    assert reached.wait(30), wanted
    engine.stop()

managed = {"mode": "managed", "server_url": "http://127.0.0.1:1", "auth_token": "t"}
byok = {"mode": "byok", "deepgram_url": "ws://127.0.0.1:1", "byok_api_key": "k"}
run(RemoteTranscriptionEngine, managed, "Can't reach")
run(RemoteTranscriptionEngine, byok, "Can't reach")
run(LocalTranscriptionEngine, {}, sentences.NO_LOCAL_MODEL.what)
"""
LOCAL: Final = """
import sys, threading
from importlib.resources import files
from pathlib import Path
from transcription_client.audio import FileSource
from transcription_client.local_transcription import LocalTranscriptionEngine

assert sys.has_no_network
heard, done = [], threading.Event()

def on_transcript(result):
    heard.append(result.text)
    if "tried" in result.text.lower():
        done.set()

source = FileSource(Path(str(files("moonshine_voice").joinpath("assets", "beckett.wav"))))
engine = LocalTranscriptionEngine({}, on_transcript, print, source)
engine.start()
assert done.wait(60), heard
engine.stop()
"""
NO_NETWORK: Final = """
import sys
def forbid(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        raise RuntimeError(f"the network was used: {event} {arguments}")
sys.addaudithook(forbid)
sys.has_no_network = True
"""


def distributions(extra: str) -> set[str]:
    """The names of what an extra asks for by itself."""
    return {re.split(r"[\[<>=!~; ]", requirement)[0].lower() for requirement in EXTRAS[extra]}


def installed(environment: Path) -> set[str]:
    listed = run(
        environment / SCRIPTS / "python",
        "-c",
        "import importlib.metadata as m; print(*(d.metadata['Name'].lower() for d in m.distributions()))",
    )
    return set(listed.split())


def test_desktop_brings_the_client_and_nothing_of_the_server(install: Callable[[str], Path]) -> None:
    environment = install("desktop")
    strangers = distributions("server") - distributions("desktop")
    assert installed(environment) & strangers == set()
    scripts = environment / SCRIPTS
    assert run(scripts / "transcription-client", "--version", env=bare()).startswith("transcription-client ")
    run(scripts / "python", "-I", "-c", DESKTOP, env=bare())


def test_local_adds_the_speech_model_which_needs_no_network(install: Callable[[str], Path], tmp_path: Path) -> None:
    environment = install("local")
    strangers = distributions("server") - distributions("local") - distributions("desktop")
    assert installed(environment) & strangers == set()
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "sitecustomize.py").write_text(NO_NETWORK)
    run(environment / SCRIPTS / "python", "-c", LOCAL, env=bare(PYTHONPATH=str(tmp_path / "hooks")))


def test_server_brings_the_service(install: Callable[[str], Path]) -> None:
    """Other packages bring parts of the desktop with them, so that nothing can be said of those."""
    scripts = install("server") / SCRIPTS
    assert run(scripts / "transcription-proxy", "--version", env=bare()).startswith("transcription-proxy ")
    run(
        scripts / "python",
        "-I",
        "-c",
        "import transcription_proxy.process.wiring, transcription_engine.server",
        env=bare(),
    )


@pytest.mark.parametrize("platform", ["win_amd64", "macosx_15_0_arm64"])
def test_windows_and_macos_get_everything_as_wheels(wheel: Path, tmp_path: Path, platform: str) -> None:
    """`--dry-run` resolves as `pip download` does, and leaves the large files where they are."""
    report = tmp_path / "report.json"
    run(
        sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--only-binary=:all:",
        "--platform", platform, "--python-version", "3.12", "--target", tmp_path, "--report", report, f"{wheel}[local]",
    )  # fmt: skip
    resolved = {
        item["metadata"]["name"].lower().replace("_", "-") for item in json.loads(report.read_text())["install"]
    }
    assert (distributions("desktop") | distributions("local")) <= resolved

"""The wheel alone in an empty environment: it says which extra to install, and with those the README's path works."""

import contextlib
import json
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from tests.packaging.environments import SCRIPTS, bare, run
from transcription_wire.version import VERSION

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
PROGRAMS = {"transcription-proxy": "server", "transcription-client": "desktop"}
START_SECONDS = 60.0


def test_without_extras_each_program_has_a_version_and_says_what_to_install(install: Callable[[str], Path]) -> None:
    scripts = install("") / SCRIPTS
    for program, extra in PROGRAMS.items():
        assert run(scripts / program, "--version", env=bare()) == f"{program} {VERSION}\n"
        done = subprocess.run([scripts / program, "--help"], capture_output=True, text=True, env=bare(), check=False)
        hint = f'{program} needs more packages. Run pip install "transcription-proxy[{extra}]".\n'
        assert (done.returncode, done.stdout, done.stderr) == (1, "", hint)


def test_the_readmes_path_works_outside_a_checkout(install: Callable[[str], Path], reachable_dir: Path) -> None:
    """From an account to captions, with the settings and data in the user's own folder."""
    scripts = install("server,desktop") / SCRIPTS
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    env = bare(
        XDG_DATA_HOME=str(reachable_dir / "share"),
        PORT=str(port),
        PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring",
        TRANSCRIPTION_CONFIG_DIR=str(reachable_dir / "client"),
        TRANSCRIPTION_SERVER=f"http://127.0.0.1:{port}",
        TRANSCRIPTION_PASSWORD="correct horse battery",
    )
    data = reachable_dir / "share/transcription-proxy/.data"
    data.mkdir(parents=True)
    data.chmod(0o711)  # for root: PostgreSQL runs as another user
    recording = files("moonshine_voice").joinpath("assets", "beckett.wav")
    with serving(scripts / "transcription-proxy", env, port) as health:
        assert health == {"status": "ok", "db": "connected", "version": VERSION}
        client = scripts / "transcription-client"
        run(client, "login", "--register", "--email", "me@example.com", env=env)
        captions = run(client, "transcribe", str(recording), env=env)
        assert "tried" in captions.lower()
        assert json.loads(run(client, "balance", "--json", env=env))["seconds_remaining"] == 590
        listed = json.loads(run(scripts / "transcription-proxy", "user", "list", "--json", env=env))
        assert [user["email"] for user in listed] == ["me@example.com"]
        run(scripts / "transcription-proxy", "ledger", "audit", env=env)
    assert (data / "jwt_secret").is_file()


@contextlib.contextmanager
def serving(program: Path, env: dict[str, str], port: int) -> Iterator[object]:
    """Run `serve` during the block, and yield what /health answers."""
    process = subprocess.Popen([program, "serve"], env=env, cwd="/", stdin=subprocess.DEVNULL)
    try:
        yield _health(process, f"http://127.0.0.1:{port}")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _health(process: subprocess.Popen[bytes], url: str) -> object:
    give_up_at = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up_at:
        assert process.poll() is None
        with contextlib.suppress(OSError, urllib.error.URLError):
            with urllib.request.urlopen(f"{url}/ready", timeout=5):
                pass
            with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
                return json.load(answer)
        time.sleep(0.1)
    raise AssertionError("not ready")

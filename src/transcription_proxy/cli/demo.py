"""`transcription-proxy demo`: the main job in one command, with the programs that users run."""

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

import typer

from transcription_proxy.errors import Unavailable

EMAIL: Final = "streamer@example.org"
CREDIT: Final = 600
STARTS_WITHIN: Final = 60.0
RECORDING: Final = "two_cities.wav"
PROGRAMS: Final = Path(sys.executable).parent


def demo() -> None:
    """Start the service with throw-away data, caption a recording of real speech, and show the receipt.

    Example: transcription-proxy demo
    """
    with tempfile.TemporaryDirectory(prefix="transcription-demo-") as folder:
        Path(folder).chmod(0o711)  # for root: PostgreSQL runs as another user, and is to leave nothing elsewhere
        env = _environment(Path(folder))
        with _service(env) as address:
            client = Client(env | {"TRANSCRIPTION_PASSWORD": secrets.token_urlsafe(12)})
            client.run("login", "--register", "--email", EMAIL, "--server", address)
            _run("transcription-proxy", env, "credits", "grant", EMAIL, str(CREDIT), "--reason", "the demo")
            _show(client)


class Client:
    """The desktop side, as its user runs it."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env

    def run(self, *arguments: str) -> None:
        _run("transcription-client", self._env, *arguments)

    def balance(self) -> int:
        answer = _run("transcription-client", self._env, "balance", "--json", captured=True)
        return int(json.loads(answer)["seconds_remaining"])


def _show(client: Client) -> None:
    before = client.balance()
    typer.secho(f"\nBalance before: {before} s. Now playing {RECORDING}, as live:\n", bold=True)
    with as_file(files("moonshine_voice").joinpath("assets", RECORDING)) as recording:
        client.run("transcribe", str(recording))
    after = client.balance()
    typer.secho(f"Balance before {before} s, after {after} s: {before - after} s billed.", bold=True)


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of the caller's settings, and nothing that stays."""
    ours = {
        "PORT": str(_free_port()),
        "HOST": "127.0.0.1",
        "APP_ENV": "development",
        "DATA_DIR": str(folder),
        "TRANSCRIPTION_CONFIG_DIR": str(folder / "client"),
        "LOG_LEVEL": "warning",
        "WORKERS": "1",
    }
    unset = dict.fromkeys(
        ("DATABASE_URL", "DEEPGRAM_URL", "DEEPGRAM_API_KEY", "PUBLIC_URL", "TRANSCRIPTION_SERVER"), ""
    )
    return {**os.environ, **unset, **ours}


@contextmanager
def _service(env: Mapping[str, str]) -> Iterator[str]:
    address = f"http://127.0.0.1:{env['PORT']}"
    process = subprocess.Popen([PROGRAMS / "transcription-proxy", "serve"], env=env)  # noqa: S603 - our own program
    try:
        _await(f"{address}/ready", process)
        yield address
    finally:
        process.terminate()
        process.wait()


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    give_up_at = time.monotonic() + STARTS_WITHIN
    while process.poll() is None and time.monotonic() < give_up_at:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own address
                return
        except OSError:
            time.sleep(0.1)
    raise Unavailable("The service did not start: see what it said above.")


def _run(program: str, env: Mapping[str, str], *arguments: str, captured: bool = False) -> str:
    out = subprocess.PIPE if captured else None
    done = subprocess.run([PROGRAMS / program, *arguments], env=env, stdout=out, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise Unavailable(f"{program} {arguments[0]} failed: see what it said above.")
    return done.stdout or ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

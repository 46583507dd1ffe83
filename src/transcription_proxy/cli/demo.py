"""`transcription-proxy demo`: registers, buys, captions a recording and shows the receipt, with the real programs."""

import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

import typer

from transcription_proxy.cli.purchase import buy
from transcription_proxy.config import Settings
from transcription_proxy.errors import Unavailable
from transcription_proxy.secret_files import SECRETS, file_setting
from transcription_wire.lengths import in_minutes, length

EMAIL: Final = "streamer@example.org"
PACKAGE: Final = "pack_500"
START_SECONDS: Final = 60.0
"""How long the service may take to become ready."""
RECORDING: Final = "two_cities.wav"
PROGRAMS: Final = Path(sys.executable).parent
OTHER_SETTINGS: Final = ("APP_ENV", "STRIPE_WEBHOOK_SECRET", "TRANSCRIPTION_SERVER")
"""Environment variables that have no field of their own in Settings."""


def demo() -> None:
    """Caption a recording from start to receipt.

    Uses throwaway data.

    Example: transcription-proxy demo
    """
    _handle_signals()
    with tempfile.TemporaryDirectory(prefix="transcription-demo-") as folder:
        Path(folder).chmod(0o711)  # for root: PostgreSQL runs as another user, and is to leave nothing elsewhere
        env = _environment(Path(folder))
        with _service(env) as address:
            password = secrets.token_urlsafe(12)
            programs = Programs(env | {"TRANSCRIPTION_PASSWORD": password})
            programs.client("login", "--register", "--email", EMAIL, "--server", address)
            seconds = buy(address, EMAIL, password, PACKAGE)
            typer.echo(f"Bought {in_minutes(seconds)} in the sandbox.")
            _show(programs)


def _handle_signals() -> None:
    """Let signals end the demo as an exception does, so that it cleans up.

    A shell ignores SIGINT for a program in the background, and our child programs need it.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, lambda number, _frame: sys.exit(128 + number))


class Programs:
    """Runs the client's and the operator's commands as a person does."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env

    def client(self, *arguments: str) -> None:
        self._run("transcription-client", *arguments)

    def operator(self, *arguments: str) -> None:
        self._run("transcription-proxy", *arguments)

    def balance(self) -> int:
        answer = self._run("transcription-client", "balance", "--json", captured=True)
        return int(json.loads(answer)["seconds_remaining"])

    def session(self) -> dict[str, Any]:
        """Return the only session that the service has, as `session list --json` prints it."""
        (session,) = json.loads(self._run("transcription-proxy", "session", "list", "--json", captured=True))
        return dict(session)

    def _run(self, program: str, *arguments: str, captured: bool = False) -> str:
        out = subprocess.PIPE if captured else None
        command = [str(PROGRAMS / program), *arguments]
        done = subprocess.run(command, env=self._env, stdout=out, text=True, check=False)  # noqa: S603 - our own
        if done.returncode:
            raise Unavailable(f"{program} {arguments[0]} failed. See the error above.")
        return done.stdout or ""


def _show(programs: Programs) -> None:
    before = programs.balance()
    typer.secho(f"\nBalance: {length(before)}. Captioning {RECORDING} live:\n", bold=True)
    with as_file(files("moonshine_voice").joinpath("assets", RECORDING)) as recording:
        programs.client("transcribe", str(recording))
    after, session = programs.balance(), programs.session()
    typer.secho(
        f"\nReceipt: {session['audio_seconds']:.1f} s of audio, {session['seconds_used']} s billed; "
        f"balance before {_exact(before)}, after {_exact(after)}. Billed time is rounded up to the next second.",
        bold=True,
    )


def _exact(seconds: int) -> str:
    """Format a length to the second, so that the receipt can be checked."""
    return f"{seconds} s ({length(seconds)})"


def _environment(folder: Path) -> dict[str, str]:
    """Return an environment without the caller's settings, from the environment or .env, and with throwaway data."""
    unset = dict.fromkeys(
        (*(field.name.upper() for field in fields(Settings)), *OTHER_SETTINGS, *map(file_setting, SECRETS)), ""
    )
    ours = {
        "PORT": str(_free_port()),
        "DATA_DIR": str(folder),
        "TRANSCRIPTION_CONFIG_DIR": str(folder / "client"),
        "LOG_LEVEL": "warning",
    }
    return {**os.environ, **unset, **ours}


@contextmanager
def _service(env: Mapping[str, str]) -> Iterator[str]:
    port = int(env["PORT"])
    process = subprocess.Popen([PROGRAMS / "transcription-proxy", "serve"], env=env)  # noqa: S603 - our own program
    try:
        _await_ready(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _await_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    give_up_at = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < give_up_at:
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/ready")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        time.sleep(0.1)
    raise Unavailable("The service didn't start. See the error above.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

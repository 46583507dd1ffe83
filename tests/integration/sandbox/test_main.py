"""The program: its options, its ends, and what it says when it cannot start."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.sandbox.running import Sandbox

COMMAND = [sys.executable, "-m", "transcription_sandbox"]


def refused(*options: str) -> str:
    done = subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    return done.stderr.strip()


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = refused("--port", str(port))
    assert f"Can't use port {port}" in said
    assert "--port" in said


@pytest.mark.parametrize("options", [("--webhook-url", "http://127.0.0.1:1"), ("--webhook-secret", "whsec_x")])
def test_webhooks_need_an_address_and_a_secret(options: tuple[str, str]) -> None:
    assert refused("--port", "0", *options).endswith("Set both.")


def test_a_signal_ends_it_properly(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path)
    sandbox.client.v1.customers.list()
    sandbox.process.send_signal(signal.SIGINT)
    assert sandbox.process.wait(20) == 0


def test_it_does_not_outlive_its_parent(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    env = {**os.environ, "PARENT_FD": str(reader), "SANDBOX_STATE": str(tmp_path / "state.sqlite3")}
    process = subprocess.Popen([*COMMAND, "--port", "0"], env=env, pass_fds=[reader])
    os.close(writer)
    os.close(reader)
    assert process.wait(20) == 0

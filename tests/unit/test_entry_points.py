"""Ctrl-C at moments at which nothing of ours runs yet."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

INTERRUPTED = """
import importlib, signal, sys
package, module = sys.argv[1:]
class Interrupting:
    @staticmethod
    def find_spec(name, *_):
        if name == module:
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Interrupting)
importlib.import_module(f"{package}.__main__").main()
"""


@pytest.mark.parametrize(
    ("package", "module"),
    [("transcription_client", "transcription_client.main"), ("transcription_proxy", "transcription_proxy.cli.main")],
)
def test_ctrl_c_while_modules_are_imported_ends_it_without_a_word(package: str, module: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED, package, module]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_ctrl_c_while_a_pipe_has_said_nothing_ends_the_client_without_a_word(tmp_path: Path) -> None:
    fifo = tmp_path / "sound.wav"
    os.mkfifo(fifo)
    command = [sys.executable, "-m", "transcription_client", "transcribe", str(fifo)]
    client = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    writer = None
    while writer is None:
        try:
            writer = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # nobody reads yet
            assert client.poll() is None
            time.sleep(0.01)
    client.send_signal(signal.SIGINT)
    assert client.communicate(timeout=30) == (b"", b"")
    assert client.returncode == -signal.SIGINT
    os.close(writer)

"""Processes of the benchmark: each pinned to its cores, ended with the block, and waited for by condition."""

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from bench import kernel

RELAY_CORE = {0}
"""The relaying process's own."""
START_SECONDS = 60.0
END_SECONDS = 90.0
"""A service finishes its sessions first."""


class Failed(Exception):
    """Something could not be measured, with a sentence that says why."""


def load_cores() -> set[int]:
    """Return the cores of everything but the relay. The load generator itself runs on the first of them only."""
    return os.sched_getaffinity(0) - RELAY_CORE


def check_machine() -> None:
    """End the program with a sentence where the benchmark cannot run here; else raise the limit of open files."""
    if shutil.which("nginx") is None:
        sys.exit("nginx is the baseline. Install it (apt-get install nginx-light) and run this again.")
    if not os.sched_getaffinity(0) >= {0, 1}:
        sys.exit("Two cores are needed: one for the relay, one for the load.")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextmanager
def folder(name: str) -> Iterator[Path]:
    """Yield a new folder that PostgreSQL's own user may enter. It is removed after the block."""
    path = Path(tempfile.mkdtemp(prefix=f"bench-{name}-"))
    path.chmod(0o711)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def running(
    command: Sequence[str | Path],
    cores: set[int],
    env: Mapping[str, str] | None = None,
    *,
    piped: bool = False,
    log: Path | None = None,
    cwd: Path | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """Run a process on these cores until the end of the block.

    `piped`: its standard input and output are pipes. `log`: the file that its output is added to.
    """
    pinned = ["taskset", "--cpu-list", ",".join(map(str, sorted(cores))), *map(str, command)]
    with ExitStack() as stack:
        out: IO[Any] | int = stack.enter_context(log.open("ab")) if log else sys.stderr
        process = subprocess.Popen(
            pinned,
            env=env,
            cwd=cwd,
            stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else out,
            stderr=out,
            text=True,
            bufsize=1,
        )
        try:
            yield process
        finally:
            end(process)


def end(process: subprocess.Popen[str]) -> None:
    """End a process: SIGTERM, and SIGKILL after END_SECONDS."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def until_listening(port: int) -> None:
    """Wait until somebody listens on a port of the loopback."""
    until(lambda: kernel.is_listening(port), f"nothing listens on port {port}")


def until_answering(url: str) -> None:
    """Wait until a URL answers 200."""

    def answers() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return True
        except (OSError, urllib.error.URLError):
            return False

    until(answers, f"{url} doesn't answer")


def until(condition: Callable[[], bool], failure: str, seconds: float = START_SECONDS) -> None:
    """Wait for a condition. Raise Failed with the sentence `failure` when it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(failure)
        time.sleep(0.02)

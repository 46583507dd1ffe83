"""Whose process a number is, also in the moments when the kernel does not say."""

import subprocess
import threading
import time
from pathlib import Path

import pytest

from transcription_proxy.db import places

pytestmark = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="only Linux has /proc")
SLEEPING = "R 1 1 1 0 -1 4194304 0"
ZOMBIE = "Z 1 1 1 0 -1 4194304 0"
KERNEL_THREAD = "I 2 0 0 0 -1 2129984 0"


def process(folder: Path, state: str) -> Path:
    (folder / "cmdline").write_bytes(b"")
    (folder / "stat").write_text(f"71 (a ) name) {state}")
    return folder


def test_a_process_in_the_middle_of_an_exec_is_waited_for(tmp_path: Path) -> None:
    found = process(tmp_path, SLEEPING)
    later = threading.Timer(0.2, (found / "cmdline").write_bytes, [b"postgres\0-D\0/data\0"])
    later.start()
    assert places._arguments(found) == [b"postgres", b"-D", b"/data", b""]
    later.join()


@pytest.mark.parametrize("state", [ZOMBIE, KERNEL_THREAD])
def test_what_will_never_have_arguments_is_not_waited_for(tmp_path: Path, state: str) -> None:
    begun = time.monotonic()
    assert places._arguments(process(tmp_path, state)) == []
    assert time.monotonic() - begun < places.EXEC_SECONDS / 2


def test_one_that_hides_its_arguments_is_not_waited_for_forever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "EXEC_SECONDS", 0.05)
    assert places._arguments(process(tmp_path, SLEEPING)) == []


def test_real_processes() -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as sleeper:
        assert places.command(sleeper.pid) in ([b"/bin/sleep", b"60", b""], [b"sleep", b"60", b""])
        sleeper.kill()
        while places.command(sleeper.pid):
            time.sleep(0.01)
    assert places.command(sleeper.pid) == []

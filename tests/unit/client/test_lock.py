"""One process at a time, and nothing left behind by one that was killed."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from transcription_client import lock

HOLDER = """
import sys, time
from pathlib import Path
from transcription_client import lock
assert lock.take(Path(sys.argv[1]), 0) is not None
print("held", flush=True)
time.sleep(600)
"""


def test_a_second_one_waits_in_vain_and_gets_it_once_it_is_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = lock.take(path, 0)
    assert first is not None
    assert lock.take(path, 0) is None
    os.close(first)
    second = lock.take(path, 0)
    assert second is not None
    os.close(second)


def test_who_waits_gets_it_when_it_is_freed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = lock.take(path, 0)
    assert first is not None
    waiting, got = threading.Event(), []

    def wait() -> None:
        waiting.set()
        got.append(lock.take(path, 30))

    thread = threading.Thread(target=wait)
    thread.start()
    waiting.wait(10)
    os.close(first)
    thread.join(30)
    assert got != [None]
    os.close(got[0])  # type: ignore[arg-type]


def test_only_its_owner_can_open_it(tmp_path: Path) -> None:
    descriptor = lock.take(tmp_path / "lock", 0)
    assert descriptor is not None
    assert os.fstat(descriptor).st_mode & 0o777 == 0o600
    os.close(descriptor)


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert lock.take(path, 0) is None
    finally:
        holder.kill()
        holder.communicate()
    descriptor = lock.take(path, 0)
    assert descriptor is not None
    os.close(descriptor)


def test_where_no_file_can_be_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        lock.take(tmp_path / "missing" / "lock", 0)

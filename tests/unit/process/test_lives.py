import fcntl
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import pytest

from transcription_proxy.process.lives import Life, dead_lives


def files(data_dir: Path) -> list[str]:
    return sorted(path.name for path in (data_dir / "lives").iterdir())


def die(data_dir: Path) -> UUID:
    """A life whose process was killed."""
    code = (
        "import os, sys, pathlib; from transcription_proxy.process.lives import Life;"
        "print(Life.begin(pathlib.Path(sys.argv[1])).id, flush=True); os.kill(os.getpid(), 9)"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(data_dir)], capture_output=True, text=True, check=False)
    return UUID(ran.stdout.strip())


def test_a_living_process_is_not_dead(tmp_path: Path) -> None:
    life = Life.begin(tmp_path)
    assert dead_lives(tmp_path) == []
    assert files(tmp_path) == [f"{life.id}.lock"]
    life.release()
    assert files(tmp_path) == []


def test_no_lives_yet(tmp_path: Path) -> None:
    assert dead_lives(tmp_path) == []


def test_a_killed_process_is_found_once_at_a_time(tmp_path: Path) -> None:
    killed = die(tmp_path)
    [dead] = dead_lives(tmp_path)
    assert dead.id == killed
    assert dead_lives(tmp_path) == []  # held by whoever found it
    dead.leave()
    [again] = dead_lives(tmp_path)
    again.release()
    assert files(tmp_path) == []


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    Life.begin(tmp_path).release()
    (tmp_path / "lives" / "notes.lock").touch()
    assert dead_lives(tmp_path) == []
    assert files(tmp_path) == ["notes.lock"]


def test_a_file_that_vanishes_before_it_is_opened_is_no_dead_life(tmp_path: Path) -> None:
    Life.begin(tmp_path).release()
    (tmp_path / "lives" / f"{UUID(int=1)}.lock").symlink_to("vanished")
    assert dead_lives(tmp_path) == []


def test_a_life_that_left_is_dead(tmp_path: Path) -> None:
    life = Life.begin(tmp_path)
    life.leave()
    [dead] = dead_lives(tmp_path)
    assert dead.id == life.id
    dead.release()


def interleave(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Lets another process act once between our open and our lock."""
    real = fcntl.flock
    acts = [act]

    def flock(descriptor: int, operation: int) -> None:
        if acts:
            acts.pop()()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)


def test_a_file_that_is_removed_before_it_is_locked_is_no_dead_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = Life.begin(tmp_path)
    interleave(monkeypatch, life.release)
    assert dead_lives(tmp_path) == []


def test_a_file_whose_name_is_taken_again_is_another_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    life = Life.begin(tmp_path)
    path = tmp_path / "lives" / f"{life.id}.lock"

    def replace() -> None:
        life.release()
        path.touch()

    interleave(monkeypatch, replace)
    assert dead_lives(tmp_path) == []
    assert [dead.id for dead in dead_lives(tmp_path)] == [life.id]


def test_a_life_that_was_buried_before_it_was_locked_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Life] = []
    interleave(monkeypatch, lambda: found.extend(dead_lives(tmp_path)))
    life = Life.begin(tmp_path)
    assert found[0].id != life.id
    found[0].release()
    assert files(tmp_path) == [f"{life.id}.lock"]


def test_workers_that_start_and_look_at_once_never_take_each_other(tmp_path: Path) -> None:
    for _ in range(4):
        die(tmp_path)

    def start(_: int) -> tuple[Life, list[Life]]:
        return Life.begin(tmp_path), dead_lives(tmp_path)

    with ThreadPoolExecutor(16) as pool:
        started = list(pool.map(start, range(200)))
    held = [one.id for life, found in started for one in (life, *found)]
    assert len(held) == len(set(held)) >= 204
    for life, found in started:
        for one in (life, *found):
            one.release()
    assert files(tmp_path) == []

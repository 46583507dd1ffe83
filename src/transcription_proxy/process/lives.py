"""Process lives: ids that worker processes hold by flock on a file in DATA_DIR/lives (money 21).

The kernel drops the lock however a process dies, so an id whose lock is free belongs to a dead process."""

import fcntl
import os
from pathlib import Path
from typing import Self
from uuid import UUID, uuid4


class Life:
    """A life whose lock this process holds: its own, or a dead process's whose sessions it ends."""

    def __init__(self, life: UUID, path: Path, descriptor: int) -> None:
        self.id = life
        self._path = path
        self._descriptor = descriptor

    @classmethod
    def begin(cls, data_dir: Path) -> Self:
        """Begin a life of this process. Retry if another process took the new file for a dead life's and locked it."""
        folder = data_dir / "lives"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            life = uuid4()
            path = folder / f"{life}.lock"
            descriptor = _lock(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            if descriptor is not None:
                return cls(life, path, descriptor)

    def release(self) -> None:
        """Delete the life's file and drop its lock, once all its sessions have ended."""
        self._path.unlink(missing_ok=True)
        self.leave()

    def leave(self) -> None:
        """Drop the lock and keep the file, so that another process ends the life's sessions."""
        os.close(self._descriptor)


def dead_lives(data_dir: Path) -> list[Life]:
    """Lock and return the lives of dead processes. Callers end their sessions, then `release` or `leave` each."""
    dead = []
    for path in sorted((data_dir / "lives").glob("*.lock")):
        life = _life_of(path)
        descriptor = None if life is None else _lock(path, os.O_RDWR)
        if life is not None and descriptor is not None:
            dead.append(Life(life, path, descriptor))
    return dead


def _life_of(path: Path) -> UUID | None:
    try:
        return UUID(path.stem)
    except ValueError:
        return None


def _lock(path: Path, flags: int) -> int | None:
    """Return a descriptor that holds the file's lock; None where another process holds it, or has removed the file."""
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None

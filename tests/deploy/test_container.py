"""The Dockerfile's steps in a clean root folder, and the service run from it as in its container."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy.dockerfile import script, steps, words
from tests.e2e.reverse_proxies import free_port

ROOT = Path(__file__).parents[2]
STEPS = steps(ROOT / "Dockerfile")
LARGEST_MB = 500
"""Of what is installed on top of the base image."""
BUILD_SECONDS = 300
AS_CONTAINER = """
export PORT={port} SANDBOX_PORT={sandbox} LOG_LEVEL=info
for mount in $(cut -d ' ' -f 2 /proc/self/mounts); do
    case $mount in /proc* | /sys* | /dev*) ;; *) mount -o remount,bind,ro "$mount" ;; esac
done
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o "mode=700,uid=10001,gid=10001" tmpfs /data
cd {folder}
exec setpriv --reuid {user} --regid {user} --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all {command}
"""
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="makes a root folder: needs root"),
    pytest.mark.timeout(400),
]


def context(folder: Path) -> Path:
    """Return a copy of what .dockerignore lets into the build."""
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for name in allowed:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target)
    return folder


def argument(instruction: str) -> str:
    """The last one counts, as in a Dockerfile."""
    return next(value for name, value in reversed(STEPS) if name == instruction)


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Container]":
    folder = tmp_path_factory.mktemp("image")
    root, source, file = folder / "root", folder / "context", folder / "steps.sh"
    root.mkdir()
    source.mkdir()
    started = " ".join(words(argument("ENTRYPOINT")) + words(argument("CMD")))
    as_container = AS_CONTAINER.format(
        port=free_port(), sandbox=free_port(), folder=argument("WORKDIR"), user=argument("USER"), command=started
    )
    size = "echo size $(du -sm /opt/captions | cut -f 1)\n"
    cached = script(STEPS, "/context").replace("PIP_NO_CACHE_DIR=1 ", "")  # for time's sake
    file.write_text(cached + size + as_container)
    command = ["unshare", "--mount", "/bin/sh", str(Path(__file__).with_name("image.sh"))]
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, root, sys.base_prefix, context(source), file],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env=env,
        )
    yield Container(process, folder / "log")
    process.kill()
    process.wait()


@dataclass
class Container:
    """A running one, from the first step of its build."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def until(self, pattern: str) -> "re.Match[str]":
        """Wait until a line of the log matches."""
        give_up_at = time.monotonic() + BUILD_SECONDS
        while not (found := re.search(pattern, self.log.read_text(), re.MULTILINE)):
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < give_up_at, f"no {pattern}: {self.log.read_text()[-3000:]}"
            time.sleep(0.1)
        return found

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command as `docker exec` does, in the container's own root and as its user."""
        process = Path(f"/proc/{self.process.pid}")
        env = dict(entry.split("=", 1) for entry in (process / "environ").read_text().split("\0") if entry)
        enter = ["nsenter", f"--target={process.name}", "--mount", "--root", "--wd"]
        user = ["setpriv", "--reuid=10001", "--regid=10001", "--clear-groups"]
        return subprocess.run(
            [*enter, *user, *command], env=env, capture_output=True, text=True, timeout=60, check=False
        )


def test_it_is_built_small_and_runs_read_only_without_rights(container: Container) -> None:
    assert int(container.until(r"^size (\d+)$")[1]) < LARGEST_MB
    container.until("^Ready: ")
    status = Path(f"/proc/{container.process.pid}/status").read_text()
    assert re.findall(r"^Uid:\s+(\d+)", status, re.MULTILINE) == ["10001"]
    assert re.findall(r"^NoNewPrivs:\s+(\d+)", status, re.MULTILINE) == ["1"]
    assert re.findall(r"^Cap(?:Prm|Eff|Bnd):\s+(\w+)", status, re.MULTILINE) == ["0" * 16] * 3
    for path in ("/opt/captions/x", "/etc/x", "/x", "/usr/x"):
        assert "touch: cannot touch" in container.run("touch", path).stderr, path
    mounts = Path(f"/proc/{container.process.pid}/mounts").read_text().splitlines()
    writable = {mount.split()[1] for mount in mounts if "rw" in mount.split()[3].split(",")}
    assert {path for path in writable if not path.startswith(("/proc", "/sys", "/dev"))} == {"/tmp", "/data"}


def test_its_health_check_and_its_commands_work(container: Container) -> None:
    container.until("^Ready: ")
    done = container.run(*words(argument("HEALTHCHECK").partition("CMD ")[2]))
    assert (done.returncode, done.stdout) == (0, "Ready.\n"), done.stderr
    doctor = container.run("transcription-proxy", "doctor", "--json")
    assert [each for each in json.loads(doctor.stdout) if not each["ok"]] == []
    saved = container.run("transcription-proxy", "backup", "/data/captions.dump")
    assert "Saved" in saved.stdout, saved.stderr


def test_a_stop_is_a_proper_end(container: Container) -> None:
    container.until("^Ready: ")
    container.process.terminate()
    assert container.process.wait(30) == 0

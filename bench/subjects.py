"""What is measured: the direct connection, nginx relaying the same sockets untouched, and the service."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from bench import database, kernel, processes
from bench.probe import PROBE
from bench.processes import Failed
from tests.standin.smtp import CERTIFICATE
from transcription_proxy.db.embedded import Embedded

ROOT = Path(__file__).parents[1]
PROGRAM = Path(sys.executable).with_name("transcription-proxy")
SECONDS_OF_CREDIT = 1_000_000
LOG_CHARACTERS = 2000
WORKER = "bench.probe"
"""Part of a worker's command line."""


@dataclass
class StandIn:
    """The running stand-in for Deepgram."""

    port: int
    tls: bool

    def url(self, host: str = "127.0.0.1") -> str:
        """Return its address for a WebSocket client. The certificate is for localhost."""
        return f"{'wss' if self.tls else 'ws'}://{host}:{self.port}"


@dataclass
class Subject:
    """A subject that is ready for the load. `pids`: the processes that relay; `tokens`: a file, empty for none."""

    name: str
    url: str
    pids: list[int] = field(default_factory=list)
    tokens: str = ""
    probe: Path | None = None
    database: "psycopg.Connection[Any] | None" = None


@contextmanager
def standin(*, tls: bool = False, lose: int = 0) -> Iterator[StandIn]:
    """Run the stand-in for Deepgram on the load's cores. `lose`: every n-th stream is lost, 0 for none."""
    port = processes.free_port()
    command = [sys.executable, "-m", "bench.upstream", str(port), "--lose", str(lose), *(["--tls"] if tls else [])]
    with processes.running(command, processes.load_cores()):
        processes.until_listening(port)
        yield StandIn(port, tls)


@contextmanager
def direct(upstream: StandIn, row_folder: Path) -> Iterator[Subject]:
    """No relay at all: what load and stand-in cost themselves."""
    yield Subject("direct", f"{upstream.url()}/v1/listen")


@contextmanager
def nginx(upstream: StandIn, row_folder: Path) -> Iterator[Subject]:
    """nginx with one worker. It neither parses, counts nor changes anything."""
    port = processes.free_port()
    home = row_folder / "nginx"
    home.mkdir(exist_ok=True)
    scheme = "https" if upstream.tls else "http"
    config = home / "nginx.conf"
    config.write_text(
        f"""
        daemon off; pid {home}/nginx.pid; error_log stderr crit; worker_processes 1;
        events {{ worker_connections 32768; }}
        http {{ access_log off; server {{ listen 127.0.0.1:{port} backlog=8192; location / {{
          proxy_pass {scheme}://127.0.0.1:{upstream.port}; proxy_http_version 1.1; proxy_read_timeout 3600;
          proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_buffering off;
        }} }} }}"""
    )
    with processes.running(["nginx", "-p", home, "-c", config], processes.RELAY_CORE) as process:
        processes.until_listening(port)
        yield Subject("nginx", f"ws://127.0.0.1:{port}/v1/listen", kernel.children(process.pid))


class Service:
    """The service under a folder of its own, which may be started again and again with the same accounts."""

    def __init__(self, upstream: StandIn, home: Path, accounts: int, workers: int = 1) -> None:
        self.home = data_folder(home)
        self._accounts = accounts
        self._workers = workers
        self._tokens = home / "tokens.json"
        self.port = processes.free_port()
        self.env = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ},
            "PORT": str(self.port),
            "DATA_DIR": str(home),
            "JWT_SECRET": secrets.token_urlsafe(48),
            "DEEPGRAM_URL": upstream.url("localhost" if upstream.tls else "127.0.0.1"),
            "DEEPGRAM_API_KEY": "the-benchmark-has-none",
            "SSL_CERT_FILE": str(CERTIFICATE),
            "UPSTREAM_MAX_STREAMS": "100000",
            "WORKERS": str(workers),
            "DRAIN_SECONDS": "1",
            "LOG_LEVEL": "warning",
            PROBE: str(home / "probe"),
        }

    @property
    def log(self) -> Path:
        return self.home / "service.log"

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/transcribe"

    @contextmanager
    def running(self) -> Iterator[Subject]:
        """Run it, with each worker on a core of the relay's, and everything else on the load's."""
        with ExitStack() as stack:
            command = [sys.executable, "-m", "bench.serve"]
            process = stack.enter_context(
                processes.running(command, processes.load_cores(), self.env, log=self.log, cwd=ROOT)
            )
            try:
                processes.until_answering(f"http://127.0.0.1:{self.port}/ready")
            except Failed as failure:
                raise Failed(f"{failure}. Its log ends with:\n{self.log.read_text()[-LOG_CHARACTERS:]}") from failure
            workers = [pid for pid in kernel.children(process.pid) if WORKER in kernel.command(pid)]
            for pid, cores in zip(workers, worker_cores(self._workers), strict=True):
                kernel.pin(pid, cores)
            self._make_accounts()
            server = stack.enter_context(Embedded.acquire(self.home))
            connection = stack.enter_context(closing(database.connect(server.url)))
            yield Subject("ours", self.url, workers, str(self._tokens), Path(self.env[PROBE]), connection)

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run an operator's command beside the running service."""
        return subprocess.run(
            [PROGRAM, *arguments], env=self.env, cwd="/", capture_output=True, text=True, timeout=600, check=False
        )

    def _make_accounts(self) -> None:
        if self._tokens.exists():
            return
        made = self.command("user", "create-many", str(self._accounts), "--seconds", str(SECONDS_OF_CREDIT), "--json")
        if made.returncode:
            raise Failed(f"no accounts could be made: {made.stderr}")
        self._tokens.write_text(json.dumps([account["token"] for account in json.loads(made.stdout)]))


def data_folder(path: Path) -> Path:
    """Create a folder for DATA_DIR. PostgreSQL's own user, which it runs as when root starts it, may enter it."""
    path.mkdir(exist_ok=True)
    path.chmod(0o711)
    return path


def postmaster(home: Path) -> int:
    """Return the process id of the bundled PostgreSQL under a DATA_DIR."""
    (file,) = home.rglob("postmaster.pid")
    return int(file.read_text().split("\n", 1)[0])


def worker_cores(workers: int) -> list[set[int]]:
    """Return the cores of each worker: one for each where the load keeps one of its own, else the relay's for all."""
    spare = iter(sorted(processes.load_cores())[1:])
    return [processes.RELAY_CORE, *({next(spare, min(processes.RELAY_CORE))} for _ in range(workers - 1))]

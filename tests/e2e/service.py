"""The program as its users run it: `transcription-proxy serve` as a process, and the operator's commands."""

import asyncio
import contextlib
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.client import Captions, User
from tests.e2e.leaks import Met, assert_no_leaks
from tests.waiting import until

PROGRAM = Path(sys.executable).with_name("transcription-proxy")
KEY = "dg-key-of-the-tests-4f1c0a"
START_WITHIN = 30.0
POOL = 16


@dataclass
class Service:
    """A running `serve`, its environment, and its log. At its end no log may hold what is in `met` and `tokens`."""

    env: dict[str, str]
    log_path: Path
    process: subprocess.Popen[bytes]
    http: httpx.AsyncClient
    tokens: list[str] = field(default_factory=list)
    met: Met = field(default_factory=Met)
    _sockets: list[Captions] = field(default_factory=list)
    _pools: dict[int, list[User]] = field(default_factory=dict)
    _pooling: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def address(self) -> str:
        return f"{self.env.get('HOST', '127.0.0.1')}:{self.env['PORT']}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def ws_url(self) -> str:
        return f"ws://{self.address}"

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run an operator's command in another folder. Return exit status, standard output and standard error."""
        process = await asyncio.create_subprocess_exec(
            str(PROGRAM), *arguments, env=self.env, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(), 30)
        except BaseException:
            process.kill()
            raise
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def command(self, *arguments: str) -> str:
        """Run a command that must succeed, and return its output."""
        status, out, err = await self.run(*arguments)
        assert status == 0, f"{' '.join(arguments)}: {status} {out}{err}"
        return out

    async def user(self, seconds: int = 3600) -> User:
        """Create an account with this balance."""
        async with self._pooling:
            pool = self._pools.setdefault(seconds, [])
            if not pool:
                count = POOL if seconds == 3600 else 2
                made = await self.command("user", "create-many", str(count), "--seconds", str(seconds), "--json")
                pool += [User(entry["email"], entry["token"]) for entry in json.loads(made)]
                self.tokens += [user.token for user in pool]
            return pool.pop()

    async def captions(self, user: User, config: Mapping[str, Any] | None = None, **auth: Any) -> Captions:
        """Open a caption socket and send `auth`."""
        opened = await self.dial()
        await opened.auth(user.token, config, **auth)
        return opened

    async def dial(self, **options: Any) -> Captions:
        """Open a caption socket without sending anything."""
        self._sockets.append(await Captions.dial(self.ws_url, **options))
        return self._sockets[-1]

    async def get(self, path: str, user: User) -> Any:
        answer = await self.http.get(path, headers={"Authorization": f"Bearer {user.token}"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def balance(self, user: User) -> dict[str, int]:
        answer: dict[str, int] = await self.get("/billing/balance", user)
        return answer

    async def sessions(self, user: User) -> list[dict[str, Any]]:
        """Return the last ten sessions, newest first."""
        answer: list[dict[str, Any]] = (await self.get("/account/usage", user))["sessions"]
        return answer

    async def live(self, user: User, session_id: str) -> list[dict[str, Any]]:
        """Wait until a session is live, which its first settle makes it, and return the user's live sessions."""

        async def found() -> list[dict[str, Any]]:
            live: list[dict[str, Any]] = (await self.get("/account/sessions?live=true", user))["sessions"]
            return live if any(row["id"] == session_id for row in live) else []

        return list(await until(found))

    async def session(self, user: User, session_id: str, within: float = 20) -> dict[str, Any]:
        """Wait until a session has ended, and return its row."""

        async def found() -> dict[str, Any] | None:
            rows = [row for row in await self.sessions(user) if row["id"] == session_id and row["status"] != "active"]
            return next(iter(rows), None)

        return dict(await until(found, within))

    def send_signal(self, number: int) -> None:
        self.process.send_signal(number)

    def children(self) -> list[int]:
        """Return the process ids of its workers, and of its engine if it has one."""
        listed = subprocess.run(["ps", "-axo", "pid=,ppid=,stat="], capture_output=True, text=True, check=True)
        processes = [line.split() for line in listed.stdout.splitlines()]
        parent = str(self.process.pid)
        return sorted(int(pid) for pid, ppid, state in processes if ppid == parent and not state.startswith("Z"))

    def kill(self) -> None:
        """Send SIGKILL to all of its processes at once. Its children are in separate sessions."""
        for pid in [self.process.pid, *self.children()]:
            os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def logs(self) -> list[Path]:
        """Return its log, and that of its bundled PostgreSQL."""
        homes = set(re.findall(r"bundled PostgreSQL in (.+)", self.log()))
        return [self.log_path, *(path for home in homes for path in Path(home).rglob("cluster/log"))]

    def assert_no_leaks(self) -> None:
        """Assert that no log holds a secret that it met, or a caption that it sent."""
        self.met.add("a token", *self.tokens)
        self.met.add_files(Path(self.env["DATA_DIR"]))
        for each in self._sockets:
            self.met.add("a caption", *(message["text"] for message in each.of("transcript")))
        assert_no_leaks(self.met, self.logs())

    def kill_database(self) -> None:
        """Send SIGKILL to the bundled PostgreSQL."""
        (home,) = set(re.findall(r"bundled PostgreSQL in (.+)", self.log()))
        (file,) = Path(home).rglob("postmaster.pid")
        os.kill(int(file.read_text().split("\n", 1)[0]), signal.SIGKILL)

    async def stopped(self, within: float = 30) -> int:
        """Wait for the end, and return the exit status."""
        return await asyncio.to_thread(self.process.wait, within)


def environment(data_dir: Path, deepgram_url: str, **more: str) -> dict[str, str]:
    """A whole environment: nothing of the tester's own gets in. PostgreSQL's user may enter the folder, so that also
    when root tests, its files lie in there and go with it."""
    data_dir.mkdir(parents=True, exist_ok=True)
    data_dir.chmod(0o711)
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {
        **kept,
        "PORT": str(_free_port()),
        "DATA_DIR": str(data_dir),
        "JWT_SECRET": secrets.token_urlsafe(48),
        "DEEPGRAM_URL": deepgram_url,
        "DEEPGRAM_API_KEY": KEY,
        "AUTH_RATE_PER_MINUTE": "100000",
        "DRAIN_SECONDS": "1",
        **more,
    }


@contextlib.asynccontextmanager
async def serving(env: dict[str, str], ready: str = "/ready", prefix: Sequence[str] = ()) -> AsyncIterator[Service]:
    """Run `serve` during the block. `ready`: the path that answers 200 when it can be used.

    `prefix`: a command that runs the program that follows it in its own process."""
    log_path = Path(env["DATA_DIR"]).with_suffix(".log")
    with log_path.open("ab") as log:
        process = subprocess.Popen(  # noqa: ASYNC220 - returns at once
            [*prefix, PROGRAM, "serve"],
            env=env,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    base = f"http://{env.get('HOST', '127.0.0.1')}:{env['PORT']}"
    async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=10) as http:
        service = Service(env, log_path, process, http)
        service.met.add_settings(env)
        http.event_hooks = {"request": [service.met.request], "response": [service.met.answer]}
        try:
            await _answers(service, ready)
            yield service
        finally:
            if process.poll() is None:
                process.terminate()
            await service.stopped()
    service.assert_no_leaks()


async def _answers(service: Service, path: str) -> None:
    async def answers() -> bool:
        assert service.process.poll() is None, service.log()
        with contextlib.suppress(httpx.TransportError):
            return (await service.http.get(path)).status_code == 200
        return False

    await until(answers, START_WITHIN)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port

"""The service as its users run it, and its PostgreSQL: starts, stops, kills and queries them."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg

from tests.e2e.service import Service, serving
from tests.standin import clock
from transcription_proxy.db.embedded import Embedded

BACK_WITHIN = 60.0
TRIES = 8


class Postgres:
    """The run's PostgreSQL server, on a unix socket."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._server = Embedded.acquire(home, settings={"fsync": "off", "max_connections": "100"})
        self.url = self._server.url
        clock.install(self.url)

    @property
    def socket(self) -> Path:
        (folder,) = parse_qs(urlsplit(self.url).query)["host"]
        return Path(folder) / ".s.PGSQL.5432"

    def through(self, port: int) -> str:
        """Return the URL through a proxy."""
        parts = urlsplit(self.url)
        return parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{port}", query="").geturl()

    def signal(self, number: int) -> None:
        """Send a signal to the postmaster if it runs. SIGINT is PostgreSQL's fast shutdown."""
        for file in self._home.rglob("postmaster.pid"):
            with suppress(ProcessLookupError):
                os.kill(int(file.read_text().split("\n", 1)[0]), number)

    async def set_clock(self, ahead: float) -> None:
        """Set the clock `ahead` seconds ahead of the true time, as soon as the server is available."""
        for _ in range(TRIES):
            with suppress(psycopg.OperationalError):
                return await asyncio.to_thread(clock.set_ahead, self.url, ahead)
            await asyncio.sleep(2)
        raise RuntimeError("the database's clock cannot be set")

    async def ensure(self) -> None:
        await asyncio.to_thread(self._server.ensure)

    def release(self) -> None:
        self._server.release()


class Program:
    """`transcription-proxy serve`, restarted on one port."""

    def __init__(self, env: dict[str, str], database_url: str) -> None:
        self._env = env
        self._direct = {**env, "DATABASE_URL": database_url}
        self._stack = AsyncExitStack()
        self._service: Service | None = None

    @property
    def service(self) -> Service:
        assert self._service is not None
        return self._service

    @property
    def operator(self) -> Service:
        """The service for the operator's commands, which reach the database without the proxy."""
        return replace(self.service, env=self._direct)

    async def start(self) -> None:
        """Start the program, and wait until it serves, perhaps without a database."""
        self._service = await self._stack.enter_async_context(serving(self._env, ready="/docs"))

    async def stop(self) -> int:
        """Send SIGTERM, and return the exit status after the end."""
        self.service.send_signal(signal.SIGTERM)
        status = await self.service.stopped(within=150)
        await self._stack.aclose()
        return status

    async def close(self) -> None:
        """End the program if it still runs."""
        await self._stack.aclose()

    async def kill(self) -> None:
        """Send SIGKILL to all of its processes at once."""
        await asyncio.to_thread(self.service.kill)
        await self._stack.aclose()

    def workers(self) -> list[int]:
        """Process ids."""
        return self.service.children()

    async def operate(self, *command: str) -> str:
        """Run an operator's command, and retry it while the database is away."""
        for _ in range(TRIES):
            status, out, err = await self.operator.run(*command)
            if status == 0:
                return out
            await asyncio.sleep(2)
        raise RuntimeError(f"{' '.join(command)}: {status} {out}{err}")

    async def users(self, count: int, seconds: int) -> list[dict[str, str]]:
        made: list[dict[str, str]] = json.loads(
            await self.operate("user", "create-many", str(count), "--seconds", str(seconds), "--json")
        )
        return made

    async def sessions(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = json.loads(await self.operate("session", "list", "--limit", "1000000", "--json"))
        return listed

    async def audit(self) -> list[str]:
        """Return the findings of an audit as text."""
        status, out, err = await self.operator.run("ledger", "audit", "--json")
        findings = [f"{finding}" for finding in json.loads(out)] if out else [err]
        return findings or ([] if status == 0 else [f"exit status {status}"])

    async def held(self, email: str) -> int:
        shown = json.loads(await self.operate("user", "show", email, "--json"))
        return int(shown["seconds_held"]) or len(shown["live_sessions"])


@asynccontextmanager
async def postgres(home: Path) -> AsyncIterator[Postgres]:
    server = await asyncio.to_thread(Postgres, home)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.release)


@asynccontextmanager
async def running(env: dict[str, str], database_url: str) -> AsyncIterator[Program]:
    program = Program(env, database_url)
    try:
        await program.start()
        yield program
    finally:
        await program.close()


def resume(pid: int) -> None:
    """Resume a process, which may have been killed meanwhile."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)

"""One worker process of `serve`: adopts the listening socket, runs the service on it, and ends it in order.

The supervisor starts it; it reads WORKER_FD, PARENT_FD and BUILTIN_ENGINE beside the settings."""

import asyncio
import os
import resource
import socket
import sys
from contextlib import AsyncExitStack
from time import monotonic
from types import FrameType
from typing import Any, Final

import structlog
import uvicorn
import uvloop

from transcription_proxy.app import Service
from transcription_proxy.config import Settings, load
from transcription_proxy.db.migrate import migrate
from transcription_proxy.errors import ConfigError, Unavailable
from transcription_proxy.ledger.lives import Life
from transcription_proxy.logs import configure_logging

EXIT_CONFIG: Final = 78
"""The supervisor does not start a worker again that ends with this: it has said what is wrong."""
MIGRATE_EVERY: Final = 1.0
HTTP_GRACE: Final = 5
log = structlog.get_logger()


def main() -> int:
    """Runs until SIGTERM or the parent's end; the exit status."""
    try:
        settings = load()
    except ConfigError as error:
        return _complain(error)
    configure_logging(settings.log_level)
    _allow_many_sockets()
    try:
        uvloop.run(_run(settings))
    except ConfigError as error:
        return _complain(error)
    return 0


def _allow_many_sockets() -> None:
    """Two for each stream; the usual limit is 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Server(uvicorn.Server):
    """uvicorn, but SIGTERM lets live sessions go on for a while; a second one ends them. The port answers meanwhile."""

    def __init__(self, config: uvicorn.Config, service: Service, drain_seconds: float) -> None:
        super().__init__(config)
        self._service = service
        self._drain_seconds = drain_seconds
        self._end_at: float | None = None
        self._asked = 0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._asked += 1  # and nothing is raised again at the end: a proper end has status 0

    def end_now(self) -> None:
        """As two signals would."""
        self._asked = 2

    async def on_tick(self, counter: int) -> bool:
        """Looked at ten times a second; True: it is time to end."""
        failed = await super().on_tick(counter)
        if self._asked and self._end_at is None:
            self._end_at = monotonic() + self._drain_seconds
            self._service.drain()
            log.info("draining", seconds=self._drain_seconds)
        return failed or (
            self._end_at is not None and (self._asked > 1 or monotonic() >= self._end_at or not self._service.live)
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._service.end()
        await super().shutdown(sockets)


async def _run(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        life = Life.begin(settings.data_dir)
        service = Service(settings, life)
        await stack.enter_async_context(service)
        server = Server(_uvicorn_config(service, settings), service, settings.drain_seconds)
        _end_with_parent(server)
        preparing = asyncio.create_task(_prepare(service, settings, server))
        try:
            await server.serve(sockets=[socket.socket(fileno=int(os.environ["WORKER_FD"]))])
        finally:
            preparing.cancel()
            await asyncio.gather(preparing, return_exceptions=True)
        if preparing.done() and not preparing.cancelled() and (failure := preparing.exception()):
            raise failure


async def _prepare(service: Service, settings: Settings, server: Server) -> None:
    """Migrates, as soon as the database is there, and lets sessions in; a database that does not fit ends it all."""
    known = ""
    try:
        while True:
            try:
                await migrate(service.database_url, settings.database_schema)
                await service.begin()
                return
            except Unavailable as error:
                if (reason := " ".join(str(error).split())) != known:
                    log.warning("database_away", reason=reason)
                    known = reason
                await asyncio.sleep(MIGRATE_EVERY)
    except BaseException:
        server.should_exit = True
        raise


def _uvicorn_config(service: Service, settings: Settings) -> uvicorn.Config:
    options: dict[str, Any] = {
        "app": service.http,
        "http": service.door,
        "lifespan": "off",
        "loop": "none",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": settings.keep_alive_seconds,
        "timeout_graceful_shutdown": HTTP_GRACE,
    }
    return uvicorn.Config(**options)


def _end_with_parent(server: Server) -> None:
    """A parent that died takes its end of the pipe with it."""
    pipe = os.environ.get("PARENT_FD")
    if pipe is not None:
        loop = asyncio.get_running_loop()
        loop.add_reader(int(pipe), _parent_gone, server, int(pipe))


def _parent_gone(server: Server, pipe: int) -> None:
    """Nobody is left to hold the port for the next program, so this one does not linger."""
    asyncio.get_running_loop().remove_reader(pipe)
    server.end_now()


def _complain(error: ConfigError) -> int:
    for problem in error.problems:
        print(problem, file=sys.stderr)  # noqa: T201 - the one thing a person has to read
    return EXIT_CONFIG


if __name__ == "__main__":
    sys.exit(main())

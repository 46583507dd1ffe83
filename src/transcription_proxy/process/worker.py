"""One worker process of `serve`: runs the service on the inherited socket, and shuts it down in order.

The supervisor starts it. Beside the settings it reads WORKER_FD, PARENT_FD, LOADS_FD and BUILTIN_ENGINE."""

import asyncio
import gc
import math
import os
import resource
import socket
import sys
from contextlib import AsyncExitStack
from functools import partial
from time import monotonic
from types import FrameType
from typing import Any, Final

import structlog
import uvicorn
import uvloop

from transcription_proxy import metrics
from transcription_proxy.config import Settings, load
from transcription_proxy.db.migrate import migrate
from transcription_proxy.errors import ConfigError, Unavailable
from transcription_proxy.logs import configure_logging
from transcription_proxy.process.acceptor import Acceptor, Loads
from transcription_proxy.process.lives import Life
from transcription_proxy.process.service import Service
from transcription_wire.version import VERSION

EXIT_CONFIG: Final = 78
"""Exit status after printing what is wrong with the configuration. The supervisor does not restart such a worker."""
MIGRATE_RETRY_SECONDS: Final = 1.0
HTTP_SHUTDOWN_SECONDS: Final = 5
"""Seconds that HTTP requests have to finish at a shutdown."""
GC_OBJECTS: Final = 50_000
"""New objects after which the garbage collector visits them."""
log = structlog.get_logger()


def main() -> int:
    """Run until SIGTERM or the parent's end. Return the exit status."""
    try:
        settings = load()
    except ConfigError as error:
        return _print_problems(error)
    configure_logging(settings.log_level, as_json=settings.production)
    metrics.begin(VERSION)
    _allow_many_sockets()
    try:
        uvloop.run(_run(settings))
    except ConfigError as error:
        return _print_problems(error)
    return 0


def _allow_many_sockets() -> None:
    """Raise the limit of open files to the maximum: each stream needs two sockets, and the usual limit is 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Server(uvicorn.Server):
    """uvicorn with a drain: after SIGTERM live sessions go on for `drain_seconds`, or until a second SIGTERM.

    The port answers meanwhile.
    """

    def __init__(self, config: uvicorn.Config, service: Service, drain_seconds: float, loads: Loads | None) -> None:
        """`loads`: those of all workers, None if this is the only one."""
        super().__init__(config)
        self._service = service
        self._drain_seconds = drain_seconds
        self._loads = loads
        self._acceptor: Acceptor | None = None
        self._end_at: float | None = None
        self._signals = 0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._signals += 1  # not raised again at the end, as uvicorn would: an orderly end has status 0

    def end_now(self) -> None:
        """End without a drain, as after two signals."""
        self._signals = 2

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections: as uvicorn does, or in turns with the other workers."""
        if self._loads is None or not sockets:
            await super().startup(sockets)
        else:
            await super().startup([])
            door = partial(self._service.door, self.config, self.server_state, self.lifespan.state)
            self._acceptor = Acceptor(sockets[0], self._loads, self._load, door)

    def _load(self) -> float:
        """Return how many connections are open. A worker that refuses sessions leaves all to the others."""
        is_ready = self._service.is_ready()
        return len(self.server_state.connections) + self._service.open_sockets if is_ready else math.inf

    async def on_tick(self, counter: int) -> bool:
        """Begin the drain after a signal. Return whether to shut down. Called ten times a second."""
        failed = await super().on_tick(counter)
        if self._acceptor is not None:
            self._acceptor.publish()
        if self._signals and self._end_at is None:
            self._end_at = monotonic() + self._drain_seconds
            self._service.drain()
            log.info("draining", seconds=self._drain_seconds)
        return failed or (
            self._end_at is not None and (self._signals > 1 or monotonic() >= self._end_at or not self._service.live)
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._service.end()
        if self._acceptor is not None:
            self._acceptor.close()
        await super().shutdown(sockets)


async def _run(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        life = Life.begin(settings.data_dir)
        service = Service(settings, life)
        await stack.enter_async_context(service)
        server = Server(_uvicorn_config(service, settings), service, settings.drain_seconds, _loads())
        _end_with_parent(server)
        preparing = asyncio.create_task(_prepare(service, settings, server))
        try:
            await server.serve(sockets=[socket.socket(fileno=int(os.environ["WORKER_FD"]))])
        finally:
            preparing.cancel()
            await asyncio.gather(preparing, return_exceptions=True)
        if preparing.done() and not preparing.cancelled() and (failure := preparing.exception()):
            raise failure


def _loads() -> Loads | None:
    memory = os.environ.get("LOADS_FD")
    return Loads(int(memory), int(os.environ["WORKER_NUMBER"])) if memory else None


async def _prepare(service: Service, settings: Settings, server: Server) -> None:
    """Migrate as soon as the database is there, then let sessions in. End the process if the schema does not fit."""
    logged = ""
    try:
        while True:
            try:
                await migrate(settings.database_url or "", settings.database_schema)
                await service.begin()
                spare_collector()
                return
            except Unavailable as error:
                if (reason := " ".join(str(error).split())) != logged:
                    log.warning("database_away", reason=reason)
                    logged = reason
                await asyncio.sleep(MIGRATE_RETRY_SECONDS)
    except BaseException:
        server.should_exit = True
        raise


def spare_collector() -> None:
    """Keep the garbage collector from what lives as long as the process, and let it run less often.

    Live sessions make hardly any cycles, and each full collection would visit all their objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_OBJECTS, 20, 100)


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
        "timeout_graceful_shutdown": HTTP_SHUTDOWN_SECONDS,
    }
    return uvicorn.Config(**options)


def _end_with_parent(server: Server) -> None:
    """Shut down when the parent dies: the kernel closes its end of the pipe."""
    pipe = os.environ.get("PARENT_FD")
    if pipe is not None:
        loop = asyncio.get_running_loop()
        loop.add_reader(int(pipe), _end_orphan, server, int(pipe))


def _end_orphan(server: Server, pipe: int) -> None:
    """End without a drain, so that the port is free for the next start: no supervisor holds it any more."""
    asyncio.get_running_loop().remove_reader(pipe)
    server.end_now()


def _print_problems(error: ConfigError) -> int:
    for problem in error.problems:
        print(problem, file=sys.stderr)  # noqa: T201 - for the person who starts it
    return EXIT_CONFIG


if __name__ == "__main__":
    sys.exit(main())

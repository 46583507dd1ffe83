"""Serves the API and the pages over HTTP until the process is asked to end."""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from transcription_sandbox.api import Api
from transcription_sandbox.background import expire_sessions, keep_running
from transcription_sandbox.delivery import Deliverer, Webhook
from transcription_sandbox.pages import pages
from transcription_sandbox.state import State

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True)
class Options:
    """`site`: the URL that the pages begin with. `seller`: the name on the pages. `webhook` None: events go nowhere."""

    key: str
    site: str
    seller: str
    state: Path
    webhook: Webhook | None


class Server(uvicorn.Server):
    """uvicorn, with exit status 0 after a signal."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.should_exit = True


async def serve(listener: socket.socket, options: Options, parent: int | None) -> None:
    """Serve until SIGTERM, or until the other end of the pipe `parent` is closed."""
    webhook = options.webhook
    with closing(State(options.state, options.site, webhook.url if webhook else None)) as state:
        server = Server(_config(app(state, options.key, options.seller)))
        if parent is not None:
            asyncio.get_running_loop().add_reader(parent, _stop, server, parent)
        tasks = [asyncio.create_task(keep_running("expiry", lambda: expire_sessions(state)))]
        if webhook:
            tasks.append(asyncio.create_task(keep_running("delivery", Deliverer(state, webhook).run)))
        try:
            await server.serve(sockets=[listener])
        finally:
            await _cancel(tasks)


def app(state: State, key: str, seller: str) -> Starlette:
    """Return the routes of the API and the pages."""
    api = Route("/v1/{path:path}", Api(state, key).handle, methods=METHODS)
    return Starlette(routes=[api, *pages(state, seller)])


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _stop(server: Server, parent: int) -> None:
    asyncio.get_running_loop().remove_reader(parent)
    server.should_exit = True


def _config(served: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        served,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,  # longer than clients keep a connection, so that none is closed while they write
        timeout_graceful_shutdown=3,
    )

"""The sandbox's server: its API, its pages, and the work in the background, until it is told to end."""

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
from transcription_sandbox.delivery import Courier, Endpoint
from transcription_sandbox.keeper import expire_sessions, keep
from transcription_sandbox.pages import pages
from transcription_sandbox.state import State

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True)
class Options:
    """`site`: the base of its pages; `shop`: whom customers pay; `endpoint` None: events are only written down."""

    key: str
    site: str
    shop: str
    state: Path
    endpoint: Endpoint | None


class Server(uvicorn.Server):
    """uvicorn, whose proper end has status 0."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.should_exit = True


async def serve(listener: socket.socket, options: Options, parent: int | None) -> None:
    """Until SIGTERM, or until the other end of the pipe `parent` is closed."""
    endpoint = options.endpoint
    with closing(State(options.state, options.site, endpoint.url if endpoint else None)) as state:
        server = Server(_config(app(state, options.key, options.shop)))
        if parent is not None:
            asyncio.get_running_loop().add_reader(parent, _end, server, parent)
        work = [asyncio.create_task(keep("expiry", lambda: expire_sessions(state)))]
        if endpoint:
            work.append(asyncio.create_task(keep("delivery", Courier(state, endpoint).run)))
        try:
            await server.serve(sockets=[listener])
        finally:
            await _ended(work)


def app(state: State, key: str, shop: str) -> Starlette:
    api = Route("/v1/{path:path}", Api(state, key).answer, methods=METHODS)
    return Starlette(routes=[api, *pages(state, shop)])


async def _ended(work: Sequence[asyncio.Task[None]]) -> None:
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)


def _end(server: Server, parent: int) -> None:
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
        timeout_keep_alive=75,  # longer than a client keeps a connection: else it writes into one that is closing
        timeout_graceful_shutdown=3,
    )

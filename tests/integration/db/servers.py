"""Kills and probes a bundled PostgreSQL from outside."""

import os
import signal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from transcription_proxy.db.embedded import Embedded
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Unavailable


def data_of(server: Embedded) -> Path:
    [sockets] = parse_qs(urlsplit(server.url).query)["host"]
    return Path(sockets).parent / "cluster" / "data"


def postmaster(server: Embedded) -> int:
    return int((data_of(server) / "postmaster.pid").read_text().split("\n", 1)[0])


def kill_postgres(server: Embedded) -> None:
    os.kill(postmaster(server), signal.SIGKILL)


async def answers(database: Database) -> bool:
    """Return whether the server answers within half a second."""
    try:
        async with database.transaction(0.5) as connection:
            await connection.execute("SELECT 1")
    except Unavailable:
        return False
    return True

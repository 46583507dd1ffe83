"""What tests do to a bundled PostgreSQL from outside."""

import os
import signal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from transcription_proxy.db.embedded import Embedded


def data_of(server: Embedded) -> Path:
    [sockets] = parse_qs(urlsplit(server.url).query)["host"]
    return Path(sockets).parent / "cluster" / "data"


def postmaster(server: Embedded) -> int:
    return int((data_of(server) / "postmaster.pid").read_text().split("\n", 1)[0])


def kill_postgres(server: Embedded) -> None:
    os.kill(postmaster(server), signal.SIGKILL)

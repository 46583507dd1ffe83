"""`healthcheck`: asks the running service whether it is ready, for containers and scripts."""

import typer

from transcription_proxy.config import load
from transcription_proxy.errors import Unavailable
from transcription_proxy.process.readiness import find_obstacle
from transcription_proxy.process.sockets import reachable


def healthcheck() -> None:
    """Check that the service on this machine is ready.

    It asks /health and /ready at HOST and PORT. Exit status 0 when both answer 200, else 1.

    Example: PORT=8080 transcription-proxy healthcheck
    """
    settings = load()
    if obstacle := find_obstacle((reachable(settings.host), settings.port)):
        raise Unavailable(f"Not ready on port {settings.port}: {obstacle}.")
    typer.echo("Ready.")

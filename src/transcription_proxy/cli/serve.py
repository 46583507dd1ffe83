"""The command that runs the service."""

import typer

from transcription_proxy import supervisor
from transcription_proxy.config import load


def serve() -> None:
    """Run the service. Settings come from the environment or from .env in the project's folder.

    Example: PORT=8080 transcription-proxy serve
    """
    raise typer.Exit(supervisor.serve(load()))

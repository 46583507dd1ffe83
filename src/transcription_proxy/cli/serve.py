"""The commands that run the service, or its engine alone."""

import os
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from transcription_proxy import offer
from transcription_proxy.config import load
from transcription_proxy.process import supervisor


def serve() -> None:
    """Run the service.

    Settings come from the environment, or from .env in the project folder (installed from a wheel: in
    ~/.local/share/transcription-proxy).

    Example: PORT=8080 transcription-proxy serve
    """
    settings = load(also=offer.problems)
    for warning in offer.warnings(settings, datetime.now(UTC).date()):
        typer.echo(f"Warning: {warning}.", err=True)
    raise typer.Exit(supervisor.serve(settings))


def engine(port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 3100) -> None:
    """Run only the built-in speech engine.

    It is a server with Deepgram's API.

    Example: transcription-proxy engine --port 3100
    """
    os.execv(sys.executable, [*supervisor.ENGINE, "--port", str(port)])  # noqa: S606

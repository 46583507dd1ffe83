"""The program `transcription-proxy`: wires its commands. Each group of them has a file of its own."""

import sys

import typer

from transcription_proxy.cli import database, demo, doctor, money, serve, sessions, users
from transcription_proxy.errors import ConfigError, Refusal, Unavailable

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they would show the values of variables
    rich_markup_mode=None,
    help="Live captions with prepaid minutes.",
)
app.command()(serve.serve)
app.command()(serve.engine)
app.command()(database.migrate)
app.command()(demo.demo)
app.command()(doctor.doctor)
app.add_typer(users.app, name="user")
app.add_typer(money.credits_app, name="credits")
app.add_typer(sessions.app, name="session")
app.add_typer(money.ledger_app, name="ledger")


def main() -> None:
    """Runs the command line. What goes wrong is said on standard error, one sentence each, with status 1."""
    try:
        app()
    except ConfigError as error:
        sys.exit("\n".join(error.problems))
    except (Refusal, Unavailable) as error:
        sys.exit(str(error))

"""The program `transcription-proxy`, with its commands. Each group of commands has its own file."""

import io
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from transcription_proxy.cli import (
    backup,
    database,
    demo,
    doctor,
    healthcheck,
    money,
    payments,
    pricing,
    report,
    serve,
    sessions,
    usage,
    users,
)
from transcription_proxy.cli.tables import one_line
from transcription_proxy.errors import ConfigError, Refusal, Unavailable
from transcription_wire.version import VERSION

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they would show the values of variables
    rich_markup_mode=None,
    help="Run and manage a live caption service with prepaid minutes.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"transcription-proxy {VERSION}")
        raise typer.Exit


@app.callback()
def _program(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that all commands share."""


app.command()(serve.serve)
app.command()(serve.engine)
app.command()(database.migrate)
app.command()(backup.backup)
app.command()(backup.restore)
app.command()(demo.demo)
app.command()(doctor.doctor)
app.command()(healthcheck.healthcheck)
app.command("pricing")(pricing.pricing_command)
app.command()(report.report)
app.add_typer(users.app, name="user")
app.add_typer(money.credits_app, name="credits")
app.add_typer(payments.app, name="payments")
app.add_typer(sessions.app, name="session")
app.add_typer(usage.app, name="usage")
app.add_typer(money.ledger_app, name="ledger")


def main() -> None:
    """Run the command line. Print each error as a sentence on standard error. Exit status 2: the command is wrong."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # the locale may lack a letter of DATA_DIR's path
    try:
        with _interruptible():
            sys.exit(app(standalone_mode=False))
    except ConfigError as error:
        sys.exit("\n".join(f"{problem.rstrip('.')}." for problem in error.problems))
    except (Refusal, Unavailable) as error:
        sys.exit(one_line(error))
    except typer.TyperException as error:
        typer.echo(_corrected(error), err=True)
        sys.exit(error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except OSError as error:
        sys.exit(f"{one_line(error)}. Check the owner and free space of DATA_DIR.")


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt, which __main__ has turned off, so that a command releases its database."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if before is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, before)


def _corrected(error: typer.TyperException) -> str:
    """Return what is wrong with the command, or its help where it is incomplete."""
    message, context = error.format_message(), getattr(error, "ctx", None)
    if message.startswith("Usage:"):
        return message
    return f"{message.rstrip('.')}. See {context.command_path if context else 'transcription-proxy'} --help."

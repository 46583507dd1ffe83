"""The program `transcription-proxy`: wires its commands. Each group of them has a file of its own."""

import sys

import typer

from transcription_proxy.cli import database, demo, doctor, money, payments, report, serve, sessions, shop, users
from transcription_proxy.cli.tables import one_line
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
app.command("pricing")(shop.pricing_command)
app.command()(report.report)
app.add_typer(users.app, name="user")
app.add_typer(money.credits_app, name="credits")
app.add_typer(payments.app, name="payments")
app.add_typer(sessions.app, name="session")
app.add_typer(money.ledger_app, name="ledger")


def main() -> None:
    """Runs the command line. What goes wrong is said on standard error, one sentence each; 2 is for a wrong command."""
    try:
        sys.exit(app(standalone_mode=False))
    except ConfigError as error:
        sys.exit("\n".join(error.problems))
    except (Refusal, Unavailable) as error:
        sys.exit(one_line(error))
    except typer.TyperException as error:
        typer.echo(_corrected(error), err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        sys.exit(f"{one_line(error)}: check DATA_DIR, whose it is and how much space is left there.")


def _corrected(error: typer.TyperException) -> str:
    """What is wrong with the command, or its help where it was only begun."""
    said, context = error.format_message(), getattr(error, "ctx", None)
    if said.startswith("Usage:"):
        return said
    return f"{said.rstrip('.')}: see {context.command_path if context else 'transcription-proxy'} --help."

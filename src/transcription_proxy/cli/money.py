"""`credits ...` and `ledger ...`: the operator changes balances, and audits the ledger."""

from typing import Annotated

import typer

from transcription_proxy.cli.services import CommandServices, Email, Json, actor, with_services
from transcription_proxy.cli.tables import print_json, print_table
from transcription_proxy.errors import Refusal
from transcription_wire.lengths import length

credits_app = typer.Typer(no_args_is_help=True, help="Adjust balances.")
ledger_app = typer.Typer(no_args_is_help=True, help="Audit the ledger.")


@credits_app.callback()
@ledger_app.callback()
def _group() -> None:
    """Make a group of commands, although each has only one command."""


@credits_app.command(context_settings={"ignore_unknown_options": True})
def grant(
    email: Email,
    seconds: Annotated[int, typer.Argument(help="Negative to take back, at most what is available.")],
    reason: Annotated[str, typer.Option(help="Why. Saved with the entry.")],
    as_json: Json = False,
) -> None:
    """Add credit to an account, or take it back.

    Recorded in the ledger as a manual adjustment.

    \b
    Example:
      transcription-proxy credits grant me@example.com 3600 --reason outage
    """
    if not reason.strip() or not reason.isprintable():
        raise Refusal("no_reason", "Give a reason as one line of text after --reason. It is saved with the entry.")
    if seconds == 0:
        raise Refusal(
            "no_seconds",
            "0 seconds change nothing. Use a positive number to add, a negative one to take back.",
        )
    balance = with_services(lambda services: _grant(services, email, seconds, reason))
    if as_json:
        print_json({"email": email, "seconds_remaining": balance})
    else:
        typer.echo(f"{email} now has {length(balance)}.")


@ledger_app.command()
def audit(as_json: Json = False) -> None:
    """Check every balance against its ledger entries.

    Reads one snapshot of the database. Exit status 1 if something is wrong.

    Example: transcription-proxy ledger audit
    """
    audit = with_services(lambda services: services.audit())
    if as_json:
        print_json(audit.findings)
    else:
        rows = [(finding.severity, finding.check, finding.subject, finding.detail) for finding in audit.findings]
        typer.echo(f"Checked {audit.entries:,} entries.", nl=bool(rows))
        print_table(("", "Check", "Of", "Finding"), rows, " The books are right.")
    if any(finding.severity == "error" for finding in audit.findings):
        raise typer.Exit(1)


async def _grant(services: CommandServices, email: str, seconds: int, reason: str) -> int:
    from transcription_proxy.ledger.entries import Description  # noqa: PLC0415 - with the rest of the ledger

    user = await services.operator.user(email)
    kind = Description.MANUAL_ADJUSTMENT
    return await services.ledger.credit(user.id, seconds, kind, reason=reason.strip(), actor=actor())

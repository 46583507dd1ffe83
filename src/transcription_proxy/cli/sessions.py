"""`session ...`: the operator sees and ends sessions."""

from typing import Annotated
from uuid import UUID

import typer

from transcription_proxy.cli.books import Json, with_books
from transcription_proxy.cli.tables import print_json, print_table
from transcription_proxy.errors import Refusal
from transcription_wire.codes import Reason
from transcription_wire.lengths import length

app = typer.Typer(no_args_is_help=True, help="List and end sessions.")


@app.command("list")
def list_sessions(
    live: Annotated[bool, typer.Option("--live", help="Only live sessions.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many to show.")] = 100,
    as_json: Json = False,
) -> None:
    """List sessions, newest first.

    Example: transcription-proxy session list --live
    """
    rows = with_books(lambda books: books.ledger.sessions(live=live, limit=limit))
    if as_json:
        print_json(rows)
    else:
        cells = [(r.id, r.email, r.started_at, r.model, length(r.seconds_used), r.status, r.reason) for r in rows]
        columns = ("ID", "User", "Started", "Model", "Billed", "Status", "Reason")
        print_table(columns, cells, "No sessions.")


@app.command()
def end(session_id: Annotated[UUID, typer.Argument(metavar="ID")]) -> None:
    """End a live session, with its last words and its receipt.

    \b
    Example:
      transcription-proxy session end 5f0c1b1e-5b1c-4a37-9a3f-0d1f5a4c2e11
    """
    if not with_books(lambda books: books.ledger.mark_ending(session_id, Reason.ENDED_BY_OPERATOR)):
        raise Refusal("not_found", "No live session has this ID. Run session list --live to see them.")
    typer.echo("The session is ending.")

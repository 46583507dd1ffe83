"""`session ...`: the operator lists and ends sessions."""

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from transcription_proxy.cli.services import CommandServices, Json, with_services
from transcription_proxy.cli.tables import print_json, print_table
from transcription_wire.codes import Reason
from transcription_wire.lengths import length

SHORT: Final = 8
"""Characters of an id that a list shows at least."""
LEAST: Final = 4
"""Characters of an id that a command needs at least."""
app = typer.Typer(no_args_is_help=True, help="List and end sessions.")


def _beginning(text: str) -> str:
    if not LEAST <= len(text) <= 36 or set(text.lower()) - set("0123456789abcdef-"):
        raise typer.BadParameter(f"{text!r} is not the id of a session or its first {LEAST} or more characters.")
    return text.lower()


@app.command("list")
def list_sessions(
    live: Annotated[bool, typer.Option("--live", help="Only live sessions.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many to show.")] = 100,
    as_json: Json = False,
) -> None:
    """List sessions, newest first.

    Example: transcription-proxy session list --live
    """
    rows = with_services(lambda services: services.ledger.sessions(live=live, limit=limit))
    if as_json:
        print_json(rows)
    else:
        ids = short_ids([str(row.id) for row in rows])
        cells = [
            (short, r.email, r.started_at, r.engine, length(r.seconds_used), r.status, r.reason)
            for short, r in zip(ids, rows, strict=True)
        ]
        columns = ("ID", "User", "Started", "Engine", "Billed", "Status", "Reason")
        print_table(columns, cells, "No sessions.")


@app.command()
def end(
    session_id: Annotated[
        str, typer.Argument(metavar="ID", parser=_beginning, help="The session's id, or how it begins.")
    ],
) -> None:
    """End a live session, with its last words and its receipt.

    \b
    Example:
      transcription-proxy session end 5f0c1b1e
    """
    with_services(lambda services: _end(services, session_id))
    typer.echo("The session is ending.")


async def _end(services: CommandServices, prefix: str) -> None:
    """Mark a session to end. One that ends by itself meanwhile is not an error."""
    session_id, user_id = await services.ledger.live_session(prefix)
    await services.ledger.mark_ending(session_id, user_id, Reason.ENDED_BY_OPERATOR)


def short_ids(ids: Sequence[str]) -> list[str]:
    """Return the beginning of each id: as many characters as tell all ids apart, at least SHORT."""
    size = next(size for size in range(SHORT, 37) if len({one[:size] for one in ids}) == len(set(ids)))
    return [one[:size] for one in ids]

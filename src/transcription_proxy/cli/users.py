"""`user ...`: the operator lists, shows, blocks and creates accounts."""

from typing import Annotated, Any

import typer

from transcription_proxy.cli.services import CommandServices, Email, Json, actor, with_services
from transcription_proxy.cli.tables import print_json, print_table
from transcription_proxy.config import load
from transcription_proxy.errors import Refusal
from transcription_proxy.process.address import site
from transcription_wire.lengths import length

app = typer.Typer(no_args_is_help=True, help="Manage accounts.")
MAX_LIVE_ROWS = 1000
"""Live sessions that `show` lists."""


@app.command("list")
def list_users(
    limit: Annotated[int, typer.Option(min=1, help="How many to show.")] = 100, as_json: Json = False
) -> None:
    """List accounts, newest first.

    Example: transcription-proxy user list --limit 20
    """
    users = with_services(lambda services: services.operator.users(limit))
    if as_json:
        print_json(users)
    else:
        rows = [
            (u.email, u.created_at, length(u.seconds_remaining), u.live_sessions, "blocked" if u.blocked else "active")
            for u in users
        ]
        print_table(("Email", "Created", "Balance", "Live", "State"), rows, "No accounts yet.")


@app.command()
def show(email: Email, as_json: Json = False) -> None:
    """Show an account, its balance and its live sessions.

    Example: transcription-proxy user show me@example.com --json
    """
    shown = with_services(lambda services: _shown(services, email))
    if as_json:
        print_json(shown)
    else:
        print_table(("", ""), _rows(shown), "")


@app.command()
def block(email: Email) -> None:
    """Block an account and end its live sessions.

    Example: transcription-proxy user block me@example.com
    """
    ending = with_services(lambda services: services.operator.block(email))
    typer.echo(f"{email} is blocked. {ending} live sessions are ending.")


@app.command()
def unblock(email: Email) -> None:
    """Unblock an account.

    Example: transcription-proxy user unblock me@example.com
    """
    with_services(lambda services: services.operator.unblock(email))
    typer.echo(f"{email} is unblocked.")


@app.command("reset-link")
def reset_link(email: Email, as_json: Json = False) -> None:
    """Print a password reset link to pass on.

    It works once and expires in an hour. Earlier links stop working.

    Example: transcription-proxy user reset-link me@example.com
    """
    url, guessed = site(load())
    link = with_services(lambda services: services.operator.reset_link(email, url))
    if as_json:
        print_json({"email": email, "link": link})
    else:
        typer.echo(link)
    if guessed:
        typer.echo(f"{url} is a guess, because no service runs with this DATA_DIR and PUBLIC_URL isn't set.", err=True)


@app.command("create-many")
def create_many(
    count: Annotated[int, typer.Argument(min=1, max=100_000)],
    seconds: Annotated[int, typer.Option(min=0, help="Credit for each account.")],
    as_json: Json = False,
) -> None:
    """Create throwaway accounts for load tests. Not in production.

    Example: transcription-proxy user create-many 1000 --seconds 3600 --json
    """
    if load().production:
        raise Refusal("production", "Throwaway accounts can't be created in production. Register real ones over HTTP.")
    made = with_services(lambda services: _create_many(services, count, seconds))
    if as_json:
        print_json([{"email": email, "token": token} for email, token in made])
    else:
        typer.echo(f"Created {len(made)} accounts. Use --json to print their tokens.")


async def _shown(services: CommandServices, email: str) -> dict[str, Any]:
    user = await services.operator.user(email)
    balance = await services.ledger.balance(user.id)
    live = await services.ledger.sessions(user.id, live=True, limit=MAX_LIVE_ROWS)
    return {
        "id": user.id,
        "email": user.email,
        "created_at": user.created_at,
        "blocked": user.blocked_at is not None,
        "seconds_remaining": balance.seconds_remaining,
        "seconds_held": balance.seconds_held,
        "seconds_frozen": balance.seconds_frozen,
        "live_sessions": live,
    }


async def _create_many(services: CommandServices, count: int, seconds: int) -> list[tuple[str, str]]:
    settings = services.settings
    return await services.operator.create_many(
        count, seconds, secret=settings.jwt_secret, expiry=settings.jwt_expiry, actor=actor()
    )


def _rows(shown: dict[str, Any]) -> list[tuple[str, object]]:
    """Return the shown account as rows for people, with lengths and words in place of seconds and booleans."""
    return [
        ("ID", shown["id"]),
        ("Email", shown["email"]),
        ("Created", shown["created_at"]),
        ("State", "blocked" if shown["blocked"] else "active"),
        ("Balance", length(shown["seconds_remaining"])),
        ("Reserved", length(shown["seconds_held"])),
        ("Frozen", length(shown["seconds_frozen"])),
        ("Live sessions", ", ".join(str(row.id) for row in shown["live_sessions"]) or "none"),
    ]

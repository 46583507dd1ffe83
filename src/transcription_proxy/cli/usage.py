"""`usage reconcile`: compares our sessions with the speech engine's own report of its requests."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

import typer

from transcription_proxy.cli.payments import since
from transcription_proxy.cli.services import CommandServices, Json, with_services
from transcription_proxy.cli.tables import print_json, print_table
from transcription_proxy.config import Settings, load
from transcription_proxy.errors import Unavailable
from transcription_proxy.logs import configure_logging

if TYPE_CHECKING:
    from transcription_proxy.usage.compare import Comparison, Difference
    from transcription_proxy.usage.gateway import ReportFailed

app = typer.Typer(no_args_is_help=True, help="Compare usage with Deepgram.")
KEPT: Final = timedelta(days=90)
WORDS: Final = {
    "duration": "different length",
    "unknown_upstream": "missing in Deepgram's report",
    "not_recorded": "missing in our session",
    "unknown_here": "no such session here",
}


@app.callback()
def _group() -> None:
    """Keep `usage` a group, although it has one command."""


@app.command()
def reconcile(
    look_back: Annotated[str, typer.Option("--since", metavar="TIME", help="How far back: 12h, 7d, 2w.")] = "7d",
    as_json: Json = False,
) -> None:
    """Compare sessions with Deepgram's usage report.

    Changes nothing. The key needs the scopes project:read and usage:read. Exit status 1 if there is a difference.

    Example: transcription-proxy usage reconcile --since 7d
    """
    now = datetime.now(UTC)
    start = now - _since(look_back)
    if load().builtin_engine:
        raise Unavailable("The built-in engine has no usage report. Set DEEPGRAM_API_KEY to compare with Deepgram's.")
    found = with_services(lambda services: _compared(services, start, now))
    if as_json:
        print_json(_plain(found, start, now))
    else:
        _print(found, start)
    if found.differences:
        raise typer.Exit(1)


def _since(text: str) -> timedelta:
    look_back = since(text)
    if look_back > KEPT:
        raise typer.BadParameter(f"Deepgram keeps its report for {KEPT.days} days: use {KEPT.days}d or less")
    return look_back


async def _compared(services: CommandServices, start: datetime, now: datetime) -> "Comparison":
    from transcription_proxy.usage.gateway import NoReport, ReportFailed, UsageReport  # noqa: PLC0415 - slow to import
    from transcription_proxy.usage.reconcile import reconcile as compared  # noqa: PLC0415

    configure_logging("critical")  # the command's output says what failed
    settings = services.settings
    base = (settings.deepgram_url or "").replace("ws", "http", 1)
    try:
        report = UsageReport(base, settings.deepgram_api_key, proxy=settings.deepgram_proxy)
        try:
            return await compared(services.database, report, start, now)
        finally:
            await report.close()
    except NoReport:
        raise Unavailable(f"{_place(settings)} has no usage report to compare with. Deepgram has one.") from None
    except ReportFailed as error:
        raise Unavailable(_failure(settings, error)) from None


def _failure(settings: Settings, error: "ReportFailed") -> str:
    where = _place(settings)
    match error.status:
        case 401:
            return f"{where} rejected DEEPGRAM_API_KEY. Check the key."
        case 403:
            return (
                "DEEPGRAM_API_KEY isn't allowed to read usage. Create a key with the scopes project:read and "
                "usage:read, and set it as DEEPGRAM_API_KEY for this command."
            )
        case 429:
            return f"{where} allows no more requests right now. Try again in a few minutes."
        case None if error.detail == "SOCKS proxy":
            return "The usage report can't be read through a SOCKS proxy. Unset DEEPGRAM_PROXY for this command."
        case None:
            return f"{where} didn't respond ({error.detail}). Check DEEPGRAM_URL and the network."
        case status:
            said = f"{status} {error.detail}".strip()
            return f"{where} answered {said} when asked for its usage report. Try again later."


def _place(settings: Settings) -> str:
    return urlsplit(settings.deepgram_url or "").netloc


def _print(found: "Comparison", start: datetime) -> None:
    rows = [_row(one) for one in found.differences]
    print_table(
        ("Session", "Request", "Difference", "Here", "Deepgram"), rows, "No differences with Deepgram's usage report."
    )
    pending = f" {found.pending} ended too recently to be in the report." if found.pending else ""
    typer.echo(
        f"Compared {found.requests} requests and {found.sessions} sessions since {start:%Y-%m-%d %H:%M} UTC: "
        f"{_seconds(found.upstream_ms)} at Deepgram, {_seconds(found.sent_ms)} sent, "
        f"{_seconds(found.billed_ms)} billed.{pending}"
    )


def _row(one: "Difference") -> tuple[object, ...]:
    return one.session_id, one.request_id, WORDS[one.kind], _seconds(one.here_ms), _seconds(one.upstream_ms)


def _seconds(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else f"{milliseconds / 1000:.3f} s"


def _plain(found: "Comparison", start: datetime, now: datetime) -> dict[str, Any]:
    return {
        "since": start,
        "until": now,
        "sessions": found.sessions,
        "requests": found.requests,
        "pending": found.pending,
        "upstream_seconds": found.upstream_ms / 1000,
        "sent_seconds": found.sent_ms / 1000,
        "billed_seconds": found.billed_ms / 1000,
        "differences": [
            {
                "kind": one.kind,
                "session_id": one.session_id,
                "request_id": one.request_id,
                "here_seconds": None if one.here_ms is None else one.here_ms / 1000,
                "upstream_seconds": None if one.upstream_ms is None else one.upstream_ms / 1000,
            }
            for one in found.differences
        ],
    }

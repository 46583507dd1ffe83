"""`report`: sales, usage, costs, and the credit that users still have."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from transcription_proxy import offer
from transcription_proxy.cli.payments import since
from transcription_proxy.cli.services import CommandServices, Json, with_services
from transcription_proxy.cli.tables import print_json, print_table
from transcription_proxy.payments.pricing import dollars
from transcription_wire.lengths import exactly, length

if TYPE_CHECKING:
    from transcription_proxy.payments.report.figures import Report, Sold, Used

SOLD: Final = ("Package", "Sold", "Paid", "Length", "Taken back", "Refunded", "Lost", "Disputed")
USED: Final = ("Model", "Sessions", "Billed", "Audio", "Engine cost")


def report(
    look_back: Annotated[str, typer.Option("--since", metavar="TIME", help="How far back: 12h, 30d, 4w.")] = "30d",
    as_json: Json = False,
) -> None:
    """Show sales, usage, costs and outstanding balances.

    Example: transcription-proxy report --since 30d
    """
    start = datetime.now(UTC) - since(look_back)
    found = with_services(lambda services: _read(services, start))
    if as_json:
        print_json(_plain(found))
    else:
        _print(found)


async def _read(services: CommandServices, start: datetime) -> "Report":
    from transcription_proxy.payments.report import store  # noqa: PLC0415 - `serve` must start without psycopg

    return await store.report(services.database, offer.load(services.settings, builtin_engine=False).rates, start)


def _print(found: "Report") -> None:
    typer.echo(f"From {found.since:%Y-%m-%d %H:%M} to {found.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC\n")
    print_table(SOLD, [_sold(one) for one in found.sold], "Nothing sold.")
    typer.echo()
    print_table(USED, [_used(one) for one in found.used], "Nothing used.")
    typer.echo()
    print_table(("", ""), _sums(found), "")
    for sentence in _remarks(found):
        typer.echo(sentence)


def _sold(one: "Sold") -> tuple[object, ...]:
    money = (one.cents, one.refunded_cents, one.lost_cents, one.disputed_cents)
    paid, *rest = (_money(cents, one.currency) for cents in money)
    return (one.label, one.count, paid, length(one.seconds), length(one.seconds_taken), *rest)


def _used(one: "Used") -> tuple[object, ...]:
    return (one.name, one.sessions, length(one.seconds), exactly(float(one.audio_seconds)), dollars(one.cost))


def _sums(found: "Report") -> list[tuple[str, str]]:
    standing = found.standing
    reserved = f"{length(standing.held)} reserved, {length(standing.frozen)} frozen"
    outstanding = f"{length(standing.outstanding)} ({reserved})"
    money: dict[str, int | Decimal] = {
        "paid": found.cents,
        "refunded": -found.refunded,
        "lost to disputes": -found.lost,
        "Stripe's fees": -found.fees,
        "engine": -found.engine,
        "margin": found.margin,
    }
    return [
        *((name, dollars(Decimal(cents))) for name, cents in money.items()),
        ("trials and manual credits", length(found.given)),
        ("outstanding now", outstanding),
        ("owed now", f"{length(standing.owed)} by {standing.debtors} accounts"),
    ]


def _remarks(found: "Report") -> list[str]:
    remarks = []
    if len(found.counted) < len(found.sold):
        remarks.append("Payments in other currencies than US dollars are not included in the totals.")
    if found.unpriced:
        remarks.append(
            f"{exactly(float(found.unpriced))} of audio are older than cost tracking, so the engine cost was higher."
        )
    return remarks


def _money(cents: int, currency: str) -> str:
    return dollars(Decimal(cents)) if currency == "usd" else f"{cents} {currency}"


def _plain(found: "Report") -> dict[str, Any]:
    """Return the report for JSON. Amounts in cents are floats only here."""
    standing = found.standing
    return {
        "since": found.since,
        "until": found.until,
        "sold": {
            "count": sum(one.count for one in found.sold),
            "cents": found.cents,
            "seconds": sum(one.seconds for one in found.sold),
            "by_package": found.sold,
        },
        "refunded_cents": found.refunded,
        "lost_cents": found.lost,
        "disputed_cents": found.disputed,
        "used": {
            "sessions": sum(one.sessions for one in found.used),
            "seconds": sum(one.seconds for one in found.used),
            "audio_seconds": float(sum(one.audio_seconds for one in found.used)),
            "by_model": [_plain_use(one) for one in found.used],
        },
        "engine_cost_cents": float(round(found.engine, 4)),
        "stripe_fee_cents": float(round(found.fees, 2)),
        "margin_cents": float(round(found.margin, 2)),
        "seconds_given": found.given,
        "seconds_outstanding": standing.outstanding,
        "seconds_held": standing.held,
        "seconds_frozen": standing.frozen,
        "seconds_owed": standing.owed,
        "debtors": standing.debtors,
        "unpriced_audio_seconds": float(found.unpriced),
    }


def _plain_use(one: "Used") -> dict[str, Any]:
    return {
        "engine": one.name,
        "model": one.model,
        "sessions": one.sessions,
        "seconds": one.seconds,
        "audio_seconds": float(one.audio_seconds),
        "engine_cost_cents": float(round(one.cost, 4)),
    }

"""`payments ...`: lists events that match no purchase, and compares our payments with Stripe's."""

import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from transcription_proxy import offer, sentences
from transcription_proxy.cli.services import CommandServices, Json, with_services
from transcription_proxy.cli.tables import print_json, print_table
from transcription_proxy.config import Settings
from transcription_proxy.errors import Unavailable
from transcription_proxy.logs import configure_logging
from transcription_proxy.payments import sandboxed

if TYPE_CHECKING:
    from transcription_proxy.payments.reconcile import Difference, Reconciler
    from transcription_proxy.payments.service import Payments

app = typer.Typer(no_args_is_help=True, help="Compare payments with Stripe.")
UNITS: Final = {"h": "hours", "d": "days", "w": "weeks"}


def since(text: str) -> timedelta:
    """Read a time such as 7d, 12h or 2w. Raise typer.BadParameter."""
    match = re.fullmatch(r"([1-9]\d{0,3})([hdw])", text)
    if match is None:
        raise typer.BadParameter("use a time such as 12h, 7d or 2w")
    return timedelta(**{UNITS[match[2]]: int(match[1])})


@app.command()
def unmatched(as_json: Json = False) -> None:
    """List Stripe events that match no purchase, oldest first.

    Example: transcription-proxy payments unmatched
    """
    events = with_services(lambda services: opened(services)[0].unmatched())
    if as_json:
        print_json([{name: value for name, value in asdict(one).items() if name != "body"} for one in events])
    else:
        rows = [(one.received_at, one.type, one.id, one.object_id, one.why) for one in events]
        print_table(("Received", "Type", "Event", "Of", "Why"), rows, "All events are matched to a purchase.")


@app.command()
def reconcile(
    look_back: Annotated[str, typer.Option("--since", metavar="TIME", help="How far back: 12h, 7d, 2w.")] = "7d",
    fix: Annotated[bool, typer.Option("--fix", help="Add what is missing.")] = False,
    as_json: Json = False,
) -> None:
    """Compare checkouts, refunds and disputes with Stripe.

    Exit status 1 if a difference remains.

    Example: transcription-proxy payments reconcile --since 7d --fix
    """
    start = datetime.now(UTC) - since(look_back)
    found = with_services(lambda services: _reconciled(services, start, fix))
    if as_json:
        print_json(found)
    else:
        rows = [(one.subject, one.detail, "added" if one.fixed else one.why_not or "not added") for one in found]
        print_table(("Of", "Difference", ""), rows, "No differences with Stripe.")
    if not all(one.fixed for one in found):
        raise typer.Exit(1)


async def _reconciled(services: CommandServices, start: datetime, fix: bool) -> "list[Difference]":
    from transcription_proxy.payments.gateway import StripeAway  # noqa: PLC0415

    configure_logging("critical")  # the command's output says what was done and what failed
    try:
        _, reconciler = opened(services)
        return await reconciler.run(start, fix=fix)
    except StripeAway as error:
        raise Unavailable(_away(services.settings, error)) from None


def _away(settings: Settings, why: Exception) -> str:
    if settings.sandbox:
        return sentences.NO_SANDBOX
    return f"Stripe didn't respond, or rejected the key ({why}). Check STRIPE_SECRET_KEY and the network."


def opened(services: CommandServices) -> "tuple[Payments, Reconciler]":
    """Return the services of payments, for one command."""
    from transcription_proxy.payments.gateway import Gateway  # noqa: PLC0415 - slow to import
    from transcription_proxy.payments.reconcile import Reconciler  # noqa: PLC0415
    from transcription_proxy.payments.service import Payments  # noqa: PLC0415

    settings = services.settings
    stripe = sandboxed.address(
        settings.data_dir, settings.stripe_secret_key, settings.stripe_api_base, settings.stripe_proxy
    )
    gateway = Gateway(stripe, settings.public_url)
    packages = offer.load(settings, builtin_engine=settings.builtin_engine).packages
    payments = Payments(services.database, gateway, packages, secrets=())
    return payments, Reconciler(services.database, gateway, payments)

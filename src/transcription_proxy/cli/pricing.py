"""`pricing`: the margin of each package after engine and Stripe, and the prices for a wanted margin."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import typer

from transcription_proxy import offer
from transcription_proxy.cli.services import Json
from transcription_proxy.cli.tables import print_json, print_table
from transcription_proxy.config import Settings, environment, load
from transcription_proxy.errors import Refusal
from transcription_proxy.offer import Offer
from transcription_proxy.payments import pricing
from transcription_proxy.payments.packages import Package
from transcription_proxy.payments.pricing import Sale, dollars
from transcription_wire.lengths import length


def pricing_command(
    suggest: Annotated[
        str | None,
        typer.Option(metavar="PERCENT", help="Print a PACKAGES_FILE with at least this margin. Prices end in .99."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the cost and margin of each package.

    Uses the rates file. Needs no database and no running service.

    Example: transcription-proxy pricing --suggest 30% > packages.toml
    """
    settings = _settings()
    found = offer.load(settings, builtin_engine=False)
    old = offer.outdated(settings, found.rates, datetime.now(UTC).date())
    if old is not None:
        typer.echo(f"Warning: {old}.", err=True)
    if suggest is None:
        sales = [pricing.sale(package, found.rates) for package in found.packages]
        _print_json(sales, found) if as_json else _print(sales, found, settings)
        return
    percent = _percent(suggest)
    packages = _suggested(found, percent)
    if as_json:
        _print_json([pricing.sale(package, found.rates) for package in packages], found)
    else:
        typer.echo(
            f"# A margin of at least {percent:f}%, calculated by transcription-proxy pricing. Prices end in .99."
        )
        typer.echo(pricing.as_toml(packages), nl=False)


def _settings() -> Settings:
    """Load the settings as for development. What production requires has nothing to do with prices."""
    return load({**environment(), "APP_ENV": "development", "JWT_SECRET": "not used", "JWT_SECRET_FILE": ""})


def _percent(text: str) -> Decimal:
    try:
        percent = Decimal(text.strip().removesuffix("%").strip())
    except InvalidOperation:
        percent = Decimal("nan")
    if percent.is_finite() and abs(percent) <= 1000 and percent == round(percent, 2):
        return percent
    raise Refusal("invalid_percent", "--suggest needs a percentage such as 30%.")


def _suggested(found: Offer, percent: Decimal) -> list[Package]:
    try:
        return pricing.suggest(found.packages, found.rates, percent)
    except ValueError as error:
        raise Refusal("invalid_percent", str(error)) from error


def _print(sales: Sequence[Sale], found: Offer, settings: Settings) -> None:
    columns = ("Package", "Minutes", "Price", "Engine", "Stripe", "Margin", "", "Break-even", "")
    print_table(columns, [_row(sale) for sale in sales], "")
    typer.echo()
    typer.echo(_topups(found))
    if any(sale.loses for sale in sales):
        typer.echo("The service won't start in production with packages that lose money. Try pricing --suggest 30%.")
    if found.rates.date:
        typer.echo(f"The engine's prices are from {found.rates.date}.")
    if settings.builtin_engine:
        typer.echo("The built-in engine, used here, costs nothing. These figures are from the rates file.")


def _row(sale: Sale) -> tuple[object, ...]:
    package = sale.package
    return (
        package.id,
        package.seconds // 60,
        dollars(Decimal(package.price_cents)),
        dollars(sale.engine),
        dollars(sale.fee),
        dollars(sale.margin),
        f"{round(sale.margin_percent)}%",
        dollars(Decimal(sale.break_even)),
        "LOSES MONEY" if sale.loses else "",
    )


def _topups(found: Offer) -> str:
    """Return a line about top-ups: what a dollar buys, what that costs, and how it compares with the packages."""
    sale = pricing.sale(pricing.topup(found.credits_per_dollar), found.rates)
    state = "enabled" if found.topups else "disabled; set TOPUPS=true"
    loses = ", which LOSES MONEY" if sale.loses else ""
    return (
        f"Top-ups ({state}): $1 buys {length(found.credits_per_dollar)}. The engine costs {dollars(sale.engine)} "
        f"of it and Stripe {dollars(sale.fee)}{loses}. {_compared(found)}"
    )


def _compared(found: Offer) -> str:
    """Compare the price of a top-up with the package that is most expensive by the second."""
    ratio, package = pricing.dearness(found.credits_per_dollar, found.packages)
    if ratio == 1:
        return f"That is the price of {package.id}."
    times = f"{round(max(ratio, 1 / ratio), 1).normalize():f} times"
    return f"That is {times} {'more expensive' if ratio > 1 else 'cheaper'} than {package.id}."


def _print_json(sales: Sequence[Sale], found: Offer) -> None:
    topup = pricing.sale(pricing.topup(found.credits_per_dollar), found.rates)
    ratio, package = pricing.dearness(found.credits_per_dollar, found.packages)
    print_json(
        {
            "rates_date": found.rates.date,
            "rates_age_days": found.rates.age_days(datetime.now(UTC).date()),
            "packages": [_plain(sale) for sale in sales],
            "topups": {
                "sold": found.topups,
                "credits_per_dollar": found.credits_per_dollar,
                **_figures(topup),
                "times_as_dear": float(round(ratio, 3)),
                "as_package": package.id,
            },
        }
    )


def _plain(sale: Sale) -> dict[str, Any]:
    package = sale.package
    return {
        "id": package.id,
        "label": package.label,
        "seconds": package.seconds,
        "currency": package.currency,
        "price_cents": package.price_cents,
        **_figures(sale),
        "margin_percent": float(round(sale.margin_percent, 2)),
        "break_even_cents": sale.break_even,
    }


def _figures(sale: Sale) -> dict[str, Any]:
    """Return a sale's figures in cents, to the hundredth. They are floats only here, for JSON."""
    return {
        "engine_cents": float(round(sale.engine, 2)),
        "fee_cents": float(round(sale.fee, 2)),
        "margin_cents": float(round(sale.margin, 2)),
        "loses": sale.loses,
    }

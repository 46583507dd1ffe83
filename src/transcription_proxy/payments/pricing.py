"""What a package leaves once the engine and Stripe are paid (money 33). Money is decimal US cents, never a float."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal
from typing import Final

from transcription_proxy.metering.meter import MICRO
from transcription_proxy.metering.rates import Rates
from transcription_proxy.payments.packages import LEAST_CENTS, MOST_CENTS, Package
from transcription_wire.lengths import length

HUNDRED: Final = Decimal(100)
TOPUP: Final = "topup"
"""The id of a purchase of a free amount."""


@dataclass(frozen=True, slots=True)
class Sale:
    """One package sold and used up, in cents. `break_even`: the lowest price that loses nothing."""

    package: Package
    engine: Decimal
    fee: Decimal
    break_even: int

    @property
    def margin(self) -> Decimal:
        return self.package.price_cents - self.engine - self.fee

    @property
    def margin_percent(self) -> Decimal:
        """Of the price."""
        return self.margin * HUNDRED / self.package.price_cents

    @property
    def loses(self) -> bool:
        return self.margin < 0


def topup(credits_per_dollar: int) -> Package:
    """The smallest free amount, a dollar, as a package: none leaves less of it, for Stripe takes most of it."""
    return Package(TOPUP, f"{credits_per_dollar} seconds", credits_per_dollar, 100)


def dearness(credits_per_dollar: int, packages: Sequence[Package]) -> tuple[Decimal, Package]:
    """How many times as dear a second of a top-up is as one of the package that is dearest by the second."""
    package = max(packages, key=lambda package: Decimal(package.price_cents) / package.seconds)
    return HUNDRED * package.seconds / (credits_per_dollar * package.price_cents), package


def sale(package: Package, rates: Rates) -> Sale:
    """Reckoned at the dearest base model on offer, and one use of Stripe."""
    engine = package.seconds * _cents_a_credit(rates)
    fee = package.price_cents * rates.stripe_fee_percent / HUNDRED + rates.stripe_fee_cents
    return Sale(package, engine, fee, _price(engine, rates, Decimal(0)))


def suggest(packages: Iterable[Package], rates: Rates, percent: Decimal) -> list[Package]:
    """The same packages at the lowest price ending in .99 that leaves this margin, else ValueError."""
    share = percent / HUNDRED
    if not 0 <= share < 1 - rates.stripe_fee_percent / HUNDRED:
        most = HUNDRED - rates.stripe_fee_percent
        raise ValueError(f"The margin must be at least 0% and under {most}%, which is what Stripe leaves.")
    found = [replace(package, price_cents=_least(package, rates, share)) for package in packages]
    dearest = max(found, key=lambda package: package.price_cents)
    if dearest.price_cents > MOST_CENTS:
        price = dollars(Decimal(dearest.price_cents))
        raise ValueError(f"The package {dearest.id} would have to cost {price}, over Stripe's limit for one charge.")
    return found


def losses(packages: Sequence[Package], rates: Rates) -> list[str]:
    """A sentence for each package, or top-up, that sells below its cost."""
    sales = [sale(package, rates) for package in packages]
    return [
        f"{_named(each.package)} sells for {dollars(Decimal(each.package.price_cents))} and costs "
        f"{dollars(each.engine + each.fee)}: {_cure(each)}"
        for each in sales
        if each.loses
    ]


def as_toml(packages: Iterable[Package]) -> str:
    """A PACKAGES_FILE."""
    return "\n".join(
        f'[[package]]\nid = "{package.id}"\nlabel = {_quoted(package.label)}\n'
        f"seconds = {package.seconds}\nprice_cents = {package.price_cents}\n"
        for package in packages
    )


def dollars(cents: Decimal) -> str:
    """To the cent, as it is written: $3.00, -$0.39."""
    rounded = round(cents / HUNDRED, 2)
    return f"-${-rounded}" if rounded < 0 else f"${rounded}"


def _named(package: Package) -> str:
    return f"a top-up of {length(package.seconds)}" if package.id == TOPUP else f"the package {package.id}"


def _cure(sale: Sale) -> str:
    if sale.package.id == TOPUP:
        return "lower CREDITS_PER_DOLLAR"
    return f"break-even is {dollars(Decimal(sale.break_even))}"


def _least(package: Package, rates: Rates, share: Decimal) -> int:
    """Cents that end in 99, of which `share` is left, and no less than Stripe charges."""
    least = max(LEAST_CENTS, _price(package.seconds * _cents_a_credit(rates), rates, share))
    return least + 99 - least % 100


def _cents_a_credit(rates: Rates) -> Decimal:
    """What the engine takes for a credit's worth of audio, at the model where that is most."""
    models = [rates.flat] if rates.flat is not None else list(rates.models.values())
    return max(rate.cost * HUNDRED / 60 * MICRO / rate.micro for rate in models)


def _price(engine: Decimal, rates: Rates, share: Decimal) -> int:
    """Whole cents, rounded up, of which `share` is left."""
    left = 1 - rates.stripe_fee_percent / HUNDRED - share
    return int(((engine + rates.stripe_fee_cents) / left).to_integral_value(ROUND_CEILING))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

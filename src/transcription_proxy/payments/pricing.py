"""The margin of a package after the costs of engine and Stripe (money 33). Money is decimal US cents, never a float."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal
from typing import Final

from transcription_proxy.metering.credits import MICRO
from transcription_proxy.metering.rates import Rates
from transcription_proxy.payments.packages import LEAST_CENTS, MOST_CENTS, Package
from transcription_wire.lengths import length

HUNDRED: Final = Decimal(100)
TOPUP: Final = "topup"
"""The `package_id` of a top-up, a purchase of any amount."""


@dataclass(frozen=True, slots=True)
class Sale:
    """One package, sold and used up. `engine`, `fee`: costs in cents. `break_even`: the lowest price without a loss."""

    package: Package
    engine: Decimal
    fee: Decimal
    break_even: int

    @property
    def margin(self) -> Decimal:
        return self.package.price_cents - self.engine - self.fee

    @property
    def margin_percent(self) -> Decimal:
        """The margin in percent of the price."""
        return self.margin * HUNDRED / self.package.price_cents

    @property
    def loses(self) -> bool:
        return self.margin < 0


def topup(credits_per_dollar: int) -> Package:
    """Return the smallest top-up, one dollar, as a package. Stripe's fixed fee makes its margin the lowest of all."""
    return Package(TOPUP, f"{credits_per_dollar} seconds", credits_per_dollar, 100)


def dearness(credits_per_dollar: int, packages: Sequence[Package]) -> tuple[Decimal, Package]:
    """Return the price of a top-up's second as a multiple of the most expensive package's, and that package."""
    package = max(packages, key=lambda package: Decimal(package.price_cents) / package.seconds)
    return HUNDRED * package.seconds / (credits_per_dollar * package.price_cents), package


def sale(package: Package, rates: Rates) -> Sale:
    """Return a package's costs, at the most expensive base model on offer and one charge at Stripe."""
    engine = package.seconds * _cents_a_credit(rates)
    fee = package.price_cents * rates.stripe_fee_percent / HUNDRED + rates.stripe_fee_cents
    return Sale(package, engine, fee, _price(engine, rates, Decimal(0)))


def suggest(packages: Iterable[Package], rates: Rates, percent: Decimal) -> list[Package]:
    """Return the packages at the lowest prices ending in .99 that leave a margin of `percent`. Raise ValueError where
    none does."""
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
    """Return a sentence for each package, or top-up, that sells below its cost."""
    sales = [sale(package, rates) for package in packages]
    return [
        f"{_named(each.package)} sells for {dollars(Decimal(each.package.price_cents))} and costs "
        f"{dollars(each.engine + each.fee)}: {_cure(each)}"
        for each in sales
        if each.loses
    ]


def as_toml(packages: Iterable[Package]) -> str:
    """Return packages as the text of a PACKAGES_FILE."""
    return "\n".join(
        f'[[package]]\nid = "{package.id}"\nlabel = {_quoted(package.label)}\n'
        f"seconds = {package.seconds}\nprice_cents = {package.price_cents}\n"
        for package in packages
    )


def dollars(cents: Decimal) -> str:
    """Format an amount to the cent: $3.00, -$0.39."""
    rounded = round(cents / HUNDRED, 2)
    return f"-${-rounded}" if rounded < 0 else f"${rounded}"


def _named(package: Package) -> str:
    return f"a top-up of {length(package.seconds)}" if package.id == TOPUP else f"the package {package.id}"


def _cure(sale: Sale) -> str:
    if sale.package.id == TOPUP:
        return "lower CREDITS_PER_DOLLAR"
    return f"break-even is {dollars(Decimal(sale.break_even))}"


def _least(package: Package, rates: Rates, share: Decimal) -> int:
    """Return the lowest price in cents ending in 99 that leaves `share` of it, and that Stripe accepts."""
    least = max(LEAST_CENTS, _price(package.seconds * _cents_a_credit(rates), rates, share))
    return least + 99 - least % 100


def _cents_a_credit(rates: Rates) -> Decimal:
    """Return the engine's cost of one credit's worth of audio, at the model where that is highest."""
    models = [rates.flat] if rates.flat is not None else list(rates.models.values())
    return max(rate.cost * HUNDRED / 60 * MICRO / rate.micro for rate in models)


def _price(engine: Decimal, rates: Rates, share: Decimal) -> int:
    """Return the price in cents, rounded up, that covers `engine` and Stripe and leaves `share` of itself."""
    left = 1 - rates.stripe_fee_percent / HUNDRED - share
    return int(((engine + rates.stripe_fee_cents) / left).to_integral_value(ROUND_CEILING))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

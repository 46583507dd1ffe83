"""The rates and packages that the settings name, read together, and whether anything sells below its cost.

It imports little, so that `serve` can check prices before it starts anything."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, TypeVar

from transcription_proxy.config import Settings
from transcription_proxy.errors import ConfigError
from transcription_proxy.metering import rates
from transcription_proxy.metering.rates import Rates
from transcription_proxy.payments import packages, pricing
from transcription_proxy.payments.packages import Package

T = TypeVar("T")
MAX_AGE_DAYS: Final = 90
"""Prices that are older may have changed."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What is for sale, and what it costs. `credits_per_dollar`: what a dollar buys as a top-up, if `topups` is on."""

    rates: Rates
    packages: tuple[Package, ...]
    credits_per_dollar: int
    topups: bool

    def losses(self) -> list[str]:
        """Return a sentence for each package or top-up that sells below its cost."""
        for_sale = [*self.packages, pricing.topup(self.credits_per_dollar)] if self.topups else self.packages
        return pricing.losses(for_sale, self.rates)


def load(settings: Settings, *, builtin_engine: bool) -> Offer:
    """Read the rates and packages. Raise ConfigError with every mistake in both files."""
    problems: list[str] = []
    table = _parsed(
        "RATES_FILE", settings.rates_file, lambda text: rates.load(text, builtin_engine=builtin_engine), problems
    )
    for_sale = _parsed("PACKAGES_FILE", settings.packages_file, packages.load, problems)
    if table is None or for_sale is None:
        raise ConfigError(problems)
    return Offer(table, for_sale, settings.credits_per_dollar, settings.topups)


def problems(settings: Settings) -> list[str]:
    """Return why the service cannot start with these files: mistakes, and in production what sells at a loss."""
    try:
        losses = _losses(settings)
    except ConfigError as error:
        return error.problems
    if not settings.production:
        return []
    return [f"{loss}, or set ALLOW_LOSS_MAKING_PACKAGES=true" for loss in losses]


def warnings(settings: Settings, today: date) -> list[str]:
    """Return a sentence for everything that sells at a loss, unless that is allowed, and one for old prices.

    Raise ConfigError."""
    old = None if settings.builtin_engine else outdated(settings, load(settings, builtin_engine=False).rates, today)
    return _losses(settings) + ([old] if old else [])


def outdated(settings: Settings, rates: Rates, today: date) -> str | None:
    """Return a sentence if the engine's prices are older than MAX_AGE_DAYS, which may hide a loss."""
    age = rates.age_days(today)
    if age is None or age <= MAX_AGE_DAYS:
        return None
    since = f"the speech engine's prices are from {rates.date}, {age} days ago"
    if settings.rates_file is None:
        return f"{since}: set RATES_FILE to a file with today's prices"
    return f"{since}: check RATES_FILE, and set its date"


def _losses(settings: Settings) -> list[str]:
    """Return what sells at a loss, unless that is allowed. Production has no built-in engine, which costs nothing."""
    offer = load(settings, builtin_engine=settings.builtin_engine and not settings.production)
    return [] if settings.allow_loss_making_packages else offer.losses()


def _parsed(name: str, path: Path | None, parse: Callable[[str | None], T], problems: list[str]) -> T | None:
    try:
        return parse(path.read_text() if path else None)
    except ConfigError as error:
        problems += error.problems
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{name} can't be read: {error}")
    return None

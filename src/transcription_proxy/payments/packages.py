"""The packages for sale, from a TOML file (money 31)."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib.resources import files
from typing import Any, Final

from transcription_proxy.errors import ConfigError

CURRENCY: Final = "usd"
"""What the engine costs is known in it."""
MOST_SECONDS: Final = 100_000_000
LEAST_CENTS: Final = 50
"""Stripe charges no less, in US dollars."""
MOST_CENTS: Final = 99_999_999
KEYS: Final = {"id", "label", "seconds", "price_cents", "currency"}
_ID: Final = re.compile(r"[a-z0-9_-]{1,40}")


@dataclass(frozen=True, slots=True)
class Package:
    """Prepaid seconds at a price."""

    id: str
    label: str
    seconds: int
    price_cents: int
    currency: str = CURRENCY


def load(text: str | None = None) -> tuple[Package, ...]:
    """Packages from TOML text, the built-in file when None. Raises ConfigError with every mistake at once."""
    if text is None:
        text = files(__package__).joinpath("packages.toml").read_text()
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError([f"the packages file isn't valid TOML: {error}"]) from error
    problems = [f"the packages file has an unknown key {key!r}" for key in sorted(set(table) - {"package"})]
    entries = table.get("package", [])
    if not isinstance(entries, list) or not entries:
        raise ConfigError([*problems, "the packages file has nothing for sale: [[package]]"])
    packages = [_package(entry, f"package {number}", problems) for number, entry in enumerate(entries, 1)]
    ids = [package.id for package in packages]
    problems += [f"two packages have the ID {twice!r}" for twice in sorted({one for one in ids if ids.count(one) > 1})]
    if problems:
        raise ConfigError(problems)
    return tuple(packages)


def best_value(packages: Sequence[Package]) -> Package | None:
    """Return the package with the lowest price per second, None where two share it or there is no choice."""
    cheapest = sorted(packages, key=lambda package: Fraction(package.price_cents, package.seconds))[:2]
    if len(cheapest) < 2:
        return None
    one, other = cheapest
    return one if one.price_cents * other.seconds < other.price_cents * one.seconds else None


def _package(entry: Any, where: str, problems: list[str]) -> Package:
    if not isinstance(entry, Mapping):
        problems.append(f"{where} must be a table: [[package]]")
        entry = {}
    problems += [f"{where} has an unknown key {key!r}" for key in sorted(set(entry) - KEYS)]
    name, label = entry.get("id"), entry.get("label")
    seconds, cents, currency = entry.get("seconds"), entry.get("price_cents"), entry.get("currency", CURRENCY)
    checks = [
        (isinstance(name, str) and _ID.fullmatch(name), "id must be 1 to 40 of a-z, 0-9, _ and -"),
        (isinstance(label, str) and 0 < len(label) <= 100 and label.isprintable(), "label must be 1 to 100 characters"),
        (_whole(seconds, 1, MOST_SECONDS), f"seconds must be a whole number, 1 to {MOST_SECONDS}"),
        (_whole(cents, LEAST_CENTS, MOST_CENTS), f"price_cents must be a whole number, {LEAST_CENTS} to {MOST_CENTS}"),
        (currency == CURRENCY, f'currency must be "{CURRENCY}", because engine costs are in US dollars'),
    ]
    problems += [f"{where}: {meaning}" for fine, meaning in checks if not fine]
    return Package(name, label, seconds, cents, currency)


def _whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

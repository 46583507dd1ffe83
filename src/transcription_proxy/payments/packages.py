"""The packages for sale, from a TOML file (money 31)."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib.resources import files
from typing import Annotated, Final, Literal

from msgspec import Meta

from transcription_proxy import toml_files
from transcription_proxy.errors import ConfigError

CURRENCY: Final = "usd"
"""The only currency that packages may have, because engine costs are known in it."""
MOST_SECONDS: Final = 100_000_000
"""Seconds of audio in one package."""
LEAST_CENTS: Final = 50
"""The smallest charge that Stripe accepts in US dollars."""
MOST_CENTS: Final = 99_999_999
"""The largest charge that Stripe accepts in US dollars."""
FILE: Final = "the packages file"
_PRINTABLE: Final = r"\A[^\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f]+\Z"


@dataclass(frozen=True, slots=True)
class Package:
    """Prepaid seconds at a price."""

    id: Annotated[str, Meta(pattern=r"\A[a-z0-9_-]{1,40}\Z", description="1 to 40 of a-z, 0-9, _ and -")]
    label: Annotated[str, Meta(max_length=100, pattern=_PRINTABLE, description="1 to 100 printable characters")]
    seconds: Annotated[int, Meta(ge=1, le=MOST_SECONDS, description=f"a whole number, 1 to {MOST_SECONDS}")]
    price_cents: Annotated[
        int, Meta(ge=LEAST_CENTS, le=MOST_CENTS, description=f"a whole number, {LEAST_CENTS} to {MOST_CENTS}")
    ]
    currency: Annotated[Literal["usd"], Meta(description=f'"{CURRENCY}", because engine costs are in US dollars')] = (
        CURRENCY
    )


def load(text: str | None = None) -> tuple[Package, ...]:
    """Read packages from TOML text, or from the built-in file for None. Raise ConfigError with every mistake."""
    if text is None:
        text = files(__package__).joinpath("packages.toml").read_text()
    table = toml_files.parse(text, FILE)
    problems = [f"{FILE} has an unknown key {key!r}" for key in sorted(set(table) - {"package"})]
    entries = table.get("package")
    if not isinstance(entries, list) or not entries:
        raise ConfigError([*problems, f"{FILE} has nothing for sale: [[package]]"])
    numbered = enumerate(entries, 1)
    read = [toml_files.read(Package, entry, f"package {number}", problems) for number, entry in numbered]
    packages = tuple(package for package in read if package)
    ids = [package.id for package in packages]
    problems += [f"two packages have the ID {twice!r}" for twice in sorted({one for one in ids if ids.count(one) > 1})]
    if problems:
        raise ConfigError(problems)
    return packages


def best_value(packages: Sequence[Package]) -> Package | None:
    """Return the package with the lowest price per second, None where two share it or there is no choice."""
    cheapest = sorted(packages, key=lambda package: Fraction(package.price_cents, package.seconds))[:2]
    if len(cheapest) < 2:
        return None
    one, other = cheapest
    return one if one.price_cents * other.seconds < other.price_cents * one.seconds else None

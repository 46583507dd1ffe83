"""What a second of audio costs us, and how many credits it takes, by model, language and add-ons (money 32)."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from importlib.resources import files
from typing import Any, Final

from transcription_proxy.errors import ConfigError
from transcription_proxy.metering import engines
from transcription_proxy.metering.credits import MICRO

ADDONS: Final = ("diarize", "keyterm")
"""Options of a stream that have a price of their own."""
MAX_CREDITS_PER_SECOND: Final = 1000
MAX_FEE_PERCENT: Final = 50
"""Percent. At 100 no price would ever break even."""


class Unpriced(Exception):
    """A model or add-on has no rate. Rates are never guessed. `key` names the option at fault."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


@dataclass(frozen=True, slots=True)
class Rate:
    """`micro`: micro-credits a second of one channel. `cost`: US dollars a minute of one channel."""

    micro: int
    cost: Decimal

    @property
    def cost_micro(self) -> int:
        """Millionths of a dollar a minute of one channel: exact, because a cost has at most six places."""
        return int(self.cost * MICRO)

    def __add__(self, other: "Rate") -> "Rate":
        return Rate(self.micro + other.micro, self.cost + other.cost)


@dataclass(frozen=True, slots=True)
class Rates:
    """The contents of a rates file. If `flat` is set, that rate applies to every model, add-ons included."""

    models: Mapping[str, Rate]
    languages: Mapping[str, Rate] = field(default_factory=dict)
    addons: Mapping[str, Rate] = field(default_factory=dict)
    stripe_fee_percent: Decimal = Decimal("2.9")
    stripe_fee_cents: int = 30
    date: str = ""
    flat: Rate | None = None

    @property
    def engine(self) -> str:
        """The engine that these rates are for, a name of metering/engines.py."""
        return engines.DEEPGRAM if self.flat is None else engines.BUILTIN

    def rate(self, model: str, language: str, addons: Iterable[str] = ()) -> Rate:
        """Return the rate of a stream. Raises Unpriced."""
        base = self.models.get(self._family(model))
        if base is None:
            raise Unpriced(
                "model", f"the model {model!r} is not offered. Choose one of {', '.join(sorted(self.models))}"
            )
        if self.flat is not None:
            return self.flat
        total = self.languages.get(language.lower(), base)
        for addon in addons:
            if addon not in self.addons:
                raise Unpriced(addon, f"{addon} is not offered here")
            total += self.addons[addon]
        return total

    def _family(self, model: str) -> str:
        """Return the longest name in the table that equals the model's name, or its beginning up to a hyphen."""
        name = model.lower()
        while name not in self.models and "-" in name:
            name = name.rpartition("-")[0]
        return name


BUILTIN_ENGINE: Final = Rate(MICRO, Decimal(0))
"""The built-in engine costs nothing and takes one credit a second."""


def load(text: str | None = None, *, builtin_engine: bool = False) -> Rates:
    """Return the rates of TOML text, or of the built-in file. Raises ConfigError with every mistake at once."""
    if text is None:
        text = files(__package__).joinpath("rates.toml").read_text()
    try:
        table = tomllib.loads(text)
    except (
        ValueError,
        RecursionError,
    ) as error:  # of huge numbers and of deep nesting
        raise ConfigError([f"the rates file isn't valid TOML: {error}"]) from error
    reader = _Reader()
    rates = Rates(
        models=reader.rates(table, "models"),
        languages=reader.rates(table, "languages"),
        addons=reader.rates(table, "addons"),
        stripe_fee_percent=reader.number(table, "stripe_fee_percent", "2.9", MAX_FEE_PERCENT, "the rates file"),
        stripe_fee_cents=reader.cents(table, "stripe_fee_cents", 30),
        date=str(table.get("date", "")),
        flat=BUILTIN_ENGINE if builtin_engine else None,
    )
    unknown = set(table) - {"date", "stripe_fee_percent", "stripe_fee_cents", "models", "languages", "addons"}
    reader.problems += [f"the rates file has an unknown key {key!r}" for key in sorted(unknown)]
    reader.problems += [f"addons.{name} is not an add-on. Use one of {', '.join(ADDONS)}" for name in rates.addons if name not in ADDONS]  # fmt: skip  # noqa: E501
    if not rates.models:
        reader.problems.append("the rates file offers no model: [models.NAME]")
    if reader.problems:
        raise ConfigError(reader.problems)
    return rates


class _Reader:
    """Reads a parsed rates file and collects its mistakes."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def rates(self, table: Mapping[str, Any], section: str) -> dict[str, Rate]:
        """Return the rates of a section, by name in lower case."""
        entries = table.get(section, {})
        if not isinstance(entries, dict):
            self.problems.append(f"{section} must be a table")
            return {}
        return {name.lower(): self._rate(entry, f"{section}.{name}") for name, entry in entries.items()}

    def _rate(self, entry: Any, where: str) -> Rate:
        if not isinstance(entry, dict):
            self.problems.append(f"{where} must be a table with cost_per_minute and credits_per_second")
            return BUILTIN_ENGINE
        unknown = set(entry) - {"cost_per_minute", "credits_per_second"}
        self.problems += [f"{where} has an unknown key {key!r}" for key in sorted(unknown)]
        found = len(self.problems)
        credits = self.number(entry, "credits_per_second", None, MAX_CREDITS_PER_SECOND, where)
        if not credits and found == len(self.problems):
            self.problems.append(f"{where}: credits_per_second must be above 0")
        cost = self.number(entry, "cost_per_minute", None, 1000, where)
        return Rate(int(credits * MICRO), cost)

    def number(self, table: Mapping[str, Any], key: str, default: str | None, most: int, where: str) -> Decimal:
        """Return the number of a decimal string, 0 to `most`, six places at most. Records a mistake and returns 0."""
        value = table.get(key, default)
        try:
            number = Decimal(value) if isinstance(value, str) else Decimal("nan")
        except InvalidOperation:
            number = Decimal("nan")
        if number.is_finite() and 0 <= number <= most and number == round(number, 6):
            return number
        self.problems.append(f'{where}: {key} must be a string such as "0.006", 0 to {most}, at most six places')
        return Decimal(0)

    def cents(self, table: Mapping[str, Any], key: str, default: int) -> int:
        """Return a whole number of cents, from 0 to 10,000. Records a mistake and returns the default."""
        value = table.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10_000:
            return value
        self.problems.append(f"the rates file: {key} must be a whole number of cents, 0 to 10000")
        return default

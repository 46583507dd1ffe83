"""What a second of audio costs us, and how many credits it takes, by model, language and add-ons (money 32)."""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from importlib.resources import files
from typing import Annotated, Any, Final

from msgspec import Meta

from transcription_proxy import toml_files
from transcription_proxy.errors import ConfigError
from transcription_proxy.metering import engines
from transcription_proxy.metering.credits import MICRO

ADDONS: Final = ("diarize", "keyterm", "redact", "detect_entities")
"""Options of a stream that have a price of their own. The last two are for Deepgram clients only."""
FLUX: Final = "flux"
"""The beginning of the names of the models that only `/v2/listen` serves."""
FILE: Final = "the rates file"


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
    """When the figures were right, as YYYY-MM-DD."""
    flat: Rate | None = None

    @property
    def engine(self) -> str:
        """The engine that these rates are for, a name of metering/engines.py."""
        return engines.DEEPGRAM if self.flat is None else engines.BUILTIN

    def age_days(self, today: datetime.date) -> int | None:
        """Return how many days ago the figures were right, None if the file doesn't say."""
        try:
            return (today - datetime.date.fromisoformat(self.date[:10])).days
        except ValueError:
            return None

    def rate(self, model: str, language: str, addons: Iterable[str] = ()) -> Rate:
        """Return the rate of a stream. Raises Unpriced."""
        base = self.models.get(self._family(model))
        if base is None:
            offered = sorted(name for name in self.models if is_flux(name) is is_flux(model))
            raise Unpriced("model", f"the model {model!r} is not offered. Choose one of {', '.join(offered)}")
        if self.flat is not None:
            return self.flat
        total = self.languages.get(language.lower(), base)
        for addon in addons:
            if addon not in self.addons:
                raise Unpriced(addon, f"{addon} is not offered here")
            total += self.addons[addon]
        return total

    def is_offered(self, model: str) -> bool:
        """Return whether the model has a rate."""
        return self._family(model) in self.models

    def _family(self, model: str) -> str:
        """Return the longest name in the table that equals the model's name, or its beginning up to a hyphen."""
        name = model.lower()
        while name not in self.models and "-" in name:
            name = name.rpartition("-")[0]
        return name


def is_flux(model: str) -> bool:
    """Return whether only `/v2/listen` serves a model."""
    return model.lower().startswith(FLUX)


BUILTIN_ENGINE: Final = Rate(MICRO, Decimal(0))
"""The built-in engine costs nothing and takes one credit a second."""


def load(text: str | None = None, *, builtin_engine: bool = False) -> Rates:
    """Return the rates of TOML text, or of the built-in file. Raises ConfigError with every mistake at once."""
    if text is None:
        text = files(__package__).joinpath("rates.toml").read_text()
    problems: list[str] = []
    table = toml_files.parse(text, FILE)
    file = toml_files.read(_File, table, FILE, problems)
    models, languages, addons = (_rates(table, section, problems) for section in ("models", "languages", "addons"))
    problems += [
        f"addons.{name} is not an add-on. Use one of {', '.join(ADDONS)}" for name in addons if name not in ADDONS
    ]
    if not table.get("models"):
        problems.append(f"{FILE} offers no model: [models.NAME]")
    if problems or file is None:
        raise ConfigError(problems)
    return Rates(
        models=models,
        languages=languages,
        addons=addons,
        stripe_fee_percent=Decimal(file.stripe_fee_percent),
        stripe_fee_cents=file.stripe_fee_cents,
        date=str(file.date),
        flat=BUILTIN_ENGINE if builtin_engine else None,
    )


def _rates(table: Mapping[str, Any], section: str, problems: list[str]) -> dict[str, Rate]:
    """Return the rates of a section, by name in lower case, and append its mistakes to `problems`."""
    entries, rates = table.get(section), {}
    for name, entry in entries.items() if isinstance(entries, dict) else ():
        where = f"{section}.{name}"
        figures = toml_files.read(_Figures, entry, where, problems)
        if figures:
            micro = int(Decimal(figures.credits_per_second) * MICRO)
            rates[name.lower()] = Rate(micro, Decimal(figures.cost_per_minute))
    return rates


_PLACES: Final = r"(?:\.[0-9]{1,6}0*)?"
_UP_TO_1000: Final = rf"(?:[0-9]{{1,3}}{_PLACES}|1000(?:\.0+)?)\Z"
_UP_TO_50: Final = rf"(?:[0-4]?[0-9]{_PLACES}|50(?:\.0+)?)\Z"
_COST: Final = Meta(pattern=rf"\A{_UP_TO_1000}", description='a string such as "0.006", 0 to 1000, at most six places')
_CREDITS: Final = Meta(
    pattern=rf"\A(?=.*[1-9]){_UP_TO_1000}",
    description='a string such as "1.2", above 0 and up to 1000, at most six places',
)
_PERCENT: Final = Meta(pattern=rf"\A{_UP_TO_50}", description='a string such as "2.9", 0 to 50, at most six places')
"""At 100 no price would ever break even."""
_CENTS: Final = Meta(ge=0, le=10_000, description="a whole number of cents, 0 to 10000")
_TABLE: Final = Meta(description="a table")


@dataclass(frozen=True, slots=True)
class _Figures:
    cost_per_minute: Annotated[str, _COST]
    credits_per_second: Annotated[str, _CREDITS]


@dataclass(frozen=True, slots=True)
class _File:
    date: Any = ""
    stripe_fee_percent: Annotated[str, _PERCENT] = "2.9"
    stripe_fee_cents: Annotated[int, _CENTS] = 30
    models: Annotated[Mapping[str, Any], _TABLE] = field(default_factory=dict)
    languages: Annotated[Mapping[str, Any], _TABLE] = field(default_factory=dict)
    addons: Annotated[Mapping[str, Any], _TABLE] = field(default_factory=dict)

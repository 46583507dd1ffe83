"""/captions/options: the options of a caption session's `config`, and what they cost."""

from typing import Final

from fastapi import APIRouter
from pydantic import BaseModel

from transcription_proxy.metering import engines
from transcription_proxy.metering.audio import SAMPLE_BYTES
from transcription_proxy.metering.credits import MICRO
from transcription_proxy.metering.rates import Rate, Rates, is_flux
from transcription_proxy.stream import languages
from transcription_proxy.stream.options import DEFAULTS
from transcription_proxy.web.services import Provided

router = APIRouter(prefix="/captions", tags=["Captions"])
ADDON_NAMES: Final = {"diarize": "Speaker labels", "keyterm": "Custom vocabulary"}
BUILTIN_ENCODINGS: Final = ["linear16"]
SUGGESTED: Final = "nova-3"
"""The model that pages and the client choose where it has a rate. A session that names none gets DEFAULTS."""


class Model(BaseModel):
    """`credits_per_second`: for one channel. `languages`: language IDs; null means any the engine knows."""

    id: str
    name: str
    credits_per_second: float
    languages: list[str] | None


class Language(BaseModel):
    """`credits_per_second`: replaces the model's; null means the model's applies."""

    id: str
    name: str
    credits_per_second: float | None


class Addon(BaseModel):
    """`credits_per_second`: added to the model's. `models`: IDs of the models that support it."""

    id: str
    name: str
    credits_per_second: float
    models: list[str]


class Options(BaseModel):
    """`engine`: `builtin`, or `deepgram` for one that speaks Deepgram's API. `default`: where to begin."""

    engine: str
    models: list[Model]
    languages: list[Language]
    addons: list[Addon]
    encodings: list[str]
    default: dict[str, str | int | bool]


@router.get("/options", summary="List models, languages and add-ons with their credits per second")
async def captions_options(services: Provided) -> Options:
    """A second costs the language's credits if it has its own, else the model's, plus those of each add-on."""
    return describe(services.rates)


def describe(rates: Rates) -> Options:
    models = _models(rates) if rates.flat is None else [_builtin(rates, rates.flat)]
    understood = {language for model in models for language in model.languages or languages.NAMES}
    return Options(
        engine=rates.engine,
        models=models,
        languages=[
            _language(language, name, rates) for language, name in languages.NAMES.items() if language in understood
        ],
        addons=_addons(rates, models) if rates.flat is None else [],
        encodings=list(SAMPLE_BYTES) if rates.flat is None else BUILTIN_ENCODINGS,
        default={**DEFAULTS, "model": _suggested_model(rates)},
    )


def _models(rates: Rates) -> list[Model]:
    return [
        Model(
            id=model,
            name=engines.engine_name(rates.engine, model),
            credits_per_second=_credits(rate),
            languages=languages.spoken(model),
        )
        for model, rate in rates.models.items()
        if not is_flux(model)
    ]


def _builtin(rates: Rates, rate: Rate) -> Model:
    """Return the built-in engine's only model, which it uses for any model name."""
    return Model(
        id=_suggested_model(rates),
        name=engines.BUILTIN_NAME,
        credits_per_second=_credits(rate),
        languages=languages.BUILTIN_ENGINE,
    )


def _language(language: str, name: str, rates: Rates) -> Language:
    rate = rates.languages.get(language.lower()) if rates.flat is None else None
    return Language(id=language, name=name, credits_per_second=None if rate is None else _credits(rate))


def _addons(rates: Rates, models: list[Model]) -> list[Addon]:
    return [
        Addon(
            id=addon,
            name=ADDON_NAMES[addon],
            credits_per_second=_credits(rate),
            models=[model.id for model in models if addon != "keyterm" or languages.knows_keyterm(model.id)],
        )
        for addon, rate in rates.addons.items()
        if addon in ADDON_NAMES
    ]


def _suggested_model(rates: Rates) -> str:
    """Return the model to begin with: SUGGESTED, or else that of a session that names none, or the first on offer."""
    usual: str = DEFAULTS["model"]
    wanted = (SUGGESTED, usual) if rates.flat is None else (usual,)
    offered = [model for model in rates.models if not is_flux(model)]
    return next((model for model in wanted if model in offered), offered[0] if offered else usual)


def _credits(rate: Rate) -> float:
    return rate.micro / MICRO

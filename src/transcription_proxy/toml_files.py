"""Reads the operator's TOML files into dataclasses, and collects every mistake in them.

A field's `description` (msgspec.Meta) is what a sentence about a wrong value says after "must be"."""

import tomllib
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec

from transcription_proxy.errors import ConfigError

T = TypeVar("T")


def parse(text: str, name: str) -> dict[str, Any]:
    """Return the table of a file. Raise ConfigError if its text isn't TOML. `name`: such as "the rates file"."""
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # of huge numbers and of deep nesting
        raise ConfigError([f"{name} isn't valid TOML: {error}"]) from error


def read(kind: type[T], table: object, where: str, problems: list[str]) -> T | None:
    """Return a table as a dataclass, or append every mistake in it to `problems` and return None."""
    known: dict[str, Field[Any]] = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    needed = [name for name, field in known.items() if field.default is field.default_factory is MISSING]
    if not isinstance(table, dict):
        problems.append(f"{where} must be a table with {' and '.join(needed)}")
        return None
    mistakes = [f"{where} has an unknown key {key!r}" for key in sorted(set(table) - set(known))]
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if name in needed if name not in table else not _fits(table[name], hint):
            mistakes.append(f"{where}: {name} must be {_description(hint)}")
    problems += mistakes
    return None if mistakes else msgspec.convert(table, kind)


def _fits(value: object, hint: Any) -> bool:
    try:
        msgspec.convert(value, hint)
    except msgspec.ValidationError:
        return False
    return True


def _description(hint: Any) -> str:
    return next(meta.description or "" for meta in get_args(hint) if isinstance(meta, msgspec.Meta))

"""Stripe's form parameters, `line_items[0][price_data][currency]=usd`: from text to checked values. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from transcription_sandbox.refusals import malformed

Raw: TypeAlias = "str | dict[str, Raw]"
Reader: TypeAlias = Callable[[Raw, str], Any]
"""From what was sent and the parameter's name. Raises Refused."""
DEEPEST: Final = 6
MOST_METADATA: Final = 50
MOST_ITEMS: Final = 100
_NAME: Final = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")


@dataclass(frozen=True, slots=True)
class Field:
    read: Reader
    needed: bool = False


def nested(pairs: Iterable[tuple[str, str]]) -> dict[str, Raw]:
    """Brackets as a tree: lists are trees whose names are numbers. Raises Refused."""
    tree: dict[str, Raw] = {}
    for name, value in pairs:
        match = _NAME.fullmatch(name)
        path = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])] if match else []
        if not path or len(path) > DEEPEST:
            raise malformed(f"Invalid parameter name: {name}", param=name)
        _plant(tree, path, value, name)
    return tree


def _plant(tree: dict[str, Raw], path: list[str], value: str, name: str) -> None:
    for step in path[:-1]:
        below = tree.setdefault(step or str(len(tree)), {})
        if isinstance(below, str):
            raise malformed(f"Invalid object: {name}", param=name)
        tree = below
    last = path[-1] or str(len(tree))
    if last in tree:
        raise malformed(f"Parameter given more than once: {name}", param=name)
    tree[last] = value


def checked(raw: Raw, fields: Mapping[str, Field], within: str = "") -> dict[str, Any]:
    """Every parameter known, none missing, each as its field reads it. Raises Refused."""
    tree = _tree(raw, within)
    unknown = [_inside(within, name) for name in tree if name not in fields]
    if unknown:
        plural = "s" if len(unknown) > 1 else ""
        raise malformed(
            f"Received unknown parameter{plural}: {', '.join(unknown)}", code="parameter_unknown", param=unknown[0]
        )
    for name, field in fields.items():
        if field.needed and name not in tree:
            param = _inside(within, name)
            raise malformed(f"Missing required param: {param}.", code="parameter_missing", param=param)
    return {name: fields[name].read(value, _inside(within, name)) for name, value in tree.items()}


def shape(fields: Mapping[str, Field]) -> Reader:
    return lambda raw, name: checked(raw, fields, name)


def many(read: Reader, least: int = 0) -> Reader:
    """A list; its items keep the order of their numbers."""

    def items(raw: Raw, name: str) -> list[Any]:
        tree = _tree(raw, name)
        if not all(key.isascii() and key.isdigit() for key in tree):
            raise malformed("Invalid array", param=name)
        if len(tree) < least:
            raise malformed(f"Array {name} must have at least {least} element.", param=name)
        if len(tree) > MOST_ITEMS:
            raise malformed(f"Array {name} exceeded maximum {MOST_ITEMS} allowed elements.", param=name)
        return [read(tree[key], f"{name}[{key}]") for key in sorted(tree, key=int)]

    return items


def text(most: int = 5000) -> Reader:
    def read(raw: Raw, name: str) -> str:
        value = _string(raw, name)
        if len(value) > most:
            raise malformed(
                f"Invalid string: must be at most {most} characters", code="parameter_invalid_string", param=name
            )
        return value

    return read


def whole(least: int, most: int) -> Reader:
    def read(raw: Raw, name: str) -> int:
        value = _string(raw, name)
        if not re.fullmatch(r"-?[0-9]{1,18}", value):
            raise malformed(f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
        number = int(value)
        if number < least:
            raise malformed(
                f"This value must be greater than or equal to {least}.", code="parameter_invalid_integer", param=name
            )
        if number > most:
            raise malformed(
                f"This value must be less than or equal to {most}.", code="parameter_invalid_integer", param=name
            )
        return number

    return read


def choice(*allowed: str) -> Reader:
    def read(raw: Raw, name: str) -> str:
        value = _string(raw, name)
        if value not in allowed:
            raise malformed(f"Invalid {name}: must be one of {', '.join(allowed)}", param=name)
        return value

    return read


def flag(raw: Raw, name: str) -> bool:
    value = _string(raw, name)
    if value not in ("true", "false"):
        raise malformed(f"Invalid boolean: {value}", param=name)
    return value == "true"


def url(raw: Raw, name: str) -> str:
    value = _string(raw, name)
    try:
        parts = urlsplit(value)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and value.isascii() and value.isprintable()
    except ValueError:
        fine = False
    if not fine or " " in value:
        raise malformed("Not a valid URL", code="url_invalid", param=name)
    return value


def currency(raw: Raw, name: str) -> str:
    value = _string(raw, name).lower()
    if not re.fullmatch("[a-z]{3}", value):
        raise malformed(f"Invalid currency: {value}", param=name)
    return value


def metadata(raw: Raw, name: str) -> dict[str, str]:
    """An empty value unsets its key, which a new object does not have anyway."""
    tree = _tree(raw, name)
    found = {key: value for key, value in tree.items() if isinstance(value, str) and value}
    if any(not isinstance(value, str) for value in tree.values()):
        raise malformed("Metadata values must be strings", param=name)
    if len(found) > MOST_METADATA:
        raise malformed(f"Metadata can have up to {MOST_METADATA} keys", param=name)
    if any(len(key) > 40 or len(value) > 500 for key, value in found.items()):
        raise malformed("Metadata keys can have up to 40 characters, and values up to 500 characters", param=name)
    return found


def moment(raw: Raw, name: str) -> dict[str, int]:
    """`created=1` or `created[gte]=1`: bounds by their names, an exact moment as both."""
    second = whole(0, 10**12)
    if isinstance(raw, str):
        return {"gte": second(raw, name), "lte": second(raw, name)}
    return checked(raw, {bound: Field(second) for bound in ("gt", "gte", "lt", "lte")}, name)


def _string(raw: Raw, name: str) -> str:
    if not isinstance(raw, str):
        raise malformed(f"Invalid string: {name}", param=name)
    if not raw:
        raise malformed(
            f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a field; however "
            f"'{name}' cannot be unset. You should remove '{name}' from your request or supply a non-empty value.",
            code="parameter_invalid_empty",
            param=name,
        )
    return raw


def _tree(raw: Raw, name: str) -> dict[str, Raw]:
    if isinstance(raw, str):
        raise malformed("Invalid object", param=name)
    return raw


def _inside(within: str, name: str) -> str:
    return f"{within}[{name}]" if within else name

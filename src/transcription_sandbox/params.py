"""Stripe's form parameters, `line_items[0][price_data][currency]=usd`: from text to checked values."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from transcription_sandbox.errors import bad_request

Raw: TypeAlias = "str | dict[str, Raw]"
Reader: TypeAlias = Callable[[Raw, str], Any]
"""Returns the value of a parameter, given as it was sent and with its name. Raises ApiError."""
_NAME: Final = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter that a request may have."""

    read: Reader
    needed: bool = False


def nested(pairs: Iterable[tuple[str, str]]) -> dict[str, Raw]:
    """Return the parameters as a tree. A list is a tree whose names are numbers. Raise ApiError."""
    tree: dict[str, Raw] = {}
    for name, value in pairs:
        match = _NAME.fullmatch(name)
        if not match:
            raise bad_request(f"Invalid parameter name: {name}", param=name)
        _insert(tree, [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])], value, name)
    return tree


def _insert(tree: dict[str, Raw], path: list[str], value: str, name: str) -> None:
    for step in path[:-1]:
        below = tree.setdefault(step or str(len(tree)), {})
        if isinstance(below, str):
            raise bad_request(f"Invalid object: {name}", param=name)
        tree = below
    last = path[-1] or str(len(tree))
    if last in tree:
        raise bad_request(f"Parameter given more than once: {name}", param=name)
    tree[last] = value


def checked(raw: Raw, fields: Mapping[str, Field], within: str = "") -> dict[str, Any]:
    """Return the values of a tree's parameters. Raise ApiError where one is unknown, missing or wrong."""
    tree = _tree(raw, within)
    unknown = [_inside(within, name) for name in tree if name not in fields]
    if unknown:
        plural = "s" if len(unknown) > 1 else ""
        raise bad_request(
            f"Received unknown parameter{plural}: {', '.join(unknown)}", code="parameter_unknown", param=unknown[0]
        )
    for name, field in fields.items():
        if field.needed and name not in tree:
            param = _inside(within, name)
            raise bad_request(f"Missing required param: {param}.", code="parameter_missing", param=param)
    return {name: fields[name].read(value, _inside(within, name)) for name, value in tree.items()}


def shape(fields: Mapping[str, Field]) -> Reader:
    """Return a reader of an object with these parameters."""
    return lambda raw, name: checked(raw, fields, name)


def many(read: Reader) -> Reader:
    """Return a reader of a list, whose items keep the order of their numbers."""

    def items(raw: Raw, name: str) -> list[Any]:
        tree = _tree(raw, name)
        if not all(key.isascii() and key.isdigit() for key in tree):
            raise bad_request("Invalid array", param=name)
        return [read(tree[key], f"{name}[{key}]") for key in sorted(tree, key=int)]

    return items


def text(raw: Raw, name: str) -> str:
    """Read text that is not empty."""
    if not isinstance(raw, str):
        raise bad_request(f"Invalid string: {name}", param=name)
    if not raw:
        raise bad_request(f"'{name}' cannot be empty.", code="parameter_invalid_empty", param=name)
    return raw


def whole(least: int, most: int) -> Reader:
    """Return a reader of a whole number within bounds."""

    def read(raw: Raw, name: str) -> int:
        value = text(raw, name)
        if not re.fullmatch(r"-?[0-9]{1,18}", value):
            raise bad_request(f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
        if not least <= int(value) <= most:
            message = f"This value must be from {least} to {most}."
            raise bad_request(message, code="parameter_invalid_integer", param=name)
        return int(value)

    return read


def choice(*allowed: str) -> Reader:
    """Return a reader of one of several words."""

    def read(raw: Raw, name: str) -> str:
        value = text(raw, name)
        if value not in allowed:
            raise bad_request(f"Invalid {name}: must be one of {', '.join(allowed)}", param=name)
        return value

    return read


def flag(raw: Raw, name: str) -> bool:
    """Read true or false."""
    return bool(choice("true", "false")(raw, name) == "true")


def metadata(raw: Raw, name: str) -> dict[str, str]:
    """Read texts by name."""
    return {key: text(value, f"{name}[{key}]") for key, value in _tree(raw, name).items()}


def _tree(raw: Raw, name: str) -> dict[str, Raw]:
    if isinstance(raw, str):
        raise bad_request("Invalid object", param=name)
    return raw


def _inside(within: str, name: str) -> str:
    return f"{within}[{name}]" if within else name

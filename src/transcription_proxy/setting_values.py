"""The forms that settings may have: each function returns the value of a setting's text, or raises ValueError."""

import re
from collections.abc import Callable
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")
_ATOMS: Final = r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*"
_ADDRESS: Final = re.compile(rf"{_ATOMS}@[a-z0-9-]+(?:\.[a-z0-9-]+)*", re.ASCII | re.IGNORECASE)
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST: Final = timedelta(days=36_500)  # a moment that far ahead is still one


def between(kind: Callable[[str], T], low: float, high: float) -> Callable[[str], T]:
    def parse(value: str) -> T:
        number = kind(value)
        if not low <= number <= high:  # type: ignore[operator]
            raise ValueError
        return number

    return parse


def one_of(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value.lower() not in choices:
            raise ValueError
        return value.lower()

    return parse


def duration(value: str) -> timedelta:
    match = re.fullmatch(r"(\d{1,9})([smhd]?)", value)
    length = timedelta(seconds=int(match[1]) * _UNITS[match[2] or "s"]) if match else timedelta(0)
    if not timedelta(0) < length <= _LONGEST:
        raise ValueError
    return length


def identifier(value: str) -> str | None:
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", value):
        raise ValueError
    return value


def address(value: str) -> str | None:
    if not _ADDRESS.fullmatch(value):
        raise ValueError
    return value


def mailbox(value: str) -> str | None:
    named = re.fullmatch(r"([^<>]*)<([^<>]*)>", value)
    address(named[2] if named else value)
    if not value.isprintable():
        raise ValueError
    return value


def site_name(value: str) -> str:
    if len(value) > 60 or not value.isprintable():
        raise ValueError
    return value


def smtp(value: str) -> str | None:
    url = urlsplit(value)
    of_host_only = not (url.path.strip("/") or url.query or url.fragment)
    if url.scheme not in ("smtp", "smtps") or not url.hostname or url.port == 0 or not of_host_only:
        raise ValueError
    if bool(url.username) != bool(url.password):
        raise ValueError
    return value


def parts(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def networks(value: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(part) for part in parts(value))

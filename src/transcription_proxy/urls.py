"""Which URLs a setting may hold, and the form in which the program uses them. Every function raises ValueError."""

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

SOCKET_SCHEMES: Final = {"https": "wss", "http": "ws"}
_DATABASE: Final = re.compile(r"postgres(ql)?://([^/?@]*@)?(?P<hosts>[^/?]*)(/[^?]*)?(\?(?P<query>.*))?")
_HOST: Final = re.compile(r"(\[[^]]+\]|[^:@[\]]*)(:\d*)?")
_HALF_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


def link(value: str, *schemes: str) -> str:
    """Return a URL that a browser may open, unchanged."""
    _split(value, schemes)
    return value


def base(value: str, *schemes: str) -> str:
    """Return a URL that paths are added to, without a slash at its end. A path of its own is its prefix."""
    parts = _split(value, schemes)
    if "@" in parts.netloc or "?" in value or "#" in value:
        raise ValueError
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


def site(value: str) -> str:
    """Return scheme, host and port of a site. Pages refer to their styles from the root, so a path is refused."""
    url = base(value, "https", "http")
    if urlsplit(url).path:
        raise ValueError
    return url


def upstream(value: str) -> str:
    """Return the URL that `/v1/listen` is added to, as ws:// or wss://, whether or not the value ends in it already."""
    url = base(value, "wss", "ws", "https", "http")
    scheme, _, rest = url.partition("://")
    return f"{SOCKET_SCHEMES.get(scheme, scheme)}://{re.sub('/v[12](/listen)?$', '', rest)}"


def stripe(value: str) -> str:
    """Return the URL that `/v1/...` is added to, whether or not the value ends in `/v1` already."""
    return base(value, "https", "http").removesuffix("/v1")


def database(value: str) -> str:
    """Return a PostgreSQL URL: it names hosts, or a unix socket as ?host=. The rest is left to libpq.

    What libpq would quote in its errors is refused here, as it may be a part of a password that is not escaped.
    """
    match = _DATABASE.fullmatch(value)
    if match is None or _HALF_ESCAPE.search(value) or not (match["hosts"] or match["query"]):
        raise ValueError
    if not all(_HOST.fullmatch(host) for host in match["hosts"].split(",")):
        raise ValueError
    return value.rstrip("/")


def _split(value: str, schemes: tuple[str, ...]) -> SplitResult:
    parts = urlsplit(value)
    if parts.scheme not in schemes or not parts.hostname or parts.port == 0:
        raise ValueError
    if not value.isprintable() or " " in value:  # urlsplit drops line breaks, and keeps the rest
        raise ValueError
    return parts

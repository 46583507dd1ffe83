"""Chooses the proxy that the environment asks for. All libraries get it from here and read no variables themselves."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

HTTP: Final = ("http", "https")
SECURE: Final = ("https", "wss")
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
"""Hosts of this machine, which are never reached through a proxy."""


class UnusableProxy(ValueError):
    """The environment names a proxy that cannot be used. The text names the variable and says what to do."""


def named(env: Mapping[str, str]) -> dict[str, str]:
    """Return the values of `https_proxy`, `http_proxy`, `all_proxy` and `no_proxy` by their first word.

    Lower-case names win over upper-case ones, as with curl.
    """
    order = sorted((name for name in env if name.lower().endswith("_proxy")), key=str.islower)
    return {name.lower().removesuffix("_proxy"): env[name].strip() for name in order}


def choose(url: str, proxies: Mapping[str, str], schemes: Sequence[str] = HTTP) -> str | None:
    """Return the proxy for a URL, or None to connect directly. `schemes`: the proxy schemes that the caller supports.

    Raise UnusableProxy.
    """
    parts = urlsplit(url)
    wanted = "https" if parts.scheme in SECURE else "http"
    variable, value = next(((name, proxies[name]) for name in (wanted, "all") if proxies.get(name)), ("", ""))
    if not value or parts.hostname in LOOPBACK or _is_exempt(parts, proxies.get("no", "")):
        return None
    proxy = value if "://" in value else f"http://{value}"
    if not _is_usable(proxy, schemes):
        usable = " and ".join(f"{scheme}://" for scheme in schemes)
        raise UnusableProxy(
            f"{variable.upper()}_PROXY names a proxy that can't be used for {parts.hostname} "
            f"(only {usable} proxies can). Change it, or add {parts.hostname} to NO_PROXY to connect directly"
        )
    return proxy


def _is_exempt(parts: SplitResult, exceptions: str) -> bool:
    """Return whether NO_PROXY contains the host, a parent domain, host:port, or * for all hosts."""
    host = f".{parts.hostname}"
    place = f"{host}:{parts.port or (443 if parts.scheme in SECURE else 80)}"
    named = [exception.strip() for exception in exceptions.lower().split(",") if exception.strip()]
    domains = [f".{exception.removeprefix('*').removeprefix('.')}" for exception in named]
    return "*" in named or any(host.endswith(domain) or place.endswith(domain) for domain in domains)


def _is_usable(proxy: str, schemes: Sequence[str]) -> bool:
    try:
        parts = urlsplit(proxy)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False

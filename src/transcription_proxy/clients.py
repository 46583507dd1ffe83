"""Which client a request comes from: the peer, or the client that a trusted proxy names."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
NOWHERE: Final = IPv4Address(0)
"""Stands for a peer without an address, such as a unix socket."""


def client_address(peer: str, forwarded_for: str, trusted: Sequence[Network]) -> Address:
    """Return the client's address: walk X-Forwarded-For from the right while the writer of an entry is trusted."""
    address = _parse(peer) or NOWHERE
    for hop in reversed(forwarded_for.split(",") if forwarded_for else []):
        named = _parse(hop.strip())
        if named is None or not is_trusted(address, trusted):
            break
        address = named
    return address


def is_trusted(address: Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)


def bucket(address: Address) -> str:
    """Return an address's key for rate limits. An IPv6 subscriber has a /64, which counts as one client."""
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, 64), strict=False))
    return str(address)


def _parse(text: str) -> Address | None:
    """Return the address in `text`, without the port and brackets that some proxies add; None where there is none."""
    host = text.partition("]")[0].removeprefix("[") if text.startswith("[") else text
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address

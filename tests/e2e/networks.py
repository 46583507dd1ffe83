"""Hosts with addresses of their own: in network namespaces where they may be made, else on addresses of the loopback.

Namespaces need root and iproute2. The hosts are then on a bridge with this machine, and each can be cut off."""

import contextlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.debian import Missing, find

NETWORKS: Final = 250
"""Networks 10.213.1.0/24 and following, of which a test takes one. The name of its bridge reserves it."""


@dataclass(frozen=True, slots=True)
class Host:
    """`prefix`: the command that runs a program there. `link`: this machine's end of its cable, "" on the loopback."""

    address: str
    prefix: Sequence[str] = ()
    link: str = ""


@dataclass
class Network:
    """`here`: the address of this machine, as hosts reach it."""

    here: str
    hosts: list[Host] = field(default_factory=list)

    @property
    def can_cut(self) -> bool:
        return all(host.link for host in self.hosts)

    def cut(self, host: Host) -> None:
        """Pull a host's cable."""
        _ip("link", "set", host.link, "down")

    def mend(self, host: Host) -> None:
        _ip("link", "set", host.link, "up")


@contextlib.contextmanager
def network(count: int) -> Iterator[Network]:
    """Yield a network of `count` hosts."""
    with contextlib.ExitStack() as stack:
        try:
            yield _namespaces(count, stack)
        except _NotAllowed:
            yield Network("127.0.0.1", [Host(f"127.0.0.{n + 2}") for n in range(count)])


class _NotAllowed(Exception):
    """No namespace can be made here."""


def _namespaces(count: int, stack: contextlib.ExitStack) -> Network:
    if os.geteuid() != 0 or not _has_ip():
        raise _NotAllowed
    number = _bridge(stack)
    made = Network(f"10.213.{number}.1")
    for n in range(2, count + 2):
        name, link, address = f"cap{number}h{n}", f"cap{number}v{n}", f"10.213.{number}.{n}"
        _ip("netns", "add", name)
        stack.callback(_ip, "netns", "del", name)
        _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
        stack.callback(_tried, "link", "del", link)  # sockets that wait for their end keep the namespace a while
        _ip("link", "set", link, "master", f"cap{number}", "up")
        _ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
        for interface in ("lo", "eth0"):
            _ip("-n", name, "link", "set", interface, "up")
        made.hosts.append(Host(address, (str(find("ip")), "netns", "exec", name), link))
    return made


def _has_ip() -> bool:
    try:
        return bool(find("ip"))
    except Missing:
        return False


def _bridge(stack: contextlib.ExitStack) -> int:
    """Make a bridge that no other test has, with this machine's address. Return the number of its network."""
    first = os.getpid()
    for number in (1 + (first + n) % NETWORKS for n in range(NETWORKS)):
        name = f"cap{number}"
        if _tried("link", "add", name, "type", "bridge"):
            stack.callback(_ip, "link", "del", name)
            if not _tried("netns", "add", name):  # a container may lack this right alone
                break
            _ip("netns", "del", name)
            _ip("addr", "add", f"10.213.{number}.1/24", "dev", name)
            _ip("link", "set", name, "up")
            return number
        if not Path("/sys/class/net", name).exists():  # not taken, so not allowed
            break
    raise _NotAllowed


def _tried(*arguments: str) -> bool:
    return subprocess.run([str(find("ip")), *arguments], capture_output=True, check=False).returncode == 0


def _ip(*arguments: str) -> None:
    subprocess.run([str(find("ip")), *arguments], check=True, capture_output=True)

"""A TCP proxy that can cut, freeze, delay, stop reading and refuse connections. It never changes bytes."""

import asyncio
import contextlib
import random
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

SMALL_BUFFER = 16 * 1024
"""Bytes of the kernel's receive buffer, small so that a peer soon notices that the proxy has stopped reading."""
Target = tuple[str, int] | Path


@dataclass(frozen=True, slots=True)
class Weather:
    """What happens to the bytes of a connection. `up`: the direction from the client to the target."""

    frozen: bool = False
    """Half open: neither bytes nor a close arrive at either end. All arrive later."""
    deaf_up: bool = False
    """Bytes from the client are not read."""
    deaf_down: bool = False
    """Bytes from the target are not read."""
    delay: float = 0.0
    """Seconds."""


CALM = Weather()


class Proxy:
    """`async with Proxy(target) as proxy`: listens at `proxy.port`. `links` are the connections there are."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.weather = CALM
        """Of connections that are yet to come."""
        self.refusing = False
        self.links: list[Link] = []
        self._server: asyncio.Server | None = None
        self._opening: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)  # inherited by what it accepts
        listener.bind(("127.0.0.1", 0))
        self._server = await asyncio.get_running_loop().create_server(lambda: _End(self._accepted), sock=listener)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for link in list(self.links):
            link.cut()

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def change(self, **weather: Any) -> None:
        """Change the weather of all connections and of new ones."""
        self.weather = replace(self.weather, **weather)
        for link in list(self.links):
            link.change(**weather)

    def some(self, share: float, luck: random.Random) -> "list[Link]":
        """Return this share of the connections, at least one if there is any."""
        return luck.sample(self.links, min(len(self.links), max(1, round(share * len(self.links)))))

    def link_of(self, port: int) -> "Link | None":
        """The connection that came from that port."""
        return next((link for link in self.links if link.port == port), None)

    def _accepted(self, near: "_End") -> None:
        if self.refusing:
            near.abort()
            return
        task = asyncio.create_task(self._open(near))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, near: "_End") -> None:
        near.transport.pause_reading()
        loop, far = asyncio.get_running_loop(), _End(lambda end: None)
        try:
            if isinstance(self._target, Path):
                await loop.create_unix_connection(lambda: far, str(self._target))
            else:
                peer = socket.socket()
                peer.setblocking(False)
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
                try:
                    await loop.sock_connect(peer, self._target)
                    await loop.create_connection(lambda: far, sock=peer)
                except BaseException:
                    peer.close()
                    raise
        except OSError:
            near.abort()
            return
        link = Link(near, far, self.weather, self.links.remove)
        self.links.append(link)
        link.start()  # before either end could read


class Link:
    """One connection through the proxy."""

    def __init__(self, near: "_End", far: "_End", weather: Weather, ended: "Callable[[Link], None]") -> None:
        self.port: int = near.transport.get_extra_info("peername")[1]
        """Of who connected."""
        name = far.transport.get_extra_info("sockname")
        self.far_port: int = name[1] if isinstance(name, tuple) else 0
        """Of our own end at the target."""
        self._near, self._far = near, far
        self._up, self._down = _Lane(near, far), _Lane(far, near)
        self._weather = weather
        self._ended = ended
        self._over = False

    def start(self) -> None:
        self._near.joins(self._up, self._down, self._lost)
        self._far.joins(self._down, self._up, self._lost)
        self._obey()
        if self._near.is_lost or self._far.is_lost:
            self._lost()

    def change(self, **weather: Any) -> None:
        self._weather = replace(self._weather, **weather)
        self._obey()
        self._lost()

    def cut(self) -> None:
        """Send a TCP reset to both ends. Bytes in transit are lost."""
        self._near.abort()
        self._far.abort()
        self._finish()

    def strand(self) -> None:
        """Send a TCP reset to the client only. The target notices nothing and gets no bytes in transit."""
        self.change(frozen=True)
        self._near.abort()

    def _obey(self) -> None:
        for lane, deaf in ((self._up, self._weather.deaf_up), (self._down, self._weather.deaf_down)):
            lane.obey(self._weather.frozen, deaf, self._weather.delay)

    def _lost(self) -> None:
        """Close the other end after all bytes in transit have arrived there."""
        if self._over or self._weather.frozen:
            return
        for lane in (self._up, self._down):
            if lane.source.is_lost:
                lane.source_left()
        if self._near.is_lost and self._far.is_lost:
            self._finish()

    def _finish(self) -> None:
        if not self._over:
            self._over = True
            self._ended(self)


class _Lane:
    """One direction: reads from `source`, writes to `sink`, in order."""

    def __init__(self, source: "_End", sink: "_End") -> None:
        self.source, self._sink = source, sink
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._frozen, self._deaf, self._delay = False, False, 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._leaving = False

    def obey(self, frozen: bool, deaf: bool, delay: float) -> None:
        self._frozen, self._deaf, self._delay = frozen, deaf, delay
        self.steer()
        self._flush()

    def steer(self) -> None:
        """Resume or pause reading."""
        self.source.read(not self._deaf and (self._frozen or not self._sink.full))

    def carry(self, data: bytes) -> None:
        self._waiting.append((time.monotonic() + self._delay, data))
        self._flush()

    def source_left(self) -> None:
        self._leaving = True
        self._flush()

    def _flush(self) -> None:
        now = time.monotonic()
        while self._waiting and not self._frozen and self._waiting[0][0] <= now:
            self._sink.write(self._waiting.popleft()[1])
        if self._waiting and not self._frozen:
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(self._waiting[0][0] - now, self._ring)
        elif self._leaving and not self._waiting:
            self._sink.end()

    def _ring(self) -> None:
        self._timer = None
        self._flush()


class _End(asyncio.Protocol):
    """One of the two sockets of a connection."""

    transport: asyncio.Transport

    def __init__(self, made: "Callable[[_End], None]") -> None:
        self._made = made
        self._feeds: _Lane | None = None
        self._fed_by: _Lane | None = None
        self._tell: Callable[[], None] = lambda: None
        self.is_lost = False
        self.full = False
        """More is on its way to it than it takes."""

    def joins(self, feeds: _Lane, fed_by: _Lane, tell: Callable[[], None]) -> None:
        """Connect this end: its bytes go into `feeds`, and `tell` is called when it closes."""
        self._feeds, self._fed_by, self._tell = feeds, fed_by, tell

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._made(self)

    def data_received(self, data: bytes) -> None:
        if self._feeds is not None:
            self._feeds.carry(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost = True
        self._tell()

    def pause_writing(self) -> None:
        self._filled(True)

    def resume_writing(self) -> None:
        self._filled(False)

    def read(self, on: bool) -> None:
        if not self.is_lost and not self.transport.is_closing():
            (self.transport.resume_reading if on else self.transport.pause_reading)()

    def write(self, data: bytes) -> None:
        if not self.is_lost:
            self.transport.write(data)

    def end(self) -> None:
        """Shut down writing and leave the close to the peer, because a close could discard unread bytes."""
        if not self.is_lost and not self.transport.is_closing():
            self.transport.write_eof()

    def abort(self) -> None:
        peer = self.transport.get_extra_info("socket")
        if peer is not None and peer.family != socket.AF_UNIX:
            with contextlib.suppress(OSError):
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def _filled(self, full: bool) -> None:
        self.full = full
        if self._fed_by is not None:
            self._fed_by.steer()

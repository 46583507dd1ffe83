"""Listening sockets that the supervisor holds for its children."""

import errno
import socket

from transcription_proxy.errors import ConfigError


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises ConfigError with the reason if it cannot be bound."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        raise ConfigError([_bind_problem(host, port, error)]) from error
    return listener


def _bind_problem(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use. Stop the program using it, or set PORT to another one."
    if error.errno == errno.EACCES:
        return f"Port {port} needs root. Set PORT to one above 1023."
    return f"Can't listen on HOST {host}, PORT {port}: {error.strerror}."


def address_of(listener: socket.socket) -> tuple[str, int]:
    """Return host and port by which this machine reaches a listening socket."""
    host, port = listener.getsockname()[:2]
    return reachable(host), port


def reachable(host: str) -> str:
    """Return the host by which this machine reaches a socket that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound

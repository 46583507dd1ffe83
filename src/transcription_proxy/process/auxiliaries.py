"""The bundled speech engine and the sandbox Stripe as children of the supervisor."""

import secrets
import socket
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from transcription_proxy.config import Settings
from transcription_proxy.errors import ConfigError
from transcription_proxy.payments import sandboxed
from transcription_proxy.process.child import Child, Inherited
from transcription_proxy.process.sockets import address_of, listen


def builtin_engine(command: Sequence[str], loopback: socket.socket, pipe: int) -> tuple[Child, dict[str, str]]:
    """Return the engine's child, and the variables with which workers reach it.

    The supervisor holds the engine's socket: while the engine restarts, connections queue in the kernel.
    """
    key, (host, port) = secrets.token_urlsafe(32), loopback.getsockname()
    env = {"PARENT_FD": str(pipe), "ENGINE_FD": str(loopback.fileno()), "ENGINE_KEY": key}
    child = Child("engine", command, Inherited(env, (pipe, loopback.fileno())))
    return child, {"DEEPGRAM_URL": f"ws://{host}:{port}", "DEEPGRAM_API_KEY": key, "BUILTIN_ENGINE": "1"}


def sandbox_listener(settings: Settings) -> socket.socket:
    """Listen on SANDBOX_PORT, or on the port of the last run, so that bookmarks stay valid, or else on any port."""
    if settings.sandbox_port is not None:
        return listen(settings.host, settings.sandbox_port)
    try:
        return listen(settings.host, sandboxed.make(settings.data_dir).port)
    except ConfigError:
        return listen(settings.host, 0)


def sandbox(command: Sequence[str], listener: socket.socket, settings: Settings, pipe: int) -> Child:
    """Return the child of the sandbox Stripe, and write its address into DATA_DIR."""
    account = sandboxed.keep(settings.data_dir, sandboxed.make(settings.data_dir), *address_of(listener))
    service = replace(account, port=settings.port)
    env = {
        "PARENT_FD": str(pipe),
        "SANDBOX_FD": str(listener.fileno()),
        "SANDBOX_KEY": account.key,
        "SANDBOX_SELLER": settings.site_name,
        "SANDBOX_STATE": str(sandboxed.state_file(settings.data_dir)),
        "SANDBOX_URL": sandbox_url(settings, listener),
        "SANDBOX_WEBHOOK_URL": f"{service.api_base}/webhooks/stripe",
        "SANDBOX_WEBHOOK_SECRET": account.webhook_secret,
    }
    return Child("sandbox", command, Inherited(env, (pipe, listener.fileno())))


def sandbox_url(settings: Settings, listener: socket.socket) -> str:
    """Return the sandbox's URL for browsers: on the host of the service."""
    host = urlsplit(settings.public_url).hostname or "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"

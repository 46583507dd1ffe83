"""`python -m transcription_sandbox`: a stand-in for Stripe, on an inherited socket (SANDBOX_FD) or on --port.

Options override SANDBOX_KEY, SANDBOX_URL, SANDBOX_WEBHOOK_URL, SANDBOX_WEBHOOK_SECRET,
SANDBOX_SHOP and SANDBOX_STATE."""

import argparse
import asyncio
import logging
import os
import socket
import sys
from pathlib import Path

from transcription_sandbox.delivery import Endpoint
from transcription_sandbox.server import Options, serve


def main() -> None:
    """Serves until SIGTERM, or until the parent is gone."""
    arguments = _arguments()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    if bool(arguments.webhook_url) != bool(arguments.webhook_secret):
        sys.exit("Webhooks need both an address and a signing secret. Set both.")
    listener = _listener(arguments.port)
    host, port = listener.getsockname()[:2]
    options = Options(
        key=arguments.key,
        site=(arguments.url or f"http://{host}:{port}").rstrip("/"),
        shop=arguments.shop,
        state=arguments.state,
        endpoint=Endpoint(arguments.webhook_url, arguments.webhook_secret) if arguments.webhook_url else None,
    )
    parent = os.environ.get("PARENT_FD")
    asyncio.run(serve(listener, options, int(parent) if parent is not None else None))


def _arguments() -> argparse.Namespace:
    env = os.environ.get
    parser = argparse.ArgumentParser(prog="transcription_sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=3200, help="port on 127.0.0.1, if no socket is inherited")
    parser.add_argument("--key", default=env("SANDBOX_KEY", "sk_test_sandbox"), help="API key to accept")
    parser.add_argument("--url", default=env("SANDBOX_URL"), help="base URL of the pages, as browsers reach them")
    parser.add_argument("--shop", default=env("SANDBOX_SHOP", "Example Store"), help="name that customers see")
    parser.add_argument("--webhook-url", default=env("SANDBOX_WEBHOOK_URL"), help="URL to send events to")
    parser.add_argument("--webhook-secret", default=env("SANDBOX_WEBHOOK_SECRET"), help="secret to sign events with")
    parser.add_argument(
        "--state", type=Path, default=env("SANDBOX_STATE", "sandbox.sqlite3"), help="file to keep state in"
    )
    return parser.parse_args()


def _listener(port: int) -> socket.socket:
    inherited = os.environ.get("SANDBOX_FD")
    if inherited is not None:
        return socket.socket(fileno=int(inherited))
    try:
        return socket.create_server(("127.0.0.1", port), backlog=128)
    except OSError as error:
        sys.exit(f"Can't use port {port} ({error.strerror}). Choose another with --port.")


if __name__ == "__main__":
    main()

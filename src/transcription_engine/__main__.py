"""`python -m transcription_engine`: the built-in engine, on an inherited socket (ENGINE_FD) or on --port."""

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys

from transcription_engine.model import Model
from transcription_engine.recognizer import OpenStream
from transcription_engine.server import Engine


def main() -> None:
    """Serve until SIGTERM, or until the parent process ends."""
    parser = argparse.ArgumentParser(prog="transcription_engine", description=__doc__)
    parser.add_argument("--port", type=int, default=3100, help="port on 127.0.0.1, if no socket is inherited")
    port = parser.parse_args().port
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # it logs a traceback for each handshake cut short
    listener = _listener(port)
    engine_key = os.environ.get("ENGINE_KEY") or None
    asyncio.run(_run(listener, Model().stream, engine_key))


async def _run(listener: socket.socket, open_stream: OpenStream, key: str | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    parent = os.environ.get("PARENT_FD")
    if parent is not None:
        loop.add_reader(int(parent), stop.set)  # the pipe's other end is closed when the parent dies
    await Engine(open_stream, key).serve(listener, stop)


def _listener(port: int) -> socket.socket:
    inherited = os.environ.get("ENGINE_FD")
    if inherited is not None:
        return socket.socket(fileno=int(inherited))
    try:
        return socket.create_server(("127.0.0.1", port), backlog=128)
    except OSError as error:
        sys.exit(f"Can't use port {port} ({error.strerror}). Choose another with --port.")


if __name__ == "__main__":
    main()

"""`transcription-client`: log in, see what is left, and turn sound into live captions."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from transcription_client import audio, net, ui
from transcription_client.core import Format, length
from transcription_client.errors import ClientError
from transcription_client.store import Store

DEFAULT_SERVER: Final = "http://127.0.0.1:3000"
app = typer.Typer(
    help="Live captions from a transcription-proxy service.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Server = Annotated[
    str | None, typer.Option(help="The service's address.", envvar="TRANSCRIPTION_SERVER", show_default=DEFAULT_SERVER)
]


@app.command(epilog="Example: transcription-client login --register --email me@example.com")
def login(
    server: Server = None,
    email: Annotated[str | None, typer.Option(help="Your address; asked for when missing.")] = None,
    register: Annotated[bool, typer.Option("--register", help="Make a new account.")] = False,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from a pipe.")] = False,
) -> None:
    """Log in; the login is kept in a file that only you can read. TRANSCRIPTION_PASSWORD may hold the password."""
    store = Store()
    known = store.load()
    api = net.Api(server or (known.server if known else DEFAULT_SERVER))
    address = email or typer.prompt("E-mail", err=True)
    entered = api.enter(address, _password(password_stdin, confirm=register), register=register)
    store.save(entered)
    balance = api.balance(entered.token)
    typer.echo(f"Logged in as {entered.email} at {entered.server}: {length(balance['seconds_remaining'])} left.")


@app.command(epilog="Example: transcription-client logout")
def logout() -> None:
    """Forget the login, here and at the service."""
    store = Store()
    known = store.load()
    store.forget()
    if known is not None:
        net.Api(known.server).leave(known)
    typer.echo("Logged out.")


@app.command(epilog="Example: transcription-client balance --json")
def balance(as_json: Json = False) -> None:
    """Show the minutes that are left."""
    current = net.current(Store())
    answer = net.Api(current.server).balance(current.token)
    if as_json:
        typer.echo(json.dumps(answer))
    else:
        held = f" ({length(answer['seconds_held'])} held by live sessions)" if answer["seconds_held"] else ""
        typer.echo(f"{current.email}: {length(answer['seconds_remaining'])} left{held}.")


@app.command(
    epilog="Examples: transcription-client transcribe talk.mp3 | "
    "arecord -f S16_LE -r 16000 -t raw | transcription-client transcribe -"
)
def transcribe(
    source: Annotated[str, typer.Argument(metavar="FILE|-", help="A file of sound, or - for raw audio on a pipe.")],
    fast: Annotated[bool, typer.Option("--fast", help="Send a file as fast as the service takes it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the service's messages, one a line.")] = False,
    model: Annotated[str, typer.Option(help="The speech model.")] = "nova-2",
    language: Annotated[str, typer.Option(help="The language spoken.")] = "en-US",
    encoding: Annotated[str, typer.Option(help="Of raw audio: linear16, linear32, mulaw or alaw.")] = "linear16",
    rate: Annotated[int, typer.Option(help="Of raw audio, Hz.")] = 16000,
    channels: Annotated[int, typer.Option(help="Of raw audio.")] = 1,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any other option, such as diarize=true.")
    ] = None,
) -> None:
    """Print live captions of a file or of raw audio. Ctrl-C ends properly, with the receipt; twice, at once."""
    raw = source == "-"
    sound = Format(encoding, rate, channels) if raw else Format()
    config = {**_config(settings or []), "model": model, "language": language}
    config |= {"encoding": sound.encoding, "sample_rate": sound.sample_rate, "channels": sound.channels}
    coming = audio.from_stdin() if raw else audio.from_file(_existing(source), sound, fast=fast)
    asyncio.run(_transcribe(config, coming, as_json=as_json))


async def _transcribe(config: dict[str, Any], coming: AsyncIterator[bytes], *, as_json: bool) -> None:
    current = await asyncio.to_thread(net.current, Store())
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(_interrupt, interrupted))
    with ui.Screen(as_json=as_json) as screen:
        end = await net.transcribe(current, config, coming, interrupted, screen.show)
    if end is not None:
        screen.receipt(end)
    if end is None or end.reason != "client_stop":
        raise typer.Exit(1)


def _interrupt(interrupted: asyncio.Event) -> None:
    if interrupted.is_set():
        os._exit(130)
    interrupted.set()


def _config(settings: list[str]) -> dict[str, Any]:
    """`key=value` pairs; a repeated key becomes a list, and what is JSON is taken as such."""
    config: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise ClientError(f"--set {setting}: write KEY=VALUE, such as diarize=true.")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        config[key] = (
            [*(config[key] if isinstance(config[key], list) else [config[key]]), value] if key in config else value
        )
    return config


def _existing(source: str) -> Path:
    path = Path(source)
    if not path.is_file():
        raise ClientError(f"There is no file {source}: check the name.")
    return path


def _password(from_stdin: bool, *, confirm: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    given = os.environ.get("TRANSCRIPTION_PASSWORD")
    return given or str(typer.prompt("Password", hide_input=True, confirmation_prompt=confirm, err=True))


def main() -> None:
    """The program: errors are one sentence on standard error, and status 1."""
    try:
        app()
    except ClientError as error:
        ui.complain(str(error))
        sys.exit(1)

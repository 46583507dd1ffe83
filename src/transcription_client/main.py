"""The program `transcription-client`: log in, show the balance, and caption audio live."""

import asyncio
import io
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from transcription_client import audio, launch, net, output, ui
from transcription_client.core import FastPace, Format, Pace
from transcription_client.errors import ClientError
from transcription_client.flow import Source
from transcription_client.microphone import microphone
from transcription_client.store import Store
from transcription_client.transcription import Transcription
from transcription_wire.lengths import length
from transcription_wire.version import VERSION

DEFAULT_SERVER: Final = "http://127.0.0.1:3000"
SAME_SIGNAL_SECONDS: Final = 0.5
"""A second signal within this time is ignored, since timeout(1) and supervisors also signal the process group."""
OPTIONS: Final = {
    "model": "--model",
    "language": "--language",
    "encoding": "--encoding",
    "sample_rate": "--rate",
    "channels": "--channels",
}
"""Keys that have an option of their own, so that `--set` refuses them."""
app = typer.Typer(
    help="Get live captions from a transcription-proxy service.",
    epilog="\b\nExamples:\n  transcription-client login --register\n  transcription-client transcribe talk.mp3",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"transcription-client {VERSION}")
        raise typer.Exit


@app.callback()
def _program(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that all commands share."""


Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Server = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help=f"Address of the service. Default: your last one, or {DEFAULT_SERVER}.",
        envvar="TRANSCRIPTION_SERVER",
    ),
]
Start = Callable[[], AbstractContextManager[Source]]


@app.command(epilog="Example: transcription-client login --register --email me@example.com")
def login(
    server: Server = None,
    email: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Your email. Asked for if missing.")] = None,
    register: Annotated[bool, typer.Option("--register", help="Create a new account.")] = False,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from a pipe.")] = False,
) -> None:
    """Log in, or create an account.

    Your login is saved in a file only you can read. You're asked for the password unless TRANSCRIPTION_PASSWORD is set.
    """
    store = Store()
    known = store.load()
    api = net.Api(server or (known.server if known else DEFAULT_SERVER))
    address = email or _asked("Email")
    entered = api.enter(address, _password(password_stdin, new=register), register=register)
    with store.locked():
        store.save(entered)
    left = api.balance(entered.token).seconds_remaining
    typer.echo(f"Logged in as {entered.email} at {entered.server}: {length(left)} left.")


@app.command(epilog="Example: transcription-client logout")
def logout() -> None:
    """Log out on this machine and at the service."""
    store = Store()
    with store.locked():
        known = store.load()
        store.forget()
    if known is not None:
        try:
            net.Api(known.server).leave(known)
        except ClientError as error:
            raise ClientError(f"Logged out on this machine, but the service doesn't know yet. {error}") from error
    typer.echo("Logged out.")


@app.command(epilog="Example: transcription-client balance --json")
def balance(as_json: Json = False) -> None:
    """Show how many minutes you have left."""
    current = net.current(Store())
    answer = net.Api(current.server).balance(current.token)
    if as_json:
        typer.echo(msgspec.json.encode(answer).decode())
    else:
        held = f" ({length(answer.seconds_held)} reserved for live sessions)" if answer.seconds_held else ""
        typer.echo(f"{current.email}: {length(answer.seconds_remaining)} left{held}.")


@app.command(
    epilog="\b\nExamples:\n  transcription-client transcribe talk.mp3\n  transcription-client transcribe --mic\n"
    "  transcription-client transcribe talk.mp3 --fast --srt talk.srt\n"
    "  arecord -f S16_LE -r 16000 -t raw | transcription-client transcribe -"
)
def transcribe(
    context: typer.Context,
    source: Annotated[
        str | None, typer.Argument(metavar="FILE|-", help="An audio file, or - for raw audio from a pipe.")
    ] = None,
    mic: Annotated[bool, typer.Option("--mic", help="Listen to the microphone until Ctrl-C.")] = False,
    device: Annotated[
        str | None, typer.Option(metavar="NAME", help="Microphone to use: its number or part of its name.")
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Send a file as fast as its captions come back.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the service's JSON messages, one per line.")] = False,
    srt: Annotated[
        Path | None, typer.Option("--srt", metavar="FILE", help="Save the captions as subtitles when done.")
    ] = None,
    output_file: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="Save the captions when done: .srt, .vtt, .json, or else text."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Speech model. Default: what the service suggests.")
    ] = None,
    language: Annotated[str, typer.Option(metavar="CODE", help="Language spoken.")] = "en-US",
    encoding: Annotated[
        str, typer.Option(metavar="NAME", help="Raw audio: linear16, linear32, mulaw or alaw.")
    ] = "linear16",
    rate: Annotated[int, typer.Option(metavar="HZ", min=1, help="Raw audio: sample rate.")] = 16000,
    channels: Annotated[int, typer.Option(metavar="NUMBER", min=1, help="Raw audio: channels.")] = 1,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any other option, such as diarize=true.")
    ] = None,
) -> None:
    """Caption a file, the microphone or raw audio.

    A file is sent at the speed it was spoken. Press Ctrl-C to stop and get a receipt, twice to quit immediately. The
    exit status is 0 when done or stopped, 1 after an error, 130 after quitting.

    If the connection drops, the client retries for a minute and resends up to 60 s of audio. You may be billed twice
    for those seconds. The receipt includes them.
    """
    _check_use(context, source, mic=mic, device=device)
    chosen = _config(settings or []) | {"language": language} | ({} if model is None else {"model": model})
    sound = Format(encoding, rate, channels) if source == "-" else Format()
    start: Start
    if source is None:
        start = partial(microphone, device)
    elif source == "-":
        start = lambda: nullcontext(Source(audio.from_stdin(), sound))  # noqa: E731 - short, and used once
    else:
        pace = FastPace(sound) if fast else Pace(sound)
        decoded = audio.from_file(Path(source), sound)
        start = lambda: nullcontext(Source(audio.paced(decoded, sound, pace), sound, on_words=pace.note_words))  # noqa: E731
    chosen |= {"encoding": sound.encoding, "sample_rate": sound.sample_rate, "channels": sound.channels}
    asyncio.run(_transcribe(chosen, start, _record(srt, output_file), as_json=as_json))


@app.command(epilog="\b\nExamples:\n  transcription-client gui\n  transcription-client gui --audio talk.mp3 --start")
def gui(
    audio_file: Annotated[
        Path | None, typer.Option("--audio", metavar="FILE", help="Caption a file in place of the microphone.")
    ] = None,
    start: Annotated[bool, typer.Option("--start", help="Start captions at once.")] = False,
) -> None:
    """Open the caption window.

    It shows live captions on your screen, and serves them to OBS on this computer if you like.
    """
    run = launch.window()
    raise typer.Exit(run(None if audio_file is None else lambda _: audio.FileSource(audio_file), start))


def _record(srt: Path | None, output_file: Path | None) -> output.Record:
    """For the files that were asked for. Raises ClientError where one cannot be written."""
    files = [] if srt is None else [output.File(srt, output.as_srt)]
    if output_file is not None:
        files.append(output.File(output_file, output.by_extension(output_file)))
    return output.Record(files)


class _WrongUse(typer.BadParameter):
    """A wrong combination of options, whose message is printed without a prefix."""

    def format_message(self) -> str:
        return self.message


def _check_use(context: typer.Context, source: str | None, *, mic: bool, device: str | None) -> None:
    if source is None and not mic:
        raise _WrongUse("Give a FILE, - or --mic", ctx=context)
    if source is not None and (mic or device is not None):
        raise _WrongUse(f"{source} and {'--mic' if mic else '--device'} can't be combined", ctx=context)


async def _transcribe(config: dict[str, Any], start: Start, record: output.Record, *, as_json: bool) -> None:
    with start() as source:
        store = Store()
        login = await asyncio.to_thread(net.current, store)
        config = await asyncio.to_thread(net.with_model, config, login.server)
        with ui.Screen(as_json=as_json) as screen, _interruptions(screen) as interrupted:
            renew = partial(net.renewed, store)
            transcription = Transcription(login, renew, config, screen, interrupted, keep=record.add)
            captioned = False
            try:
                captioned = await transcription.run(source)
            finally:
                record.write(complete=captioned)  # what came before an error is kept too
    if not captioned:
        raise typer.Exit(1)


@contextmanager
def _interruptions(screen: ui.Screen) -> Iterator[asyncio.Event]:
    """Yield an event that Ctrl-C or SIGTERM sets. A second signal ends the program at once."""
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    counts_from = 0.0

    def interrupt() -> None:
        nonlocal counts_from
        if not interrupted.is_set():
            counts_from = loop.time() + SAME_SIGNAL_SECONDS
            interrupted.set()
        elif loop.time() > counts_from:
            screen.restore()
            os._exit(130)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(interrupt))
    try:
        yield interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _config(settings: list[str]) -> dict[str, Any]:
    """Read `key=value` pairs. A repeated key becomes a list; a value that is JSON is read as JSON."""
    config: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise ClientError(f"--set {setting}: use KEY=VALUE, such as diarize=true.")
        if key in OPTIONS:
            raise ClientError(f"--set {setting}: use {OPTIONS[key]} instead.")
        value = _value(text)
        if key in config:
            before = config[key]
            value = [*(before if isinstance(before, list) else [before]), value]
        config[key] = value
    return config


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _password(from_stdin: bool, *, new: bool) -> str:
    if from_stdin:
        given = sys.stdin.readline().rstrip("\r\n") if sys.stdin else ""
        if not given:
            raise ClientError("No password on standard input. Pipe it in as one line.")
        return given
    return os.environ.get("TRANSCRIPTION_PASSWORD") or _asked("Password", hide_input=True, confirmation_prompt=new)


def _asked(what: str, **options: Any) -> str:
    if sys.stdin is None or not sys.stdin.isatty():
        raise ClientError(
            f"{what} is missing, and there's no terminal to ask on. "
            "Use --email, and TRANSCRIPTION_PASSWORD or --password-stdin."
        )
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # so that Ctrl-C restores the terminal's echo
    try:
        return str(typer.prompt(what, err=True, **options))
    finally:
        signal.signal(signal.SIGINT, before)


def main() -> None:
    """Run the command line. Print each error as a sentence on standard error. Exit status 2: the command is wrong.

    Outside of a transcription and a prompt, Ctrl-C ends the program at once, because __main__ restored SIG_DFL.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # for a terminal whose encoding lacks a character
    try:
        sys.exit(app(standalone_mode=False))
    except ClientError as error:
        ui.complain(str(error))
        sys.exit(1)
    except typer.TyperException as error:
        typer.echo(_corrected(error), err=True)
        sys.exit(error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python prints an error as it exits
        sys.exit(1)


def _corrected(error: typer.TyperException) -> str:
    """Return what is wrong with the command, or the help where it is incomplete."""
    message, context = error.format_message(), getattr(error, "ctx", None)
    if context is None or message.startswith("Usage:"):
        return message
    return f"{message.rstrip('.')}. See {context.command_path} --help."

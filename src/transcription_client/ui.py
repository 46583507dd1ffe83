"""Shows a transcription: words redrawn in place on a terminal, lines of text in a pipe, or the JSON messages."""

import sys
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from transcription_client.core import Captions, printable, receipt
from transcription_client.net import Receipt
from transcription_wire import messages as wire
from transcription_wire.lengths import exactly

ESCAPED: Final = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}
"""Control characters that JSON allows unescaped, with their escape sequences."""


class Screen:
    """Shows one transcription. At the end of its context, it prints errors and the receipt below the words."""

    def __init__(self, *, as_json: bool = False, console: Console | None = None) -> None:
        self._as_json = as_json
        # with FORCE_COLOR set, rich would redraw even in a file
        self._console = console or Console(highlight=False, force_terminal=None if _is_terminal() else False)
        self._captions = Captions()
        self._errors: list[str] = []
        self._gap_shown = False
        self._live = (
            Live(
                console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
            )
            if self._console.is_terminal and not self._console.is_dumb_terminal and not as_json
            else None
        )

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.update(self._below())
            self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.restore()
        for message in self._errors:
            complain(message)
        if self._captions.gap_seconds:
            complain(f"{exactly(self._captions.gap_seconds)} of audio were lost and have no captions.")
        if self._captions.tally.parts and not self._as_json:
            self._print_receipt(receipt(self._captions, explained=bool(self._errors)))

    def restore(self) -> None:
        """Leave the terminal as it was before, with the final words on it."""
        if self._live is not None:
            self._live.stop()

    def show(self, message: wire.ServerMessage, text: str, *, repeated: bool = False) -> None:
        """Show a message. `text`: the message as it came. `repeated`: its words were shown before."""
        if isinstance(message, wire.Ready) and self._captions.reconnecting is not None:
            self._remark("Reconnected.")
            self._gap_shown = False
        if isinstance(message, wire.Error):
            self._errors.append(message.message)
        final = self._captions.take(message, repeated=repeated)
        self._redraw()
        if isinstance(message, wire.Warning):
            self._warn(message)
        if self._as_json:
            self._print(text.translate(ESCAPED))
        elif final is not None:
            self._print(final)

    def show_reconnecting(self, why: str, tries: int) -> None:
        """Show that the connection was lost, and that the client tries for the `tries`th time to reconnect."""
        self._captions.reconnecting = f"try {tries}: {printable(why).rstrip('.')}"
        self._redraw()
        self._remark(f"Reconnecting... ({self._captions.reconnecting})")

    def show_delay(self, seconds: float) -> None:
        """Show how many seconds the connection delays the words; 0 where the delay is over."""
        was_late, self._captions.connection_delay = self._captions.connection_delay > 0, seconds
        self._redraw()
        if (seconds > 0) is not was_late:
            late = f"The connection is slow. Captions are {seconds:.0f} s behind."
            self._remark(late if seconds else "The connection is back to normal.")

    def clear_errors(self) -> None:
        """Forget the errors so far."""
        self._errors.clear()

    def show_gap(self, seconds: float) -> None:
        """Show that this many seconds of audio were dropped."""
        self._captions.gap_seconds += seconds
        self._redraw()
        if not self._gap_shown:
            self._gap_shown = True
            self._remark("Offline for too long. The oldest audio is being dropped.")

    def show_receipt(self, session: Receipt) -> None:
        """Take in the receipt of a session that was lost."""
        reason = session.reason or "client_gone"
        self._captions.tally.record_receipt(session.id, session.seconds_used, session.audio_seconds or 0.0, reason)

    def show_balance(self, seconds: int) -> None:
        """Show the present balance."""
        self._captions.seconds_remaining = seconds

    def _redraw(self) -> None:
        if self._live is not None:
            self._live.update(self._below(), refresh=True)

    def _warn(self, warning: wire.Warning) -> None:
        """Show a warning. On a terminal the status line shows `behind` already."""
        if self._live is None:
            complain(warning.message)
        elif warning.code != "behind":
            self._print(printable(warning.message))

    def _remark(self, line: str) -> None:
        """Print a line where there is no status line."""
        if self._live is None:
            complain(line)

    def _print(self, line: str) -> None:
        """Print a line: wrapped at words on a terminal, elsewhere as it is."""
        if self._live is not None:
            self._console.print(Text(line))
        else:
            print(line, file=self._console.file, flush=True)

    def _print_receipt(self, line: str) -> None:
        """Print the receipt: on standard error if the words go into a pipe."""
        if self._live is not None:
            self._console.print(Text(line, style="bold"))
        else:
            print(line, file=sys.stderr)  # noqa: T201

    def _below(self) -> Group:
        """Return what is redrawn: the interim words and the status line."""
        lines = [Text(self._captions.status(), style="dim")]
        if self._captions.interim:
            lines.insert(0, Text(self._captions.interim, style="italic"))
        return Group(*lines)


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def complain(message: str) -> None:
    """Print a sentence on standard error."""
    print(printable(message), file=sys.stderr)  # noqa: T201

"""What is seen: words redrawn in place on a terminal, lines of text in a pipe, or the messages as they are."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from transcription_client.core import Captions, printable, receipt
from transcription_wire import messages as wire


class Screen:
    """Shows one transcription. Use as a context manager."""

    def __init__(self, *, as_json: bool = False) -> None:
        self._as_json = as_json
        self._console = Console(highlight=False, soft_wrap=False)
        self._errors = Console(stderr=True, highlight=False)
        self._captions = Captions()
        live = self._console.is_terminal and not as_json
        self._live = Live(console=self._console, auto_refresh=False, transient=True) if live else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
            self._redraw()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, message: wire.ServerMessage, text: str) -> None:
        """Takes in a message; `text` is how it came."""
        final = self._captions.take(message)
        if self._as_json:
            print(text, flush=True)  # noqa: T201 - the output that was asked for
        elif final is not None:
            self._console.print(Text(final))
        if isinstance(message, wire.Error):
            self._errors.print(Text(printable(message.message)))
        self._redraw()

    def receipt(self, end: wire.SessionEnd) -> None:
        """The last line, on standard error when the words go into a pipe."""
        if not self._as_json:
            where = self._console if self._console.is_terminal else self._errors
            where.print(Text(receipt(end, self._captions), style="bold"))

    def _redraw(self) -> None:
        if self._live is not None:
            lines = [Text(self._captions.status(), style="dim")]
            if self._captions.interim:
                lines.insert(0, Text(self._captions.interim, style="italic"))
            self._live.update(Group(*lines), refresh=True)


def complain(message: str) -> None:
    """One sentence on standard error."""
    print(printable(message), file=sys.stderr)  # noqa: T201

"""What is seen: words redrawn in place on a terminal, lines of text in a pipe, or the messages as they are."""

import sys
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from transcription_client.core import Captions, printable, receipt
from transcription_wire import messages as wire

ESCAPED: Final = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}
"""Control characters that JSON allows as they are."""


class Screen:
    """Shows one transcription. Use as a context manager: errors and the receipt come at the end, below the words."""

    def __init__(self, *, as_json: bool = False, console: Console | None = None) -> None:
        self._as_json = as_json
        self._console = console or Console(highlight=False)
        self._captions = Captions()
        self._errors: list[str] = []
        self._end: wire.SessionEnd | None = None
        self._live = (
            Live(
                console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
            )
            if self._console.is_terminal and not as_json
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
        if self._end is not None and not self._as_json:
            self._print_receipt(receipt(self._end, self._captions))

    def restore(self) -> None:
        """Leaves the terminal as it was, with the words that are final."""
        if self._live is not None:
            self._live.stop()

    def show(self, message: wire.ServerMessage, text: str) -> None:
        """Takes in a message; `text` is how it came."""
        final = self._captions.take(message)
        match message:
            case wire.Error():
                self._errors.append(message.message)
            case wire.SessionEnd():
                self._end = message
        if self._live is not None:
            self._live.update(self._below(), refresh=True)
        if self._as_json:
            self._print(text.translate(ESCAPED))
        elif final is not None:
            self._print(final)

    def _print(self, line: str) -> None:
        """Wrapped at words on a terminal; elsewhere as one line."""
        if self._live is not None:
            self._console.print(Text(line))
        else:
            print(line, file=self._console.file, flush=True)

    def _print_receipt(self, line: str) -> None:
        """On standard error when the words go into a pipe."""
        if self._live is not None:
            self._console.print(Text(line, style="bold"))
        else:
            print(line, file=sys.stderr)  # noqa: T201

    def _below(self) -> Group:
        """What is redrawn: the words that may still change, and the status."""
        lines = [Text(self._captions.status(), style="dim")]
        if self._captions.interim:
            lines.insert(0, Text(self._captions.interim, style="italic"))
        return Group(*lines)


def complain(message: str) -> None:
    """One sentence on standard error."""
    print(printable(message), file=sys.stderr)  # noqa: T201

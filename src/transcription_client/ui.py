"""What is seen: words redrawn in place on a terminal, lines of text in a pipe, or the messages as they are."""

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
"""Control characters that JSON allows as they are."""


class Screen:
    """Shows one transcription. Use as a context manager: errors and the receipt come at the end, below the words."""

    def __init__(self, *, as_json: bool = False, console: Console | None = None) -> None:
        self._as_json = as_json
        # rich takes FORCE_COLOR, even for a file, as the word of a terminal that can redraw
        self._console = console or Console(highlight=False, force_terminal=None if _is_terminal() else False)
        self._captions = Captions()
        self._errors: list[str] = []
        self._gap_told = False
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
        """Leaves the terminal as it was, with the words that are final."""
        if self._live is not None:
            self._live.stop()

    def show(self, message: wire.ServerMessage, text: str, *, repeated: bool = False) -> None:
        """Takes in a message; `text` is how it came. `repeated`: its words were shown before."""
        if isinstance(message, wire.Ready) and self._captions.away is not None:
            self._remark("Reconnected.")
            self._gap_told = False
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

    def away(self, why: str, tries: int) -> None:
        """The connection is lost, and sought for the `tries`th time."""
        self._captions.away = f"try {tries}: {printable(why).rstrip('.')}"
        self._redraw()
        self._remark(f"Reconnecting... ({self._captions.away})")

    def late(self, seconds: float) -> None:
        """The connection delays the words by so much; 0: not any more."""
        was_late, self._captions.line_late = self._captions.line_late > 0, seconds
        self._redraw()
        if (seconds > 0) is not was_late:
            late = f"The connection is slow. Captions are {seconds:.0f} s behind."
            self._remark(late if seconds else "The connection is back to normal.")

    def overcome(self) -> None:
        """Errors so far need not be told."""
        self._errors.clear()

    def gap(self, seconds: float) -> None:
        """So much sound is lost."""
        self._captions.gap_seconds += seconds
        self._redraw()
        if not self._gap_told:
            self._gap_told = True
            self._remark("Offline for too long. The oldest audio is being dropped.")

    def found(self, session: Receipt) -> None:
        """The receipt of a session that was lost."""
        reason = session.reason or "client_gone"
        self._captions.tally.found(session.id, session.seconds_used, session.audio_seconds or 0.0, reason)

    def left(self, seconds: int) -> None:
        """What is left by now."""
        self._captions.seconds_remaining = seconds

    def _redraw(self) -> None:
        if self._live is not None:
            self._live.update(self._below(), refresh=True)

    def _warn(self, warning: wire.Warning) -> None:
        """The status line has room for how late the words are, and for nothing else."""
        if self._live is None:
            complain(warning.message)
        elif warning.code != "behind":
            self._print(printable(warning.message))

    def _remark(self, line: str) -> None:
        """Where there is no status line to say it."""
        if self._live is None:
            complain(line)

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


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def complain(message: str) -> None:
    """One sentence on standard error."""
    print(printable(message), file=sys.stderr)  # noqa: T201

"""A small terminal: what a person sees of what a program wrote."""

import re
from itertools import accumulate

_STEP = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])|(\r)|(\n)|([^\x1b\r\n]+)|(\x1b)")


class Terminal:
    """Lines and a cursor. Knows what rich writes, and refuses anything else, such as a title or a colour of its own."""

    def __init__(self) -> None:
        self._lines = [""]
        self._row = self._column = 0
        self.cursor_shown = True

    def write(self, text: str) -> None:
        for mode, number, command, back, down, words, stray in _STEP.findall(text):
            assert not stray, f"an escape sequence of somebody else's: {text!r}"
            if command:
                self._obey(mode + command, number)
            elif back:
                self._column = 0
            elif down:
                self._down()
            else:
                self._put(words)

    def lines(self) -> list[str]:
        """What is seen, without the empty lines at the end."""
        return "\n".join(line.rstrip() for line in self._lines).rstrip().split("\n")

    def _obey(self, command: str, number: str) -> None:
        match command:
            case "m":
                assert number in ("0", "1", "2", "3"), f"style {number}"
            case "A":
                self._row = max(0, self._row - int(number or 1))
            case "K":
                assert number == "2"
                self._lines[self._row] = ""
            case "?l" | "?h":
                assert number == "25"
                self.cursor_shown = command == "?h"
            case _:
                raise AssertionError(f"control {command} {number}")

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self._lines):
            self._lines.append("")

    def _put(self, words: str) -> None:
        line = self._lines[self._row].ljust(self._column)
        self._lines[self._row] = line[: self._column] + words + line[self._column + len(words) :]
        self._column += len(words)


def screen(text: str) -> list[str]:
    """What is seen after all of it."""
    terminal = Terminal()
    terminal.write(text)
    return terminal.lines()


def screens(text: str) -> list[list[str]]:
    """What was seen, one after another: each time the cursor came to rest after a redraw."""
    parts = re.split(r"(?=\r\x1b\[2K)", text)
    return [screen(so_far) for so_far in accumulate(parts)]

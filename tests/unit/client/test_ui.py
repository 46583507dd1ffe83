"""What is seen: on a terminal, in a pipe, and as JSON."""

import io
import json

import pytest
from rich.console import Console

from tests.unit.client.terminal import Terminal, screen, screens
from transcription_client.ui import Screen, complain
from transcription_wire import messages as wire

EVIL = "\x1b[31mred\x1b]0;title\x07\x9b2J\r\n\x1b[1A"
SEEN = " [31mred ]0;title  2J   [1A"
END = wire.SessionEnd(3, 2.5, "client_stop")
RECEIPT = "2.5 s of audio, 3 s used, 9 min 57 s left: finished."


def words(text: str, *, final: bool = False) -> wire.Transcript:
    return wire.Transcript(text, final, 0.9, 0.0, 1.0, final)


STORY: list[wire.ServerMessage] = [
    wire.Ready("id", 600),
    words("it"),
    words("it was a worst"),
    words("It was the best.", final=True),
    words("of"),
    words("Of times.", final=True),
    END,
]


def shown(*messages: wire.ServerMessage, width: int = 60) -> str:
    """What goes to a terminal."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, color_system="standard", width=width, highlight=False)
    with Screen(console=console) as view:
        for message in messages:
            view.show(message, wire.encode(message).decode())
    return file.getvalue().replace("\n", "\r\n")  # as a terminal driver does


def piped(*messages: wire.ServerMessage, as_json: bool = False) -> None:
    with Screen(as_json=as_json) as view:
        for message in messages:
            view.show(message, wire.encode(message).decode())


def test_finals_and_the_receipt_stay_and_nothing_else() -> None:
    assert screen(shown(*STORY)) == ["It was the best.", "Of times.", RECEIPT]


def test_words_that_may_change_are_redrawn_in_place_above_the_status() -> None:
    seen = screens(shown(*STORY))
    status = "0 s used, 10 min 0 s left"
    assert ["0 s used"] in seen
    assert ["it", status] in seen
    assert ["it was a worst", status] in seen
    assert ["It was the best.", status] in seen
    assert ["It was the best.", "of", status] in seen
    assert seen.index(["it", status]) < seen.index(["it was a worst", status])


def test_words_are_never_seen_twice() -> None:
    for lines in screens(shown(words("same words"), words("same words", final=True), words("more"))):
        assert lines.count("same words") <= 1


def test_the_status_says_what_goes_on() -> None:
    seen = screens(shown(wire.Ready("id", 70), wire.CreditsLow(60), wire.UpstreamStatus("reconnecting")))
    assert ["0 s used, 1 min 0 s left - minutes run low"] in seen
    assert seen.count(["0 s used, 1 min 0 s left - reconnecting ..."]) > 0


def test_a_long_line_is_wrapped_at_words() -> None:
    assert screen(shown(words("one two three four", final=True), width=10)) == ["one two", "three four"]


@pytest.mark.parametrize("final", [True, False])
def test_no_escape_sequence_of_the_words_reaches_the_terminal(final: bool) -> None:
    written = shown(words(EVIL, final=final))
    assert any(SEEN in lines for lines in screens(written))  # and Terminal knows no other sequences than ours
    assert "\x07" not in written


def test_markup_in_words_is_only_words() -> None:
    assert screen(shown(words("[bold]loud[/bold] :smile:", final=True))) == ["[bold]loud[/bold] :smile:"]


def test_an_error_comes_below_the_words_and_before_the_receipt(capsys: pytest.CaptureFixture[str]) -> None:
    failed = wire.Error("insufficient_credits", "No minutes are left: buy more\x1b[2J.")
    seen = screen(shown(words("Last words.", final=True), failed, wire.SessionEnd(9, 9.0, "insufficient_credits")))
    assert seen == ["Last words.", "9 s of audio, 9 s used: no minutes are left."]
    assert capsys.readouterr().err == "No minutes are left: buy more [2J.\n"


def test_the_cursor_is_given_back_whatever_happens() -> None:
    file = io.StringIO()
    with (
        pytest.raises(ZeroDivisionError),
        Screen(console=Console(file=file, force_terminal=True, width=40)) as view,
    ):
        view.show(words("half"), "")
        raise ZeroDivisionError
    terminal = Terminal()
    terminal.write(file.getvalue())
    assert terminal.cursor_shown
    assert terminal.lines() == [""]


def test_a_pipe_gets_one_line_for_each_final_however_long(capsys: pytest.CaptureFixture[str]) -> None:
    long = "word " * 100 + "end"
    piped(wire.Ready("id", 600), words("interim"), words(long, final=True), words(EVIL, final=True), END)
    out, err = capsys.readouterr()
    assert out.split("\n") == [long, SEEN, ""]
    assert err == f"{RECEIPT}\n"


def test_json_is_the_messages_as_they_came(capsys: pytest.CaptureFixture[str]) -> None:
    piped(*STORY, as_json=True)
    out, err = capsys.readouterr()
    assert out.splitlines() == [wire.encode(message).decode() for message in STORY]
    assert err == ""


def test_json_says_errors_on_standard_error_too(capsys: pytest.CaptureFixture[str]) -> None:
    piped(wire.Error("busy", "Come back later."), as_json=True)
    out, err = capsys.readouterr()
    assert json.loads(out) == {"type": "error", "code": "busy", "message": "Come back later."}
    assert err == "Come back later.\n"


def test_json_holds_no_control_characters_and_the_same_words(capsys: pytest.CaptureFixture[str]) -> None:
    text = "".join(map(chr, range(256)))
    piped(words(text), as_json=True)
    out = capsys.readouterr().out
    assert json.loads(out)["text"] == text
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in out.removesuffix("\n"))


def test_a_complaint_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    complain("one\ntwo\x1b[2J")
    assert capsys.readouterr().err == "one two [2J\n"

"""What is seen: on a terminal, in a pipe, and as JSON."""

import io
import json

import pytest
from rich.console import Console

from tests.unit.client.terminal import Terminal, screen, screens
from transcription_client.net import Receipt
from transcription_client.ui import Screen, complain
from transcription_wire import messages as wire

EVIL = "\x1b[31mred\x1b]0;title\x07\x9b2J\r\n\x1b[1A"
SEEN = " [31mred ]0;title  2J   [1A"
END = wire.SessionEnd(3, 2.5, "client_stop")
RECEIPT = "Done: 2.5 s of audio, 3 s billed, 9 min 57 s left."


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
    status = "0 s billed, 10 min left"
    assert ["0 s billed"] in seen
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
    assert ["0 s billed, 1 min left - low on minutes"] in seen
    assert seen.count(["0 s billed, 1 min left - reconnecting..."]) > 0


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
    assert seen == ["Last words.", "Ended: 9 s of audio, 9 s billed."]
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


WARNINGS: list[wire.ServerMessage] = [
    wire.Warning("behind", "Words are running 6 s late.", 6.4),
    wire.Warning("too_quiet", "Quiet\x1b[2J."),
    wire.Warning("behind", "Words are on time again.", 0.0),
]


def test_warnings_are_seen_in_a_pipe_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    piped(words("One.", final=True), *WARNINGS)
    assert capsys.readouterr() == ("One.\n", "Words are running 6 s late.\nQuiet [2J.\nWords are on time again.\n")


def test_warnings_are_seen_on_a_terminal_and_late_words_in_the_line_below() -> None:
    written = shown(words("One.", final=True), words("two"), *WARNINGS, words("Two.", final=True))
    assert ["One.", "two", "0 s billed - captions are 6 s behind"] in screens(written)
    assert ["One.", "Quiet [2J.", "two", "0 s billed - captions are 6 s behind"] in screens(written)
    assert screen(written) == ["One.", "Quiet [2J.", "Two."]


def test_words_that_are_withdrawn_leave_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    withdrawn = (words("One.", final=True), words("hm"), words("", final=True))
    seen = screens(shown(*withdrawn))
    assert (seen[-2], seen[-1]) == (["One.", "0 s billed"], ["One."])
    piped(*withdrawn)
    assert capsys.readouterr().out == "One.\n"


def test_a_slow_connection_is_said_when_it_begins_and_when_it_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    with Screen() as view:
        for seconds in (4.2, 5.2, 0.0):
            view.show_delay(seconds)
    assert capsys.readouterr().err.splitlines() == [
        "The connection is slow. Captions are 4 s behind.",
        "The connection is back to normal.",
    ]
    file = io.StringIO()
    with Screen(console=Console(file=file, force_terminal=True, width=60)) as view:
        view.show_delay(5.2)
    assert ["0 s billed - captions are 5 s behind"] in screens(file.getvalue().replace("\n", "\r\n"))
    assert capsys.readouterr().err == ""


def test_a_complaint_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    complain("one\ntwo\x1b[2J")
    assert capsys.readouterr().err == "one two [2J\n"


def lost_and_found(view: Screen) -> None:
    """A session that is lost, another one, and the receipt of the first."""
    before: list[wire.ServerMessage] = [wire.Ready("a", 600), words("One.", final=True), words("two")]
    for message in before:
        view.show(message, wire.encode(message).decode())
    view.show(wire.Error("service_restart", "Connect again."), "{}")
    view.clear_errors()
    view.show_reconnecting("The connection was lost.", 1)
    view.show_reconnecting("the service\x1b[2J is busy", 2)
    after: list[wire.ServerMessage] = [
        wire.Ready("b", 597),
        words("two", final=True),
        wire.SessionEnd(4, 3.2, "client_stop"),
    ]
    for message in after:
        view.show(message, wire.encode(message).decode())
    view.show_receipt(Receipt("a", "completed", 3, 2.5, "client_gone"))
    view.show_balance(593)


SUM = "Done: 5.7 s of audio, 7 s billed in 2 sessions, 9 min 53 s left."


def test_on_a_terminal_the_line_below_says_that_it_reconnects_and_why_and_for_the_how_manieth_time(
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, color_system="standard", width=100, highlight=False)
    with Screen(console=console) as view:
        lost_and_found(view)
    written = file.getvalue().replace("\n", "\r\n")
    seen = screens(written)
    status = "0 s billed, 10 min left - reconnecting... "
    assert ["One.", "two", f"{status}(try 1: The connection was lost)"] in seen
    assert ["One.", "two", f"{status}(try 2: the service [2J is busy)"] in seen
    assert ["One.", "two", "0 s billed, 9 min 57 s left"] in seen
    assert screen(written) == ["One.", "two", SUM]
    assert capsys.readouterr().err == ""


def test_in_a_pipe_standard_error_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with Screen() as view:
        lost_and_found(view)
    out, err = capsys.readouterr()
    assert out == "One.\ntwo\n"
    assert err.splitlines() == [
        "Reconnecting... (try 1: The connection was lost)",
        "Reconnecting... (try 2: the service [2J is busy)",
        "Reconnected.",
        SUM,
    ]


def test_json_has_each_sessions_receipt_and_nothing_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    with Screen(as_json=True) as view:
        for number, reason in enumerate(("service_restart", "client_stop")):
            for message in (wire.Ready(str(number), 600), wire.SessionEnd(3, 2.5, reason)):
                view.show(message, wire.encode(message).decode())
            view.show_reconnecting("the service restarts", 1)
    out, err = capsys.readouterr()
    kinds = [(message["type"], message.get("reason")) for message in map(json.loads, out.splitlines())]
    assert kinds == [
        ("ready", None),
        ("session_end", "service_restart"),
        ("ready", None),
        ("session_end", "client_stop"),
    ]
    assert "Reconnecting... (try 1: the service restarts)\nReconnected.\n" in err


def test_repeated_words_are_not_shown_again_but_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    for as_json in (False, True):
        with Screen(as_json=as_json) as view:
            for repeated in (False, True):
                view.show(words("One.", final=True), "{}", repeated=repeated)
    assert capsys.readouterr().out == "One.\n{}\n{}\n"


def test_without_a_session_there_is_no_receipt(capsys: pytest.CaptureFixture[str]) -> None:
    piped(wire.Error("busy", "Come back later."))
    assert capsys.readouterr() == ("", "Come back later.\n")


def test_dropped_audio_is_shown_once_in_each_outage_and_added_up(capsys: pytest.CaptureFixture[str]) -> None:
    with Screen() as view:
        view.show(wire.Ready("a", 600), "{}")
        for _ in range(2):
            view.show_reconnecting("The connection was lost.", 1)
            for _ in range(15):
                view.show_gap(0.1)
            view.show(wire.Ready("b", 600), "{}")
    told = "Offline for too long. The oldest audio is being dropped."
    lines = capsys.readouterr().err.splitlines()
    assert lines.count(told) == 2
    assert "3 s of audio were lost and have no captions." in lines


def test_sound_that_is_lost_is_seen_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    file = io.StringIO()
    with Screen(console=Console(file=file, force_terminal=True, width=100, highlight=False)) as view:
        view.show_gap(1.5)
    assert ["0 s billed - 1.5 s of audio lost"] in screens(file.getvalue().replace("\n", "\r\n"))
    assert capsys.readouterr().err == "1.5 s of audio were lost and have no captions.\n"


@pytest.mark.parametrize(("name", "value"), [("FORCE_COLOR", "1"), ("TTY_COMPATIBLE", "1"), ("CLICOLOR_FORCE", "1")])
def test_a_file_has_no_escape_sequences_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    piped(*STORY)
    said = capsys.readouterr()
    assert said.out == "It was the best.\nOf times.\n"
    assert "\x1b" not in said.err


def test_a_dumb_terminal_is_not_redrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b" not in shown(*STORY)

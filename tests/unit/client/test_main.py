"""The commands, as far as they go without a service: what is wrong is one sentence, and the exit status says so."""

import io
import sys
from pathlib import Path

import pytest

from tests.unit.client.recordings import record
from tests.unit.client.servers import Http
from transcription_client.main import main
from transcription_client.store import Login, Store


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the login is kept."""
    for name in ("TRANSCRIPTION_PASSWORD", "TRANSCRIPTION_SERVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TRANSCRIPTION_CONFIG_DIR", str(tmp_path / "client"))
    return tmp_path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> "Run":
    return Run(monkeypatch, capsys)


class Run:
    """Runs the program with arguments: exit status, standard output, standard error."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str, stdin: str = "") -> tuple[object, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["transcription-client", *arguments])
        self._monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            main()
        return (ended.value.code or 0, *self._capsys.readouterr())


COMMANDS: list[list[str]] = [[], ["login"], ["logout"], ["balance"], ["transcribe"]]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_an_example(run: Run, command: list[str]) -> None:
    status, out, err = run(*command, "--help")
    assert (status, err) == (0, "")
    assert f"transcription-client {' '.join(command)}".strip() in out.split("Example", 1)[1]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["captions"], "No such command 'captions'. See transcription-client --help."),
        (
            ["balance", "--jason"],
            "No such option: --jason (Possible options: --json). See transcription-client balance",
        ),
        (["transcribe"], "Give a FILE, - or --mic. See transcription-client transcribe --help."),
        (["transcribe", "--device", "2"], "Give a FILE, - or --mic. See transcription-client transcribe"),
        (["transcribe", "a.wav", "--mic"], "a.wav and --mic can't be combined. See transcription-client transcribe"),
        (["transcribe", "-", "--device", "2"], "- and --device can't be combined. See transcription-client transcr"),
        (["transcribe", "-", "--rate", "0"], "Invalid value for '--rate': Input should be greater than or equal to 1"),
        (
            ["transcribe", "-", "--channels", "0"],
            "Invalid value for '--channels': Input should be greater than or equal to 1",
        ),
        (["transcribe", "a.wav", "--rate", "high"], "Invalid value for '--rate': "),
    ],
)
def test_a_wrong_command_is_corrected(run: Run, arguments: list[str], sentence: str) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith(sentence)
    assert err.count("\n") == 1


def test_no_command_shows_the_help(run: Run) -> None:
    status, _, err = run()
    assert status == 2
    assert err.startswith("Usage: transcription-client")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["balance"], "You're not logged in. Run transcription-client login."),
        (["transcribe", "missing.wav"], "No such file: missing.wav. Check the name."),
        (["transcribe", "a.wav", "--set", "diarize"], "--set diarize: use KEY=VALUE, such as diarize=true."),
        (["transcribe", "a.wav", "--set", "model=nova-3"], "--set model=nova-3: use --model instead."),
        (["transcribe", "a.wav", "--set", "sample_rate=8000"], "--set sample_rate=8000: use --rate instead."),
        (["login"], "Email is missing, and there's no terminal to ask on. Use --email, and TRANSCRIPTION_PASSWORD"),
        (["login", "--email", "me@example.com"], "Password is missing, and there's no terminal to ask on. Use"),
        (["login", "--email", "a", "--password-stdin"], "No password on standard input. Pipe it in as one line."),
        (["login", "--server", "here"], "'here' isn't a valid address. Use one like https://"),
    ],
)
def test_what_is_wrong_is_one_sentence(run: Run, arguments: list[str], sentence: str) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (1, "")
    assert err.startswith(sentence)
    assert err.count("\n") == 1


def test_a_file_needs_a_login_too(run: Run, home: Path) -> None:
    path = record(home / "a.wav", 0.1)
    assert run("transcribe", str(path)) == (1, "", "You're not logged in. Run transcription-client login.\n")


ENTERED = {"token": "t", "refresh_token": "r", "expires_in": 3600, "user": {"email": "me@example.com"}}
BALANCE = {"seconds_remaining": 125, "minutes_remaining": 2, "seconds_held": 0, "seconds_frozen": 0}


def test_the_password_may_come_by_a_pipe_or_by_a_variable(
    run: Run, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    http.answers = {"POST /auth/login": (200, ENTERED), "GET /billing/balance": (200, BALANCE)}
    login = ("login", "--server", http.url, "--email", "me@example.com")
    line = f"Logged in as me@example.com at {http.url}: 2 min 5 s left.\n"
    assert run(*login, "--password-stdin", stdin="by a pipe \r\nmore\n") == (0, line, "")
    monkeypatch.setenv("TRANSCRIPTION_PASSWORD", "by a variable")
    assert run(*login) == (0, line, "")
    passwords = [asked.body["password"] for asked in http.asked if asked.body]
    assert passwords == ["by a pipe ", "by a variable"]


def test_the_next_login_is_at_the_same_service(run: Run, http: Http) -> None:
    http.answers = {"POST /auth/login": (200, ENTERED), "GET /billing/balance": (200, BALANCE)}
    Store().save(Login(http.url, "old@example.com", "t", "r", 0.0))
    status, out, _ = run("login", "--email", "me@example.com", "--password-stdin", stdin="secret")
    assert (status, out.split(":")[0]) == (0, "Logged in as me@example.com at http")


def test_what_live_sessions_hold_is_said(run: Run, http: Http) -> None:
    http.answers = {"GET /billing/balance": (200, {**BALANCE, "seconds_held": 45})}
    Store().save(Login(http.url, "me@example.com", "t", "r", 2e10))
    assert run("balance") == (0, "me@example.com: 2 min 5 s left (45 s reserved for live sessions).\n", "")


def test_a_logout_that_the_service_does_not_hear_of_is_no_success(run: Run, nobody: str) -> None:
    Store().save(Login(nobody, "me@example.com", "t", "r", 0.0))
    status, out, err = run("logout")
    assert (status, out) == (1, "")
    assert err.startswith(f"Logged out on this machine, but the service doesn't know yet. Can't reach {nobody}")
    assert Store().load() is None


def test_a_logout_without_a_login_succeeds(run: Run) -> None:
    assert run("logout") == (0, "Logged out.\n", "")


def test_the_help_says_what_a_lost_connection_costs(run: Run) -> None:
    _, out, _ = run("transcribe", "--help")
    text = " ".join(out.split())
    assert "the client retries for a minute and resends up to 60 s of audio" in text
    assert "You may be billed twice for those seconds" in text


def test_a_microphone_that_cannot_be_had_is_one_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    status, out, err = run("transcribe", "--mic")
    assert (status, out) == (1, "")
    assert err == "--mic needs sounddevice. Run pip install sounddevice.\n"

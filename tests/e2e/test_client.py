"""The desktop client against the running service: accounts, captions, ends, and the terminal."""

import asyncio
import json
import os
import signal
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.client import SECOND, sound
from tests.e2e.desktop import Desktop, expired, wav
from tests.e2e.service import Service
from tests.e2e.upstream import Upstream, words
from tests.standin.script import Script
from tests.unit.client.terminal import Terminal, screen, screens

PASSWORD = {"TRANSCRIPTION_PASSWORD": "correct horse battery"}


@pytest.fixture
def desktop(service: Service, tmp_path: Path) -> Desktop:
    return Desktop(service, tmp_path / "settings")


@pytest.fixture
async def known(desktop: Desktop) -> Desktop:
    """A desktop on which a user with an hour of credit is logged in."""
    desktop.log_in_as(await desktop.service.user(3600))
    return desktop


def scripted(upstream: Upstream, script: Script | None = None) -> tuple[dict[str, Any], list[str]]:
    """Return a config that selects this script of the stand-in, and the client's arguments for it."""
    config = upstream.scripted(script or Script())
    return config, ["--set", f"keywords={config['keywords']}"]


async def remaining(desktop: Desktop) -> int:
    out, _ = await desktop.run("balance", "--json")
    return int(json.loads(out)["seconds_remaining"])


async def test_registering_logs_in_and_shows_the_trial(desktop: Desktop) -> None:
    out, err = await desktop.run("login", "--register", "--email", "New@Example.com", env=PASSWORD)
    assert out == f"Logged in as new@example.com at {desktop.service.url}: 10 min left.\n"
    assert err == ""
    assert desktop.login_file.stat().st_mode & 0o777 == 0o600
    assert desktop.folder.stat().st_mode & 0o777 == 0o700
    assert PASSWORD["TRANSCRIPTION_PASSWORD"] not in desktop.login_file.read_text()

    taken = await desktop.refused("login", "--register", "--email", "new@example.com", env=PASSWORD)
    assert taken == "You already have an account. Log in instead."


async def test_logging_in_needs_the_right_password(desktop: Desktop) -> None:
    await desktop.run("login", "--register", "--email", "two@example.com", env=PASSWORD)
    await desktop.run("logout")
    wrong = await desktop.refused("login", "--email", "two@example.com", "--password-stdin", stdin=b"a wrong one\n")
    assert wrong == "Wrong email or password."
    assert not desktop.login_file.exists()
    password = PASSWORD["TRANSCRIPTION_PASSWORD"].encode()
    out, _ = await desktop.run("login", "--email", "two@example.com", "--password-stdin", stdin=password)
    assert out.startswith("Logged in as two@example.com")


def asks(question: str, out: str) -> bool:
    """Return whether a prompt is complete: from its last blank on, typed text is hidden."""
    return question in out.rsplit("\n", maxsplit=1)[-1] and out.endswith(": ")


async def test_a_terminal_prompts_twice_for_a_hidden_password(desktop: Desktop) -> None:
    async with desktop.on_a_terminal("login", "--register") as running:
        for question, answer in (
            ("Email", "typed@example.com"),
            ("Password", "long enough"),
            ("Repeat", "long enough"),
        ):
            await running.until(partial(asks, question))
            running.type(f"{answer}\r")
        assert await running.ended() == 0
    assert "Logged in as typed@example.com" in running.out
    assert "long enough" not in running.out


async def test_a_weak_password_is_refused(desktop: Desktop) -> None:
    weak = await desktop.refused("login", "--register", "--email", "w@example.com", "--password-stdin", stdin=b"short")
    assert weak == "Use at least 8 characters and at most 72 bytes."


async def test_logging_out_ends_the_login_at_both_ends(desktop: Desktop) -> None:
    await desktop.run("login", "--register", "--email", "out@example.com", env=PASSWORD)
    refresh_token = desktop.login()["refresh_token"]
    assert await desktop.run("logout") == ("Logged out.\n", "")
    assert await desktop.refused("balance") == "You're not logged in. Run transcription-client login."
    answer = await desktop.service.http.post("/auth/refresh", json={"refresh_token": refresh_token})
    assert answer.status_code == 401


async def test_the_balance_matches_the_service(desktop: Desktop) -> None:
    user = await desktop.service.user(3600)
    desktop.log_in_as(user)
    out, err = await desktop.run("balance", "--json")
    assert json.loads(out) == await desktop.service.balance(user)
    assert err == ""
    assert await desktop.run("balance") == (f"{user.email}: 1 h left.\n", "")


async def test_concurrent_programs_renew_an_expired_token_once(desktop: Desktop) -> None:
    await desktop.run("login", "--register", "--email", "old@example.com", env=PASSWORD)
    before = desktop.login()
    desktop.keep(**expired(before))
    answers = await asyncio.gather(*(desktop.run("balance", "--json") for _ in range(3)))
    assert {json.loads(out)["seconds_remaining"] for out, _ in answers} == {600}
    after = desktop.login()
    assert after["refresh_token"] != before["refresh_token"]
    assert desktop.login_file.stat().st_mode & 0o777 == 0o600


async def test_a_login_that_cannot_be_renewed_says_what_to_do(desktop: Desktop) -> None:
    await desktop.run("login", "--register", "--email", "gone@example.com", env=PASSWORD)
    login = desktop.login()
    await desktop.run("logout")
    desktop.keep(**expired(login))
    assert (await desktop.refused("balance")).endswith("If this keeps happening, run transcription-client login.")


async def test_json_output_is_the_services_messages(known: Desktop, upstream: Upstream, tmp_path: Path) -> None:
    config, arguments = scripted(upstream)
    audio = sound(12.3)
    path = wav(tmp_path / "talk.wav", audio)
    out, err = await known.run("transcribe", str(path), "--fast", "--json", *arguments)
    assert err == ""
    messages = [json.loads(line) for line in out.splitlines()]
    assert messages[0].keys() == {"type", "session_id", "seconds_remaining"}
    assert (messages[0]["type"], messages[0]["seconds_remaining"]) == ("ready", 3600)
    assert {message["type"] for message in messages} == {"ready", "transcript", "usage", "session_end"}
    transcripts = [message for message in messages if message["type"] == "transcript"]
    needed = {"type", "text", "is_final", "confidence", "start", "duration", "speech_final"}
    assert all(needed <= message.keys() for message in transcripts)
    assert " ".join(message["text"] for message in transcripts if message["is_final"]) == words(25)
    end = {"type": "session_end", "seconds_used": 13, "audio_seconds": 12.3, "reason": "client_stop"}
    assert messages[-1] == end
    (heard,) = upstream.met(config)
    assert bytes(heard.audio) == audio
    assert await remaining(known) == 3600 - 13


async def test_text_output_is_one_line_for_each_final(known: Desktop, upstream: Upstream, tmp_path: Path) -> None:
    _, arguments = scripted(upstream, Script(final_ms=10_000))
    path = wav(tmp_path / "talk.wav", sound(20))
    out, err = await known.run("transcribe", str(path), "--fast", *arguments)
    assert out.splitlines() == [words(20), words(20, first=20)]
    assert err == "Done: 20 s of audio, 20 s billed, 59 min 40 s left.\n"


async def test_a_long_file_is_sent_at_most_ten_seconds_ahead(
    known: Desktop, upstream: Upstream, tmp_path: Path
) -> None:
    late = 0.5
    config, arguments = scripted(upstream, Script(delay=late))
    path = wav(tmp_path / "talk.wav", sound(60))
    out, _ = await known.run("transcribe", str(path), "--fast", *arguments)
    assert out.split() == words(120).split()
    (heard,) = upstream.met(config)
    assert bytes(heard.audio) == sound(60)
    without_a_word = [at for at in heard.audio_at if at < heard.audio_at[0] + late]
    assert len(without_a_word) <= 100 + 10 * late + 1  # ten seconds at once, then in real time


async def test_the_model_is_what_the_service_suggests_unless_it_is_named(
    known: Desktop, upstream: Upstream, tmp_path: Path
) -> None:
    file, models = str(wav(tmp_path / "talk.wav", sound(1))), []
    for arguments in ((), ("--model", "nova-2-meeting")):
        before = upstream.dialled
        await known.run("transcribe", file, "--fast", "--set", "keyterm=Zoë", *arguments)
        (record,) = upstream._standin.records[before:]
        models.append(record.value("model"))
    assert models == ["nova-3", "nova-2-meeting"]


async def test_a_file_can_be_sent_in_real_time(known: Desktop, upstream: Upstream, tmp_path: Path) -> None:
    config, arguments = scripted(upstream)
    path = wav(tmp_path / "talk.wav", sound(2))
    await known.run("transcribe", str(path), *arguments)
    (heard,) = upstream.met(config)
    assert heard.audio_bytes == 2 * SECOND
    assert heard.audio_at[-1] - heard.opened_at >= 2.0


async def test_raw_audio_can_be_piped(known: Desktop, upstream: Upstream) -> None:
    config, arguments = scripted(upstream)
    audio = sound(3.2)
    out, err = await known.run("transcribe", "-", *arguments, stdin=audio)
    assert out.split() == words(7).split()
    assert err == "Done: 3.2 s of audio, 4 s billed, 59 min 56 s left.\n"
    (heard,) = upstream.met(config)
    assert bytes(heard.audio) == audio


async def test_captions_are_saved_as_subtitles_and_by_extension(
    known: Desktop, upstream: Upstream, tmp_path: Path
) -> None:
    _, arguments = scripted(upstream)
    path = wav(tmp_path / "talk.wav", sound(6))
    files = ["--srt", str(tmp_path / "talk.srt"), "--output", str(tmp_path / "talk.json")]
    out, _ = await known.run("transcribe", str(path), "--fast", *files, *arguments)
    finals = out.splitlines()
    assert finals == [words(4, first=first) for first in (0, 4, 8)]
    saved = json.loads((tmp_path / "talk.json").read_text())
    assert [each["text"] for each in saved["segments"]] == finals
    assert [(each["start"], each["end"]) for each in saved["segments"]] == [(0, 2), (2, 4), (4, 6)]
    cues = (tmp_path / "talk.srt").read_text().strip().split("\n\n")
    assert cues[1].splitlines()[:2] == ["2", "00:00:02,000 --> 00:00:04,000"]


async def test_an_unwritable_output_file_is_refused_before_any_audio_is_sent(
    known: Desktop, upstream: Upstream, tmp_path: Path
) -> None:
    config, arguments = scripted(upstream)
    path = wav(tmp_path / "talk.wav", sound(6))
    said = await known.refused("transcribe", str(path), "--srt", str(tmp_path / "none" / "talk.srt"), *arguments)
    assert "talk.srt (No such file or directory). Choose another file." in said
    assert list(upstream.met(config)) == []


async def test_captions_arrive_while_the_pipe_is_open(known: Desktop, upstream: Upstream) -> None:
    _, arguments = scripted(upstream)
    async with known.running("transcribe", "-", *arguments, stdin=subprocess.PIPE) as running:
        assert running.process.stdin is not None
        running.process.stdin.write(sound(2))
        await running.until(lambda out: out == f"{words(4)}\n")
        running.process.stdin.close()
        assert await running.ended() == 0


async def test_options_are_sent_upstream(known: Desktop, upstream: Upstream) -> None:
    config, arguments = scripted(upstream)
    options = ["--model", "nova-3", "--language", "en", "--encoding", "mulaw", "--rate", "8000", "--channels", "2"]
    extras = ["--set", "multichannel=true", "--set", "replace=one:two", "--set", "replace=three:four"]
    await known.run("transcribe", "-", *arguments, *options, *extras, stdin=bytes(32_000))
    (heard,) = upstream.met(config)
    expected = {"model": "nova-3", "language": "en", "encoding": "mulaw", "sample_rate": "8000", "channels": "2"}
    assert {name: heard.value(name) for name in expected} == expected
    assert heard.value("multichannel") == "true"
    assert [value for name, value in heard.query if name == "replace"] == ["one:two", "three:four"]
    assert await remaining(known) == 3600 - 2 * 2


@pytest.mark.parametrize(("number", "times"), [(signal.SIGINT, 1), (signal.SIGTERM, 1), (signal.SIGTERM, 2)])
async def test_after_a_signal_the_last_words_and_the_receipt_arrive(
    known: Desktop, upstream: Upstream, tmp_path: Path, number: signal.Signals, times: int
) -> None:
    config, arguments = scripted(upstream)
    path = wav(tmp_path / "talk.wav", sound(60))
    async with known.running("transcribe", str(path), *arguments) as running:
        await running.until(lambda out: words(4) in out)
        for _ in range(times):  # timeout(1) sends it twice
            running.send_signal(number)
        assert await running.ended() == 0
    (heard,) = upstream.met(config)
    assert heard.types() == ["CloseStream"]
    assert running.err.endswith(" left.\n")
    assert running.out.split() == words(-(-heard.audio_bytes * 2 // SECOND)).split()
    used = -(-heard.audio_bytes // SECOND)
    assert f"{used} s billed" in running.err
    assert await remaining(known) == 3600 - used


async def test_ctrl_c_twice_quits_at_once_and_restores_the_terminal(
    known: Desktop, upstream: Upstream, tmp_path: Path
) -> None:
    _, arguments = scripted(upstream, Script(heeds_close_stream=False))
    path = wav(tmp_path / "talk.wav", sound(60))
    async with known.on_a_terminal("transcribe", str(path), *arguments) as running:
        await running.until(lambda out: words(1) in out)
        ending = asyncio.create_task(running.ended())
        while not ending.done():
            running.type("\x03")
            await asyncio.wait((ending,), timeout=0.1)
        assert ending.result() == 130
    terminal = Terminal()
    terminal.write(running.out.replace("^C", ""))
    assert terminal.cursor_shown


async def test_on_a_terminal_words_are_redrawn_and_finals_stay(
    known: Desktop, upstream: Upstream, tmp_path: Path
) -> None:
    _, arguments = scripted(upstream)
    path = wav(tmp_path / "talk.wav", sound(6))
    async with known.on_a_terminal("transcribe", str(path), "--fast", *arguments) as running:
        assert await running.ended() == 0
    finals = [words(4, first=first) for first in (0, 4, 8)]
    receipt = "Done: 6 s of audio, 6 s billed, 59 min 54 s left."
    assert screen(running.out) == [*finals, receipt]
    seen = screens(running.out)
    status = "0 s billed, 1 h left"
    assert [words(1), status] in seen
    assert [words(2), status] in seen
    assert [finals[0], words(1, first=4), status] in seen


async def test_ctrl_c_on_a_terminal_prints_the_receipt(known: Desktop, upstream: Upstream, tmp_path: Path) -> None:
    _, arguments = scripted(upstream)
    path = wav(tmp_path / "talk.wav", sound(60))
    async with known.on_a_terminal("transcribe", str(path), *arguments) as running:
        await running.until(lambda out: words(4) in out)
        running.type("\x03")
        assert await running.ended() == 0
    lines = screen(running.out.replace("^C", ""))
    assert lines[-1].endswith("left.")
    assert lines[0] == words(4)


async def test_running_out_of_credit_prints_the_reason(desktop: Desktop, upstream: Upstream, tmp_path: Path) -> None:
    desktop.log_in_as(await desktop.service.user(5))
    _, arguments = scripted(upstream)
    path = wav(tmp_path / "talk.wav", sound(20))
    out, err = await desktop.run("transcribe", str(path), "--fast", *arguments, status=1)
    assert out.split() == words(10).split()
    error, receipt = err.splitlines()
    assert error == "You ran out of minutes, so captions stopped. Buy more to continue."
    assert receipt == "Ended: 5 s of audio, 5 s billed, 0 s left."


async def test_without_credit_no_session_begins(desktop: Desktop, tmp_path: Path) -> None:
    desktop.log_in_as(await desktop.service.user(0))
    path = wav(tmp_path / "talk.wav", sound(1))
    assert (await desktop.refused("transcribe", str(path))).startswith("You're out of minutes.")


async def test_a_refusal_is_one_sentence(known: Desktop, tmp_path: Path) -> None:
    path = str(wav(tmp_path / "talk.wav", sound(1)))
    assert "'nova-9' is not offered" in await known.refused("transcribe", path, "--model", "nova-9")
    assert "config.callback" in await known.refused("transcribe", path, "--set", "callback=https://example.com")
    known.keep(**known.login() | {"token": "nonsense"})
    assert "Log in" in await known.refused("transcribe", path)
    assert "Log in" in await known.refused("balance")


async def test_an_unreachable_service_is_reported(known: Desktop, tmp_path: Path) -> None:
    server = "http://127.0.0.1:1"
    known.keep(**known.login() | {"server": server})
    path = str(wav(tmp_path / "talk.wav", sound(1)))
    for command in (["balance"], ["transcribe", path], ["login", "--server", server, "--email", "a@example.com"]):
        sentence = await known.refused(*command, env=PASSWORD)
        assert sentence.startswith(f"Can't reach {server}")


@pytest.mark.parametrize("arguments", [[], ["--json"]])
async def test_a_closed_output_pipe_ends_the_client_quietly(
    known: Desktop, upstream: Upstream, tmp_path: Path, arguments: list[str]
) -> None:
    config, more = scripted(upstream)
    path = str(wav(tmp_path / "talk.wav", sound(60)))
    reader, writer = os.pipe()
    os.close(reader)
    process = await asyncio.create_subprocess_exec(
        *known.command("transcribe", path, *arguments, *more), env=known.env, stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    _, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert b"Traceback" not in err
    assert b"Broken" not in err
    (heard,) = upstream.met(config)
    await upstream.until(lambda: heard.closed)


async def test_every_command_has_help_with_an_example(desktop: Desktop) -> None:
    for command in ([], ["login"], ["logout"], ["balance"], ["transcribe"]):
        out, err = await desktop.run(*command, "--help")
        assert "Example" in out
        assert err == ""

"""The mailer, with a mail server that accepts, refuses, hangs or disconnects, and without a mail server."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from email import message_from_bytes
from email.errors import MessageError
from email.policy import default
from pathlib import Path
from stat import S_IMODE

import pytest
from structlog.testing import capture_logs

from tests.standin.smtp import HANGS, LEAVES, SmtpStandIn
from transcription_proxy.mail import mailer as module
from transcription_proxy.mail.emails import Email
from transcription_proxy.mail.mailer import InDoubt, Mailer, NotSent

SITE = "https://captions.example"
TO = "ann+x@example.org"
LINK = f"{SITE}/reset#token={'aB-_' * 10}"
EMAIL = Email("Reset your password", f"Open\n\n{LINK}\n\n.\n.dots stay\n")
NOWHERE = Path("/nowhere")


@pytest.fixture
async def server() -> AsyncIterator[SmtpStandIn]:
    async with SmtpStandIn() as server:
        yield server


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEP_SECONDS", 0.1)
    monkeypatch.setattr(module, "DATA_SECONDS", 0.1)


@pytest.fixture
def logs() -> Iterator[Callable[[], str]]:
    """Return a function that returns everything logged during the test."""
    with capture_logs() as entries:
        yield lambda: repr(entries)


def mailer(server: SmtpStandIn, host: str = "127.0.0.1", login: str = "", sender: str | None = None) -> Mailer:
    return Mailer(server.url(host, login), sender, SITE, NOWHERE)


async def test_a_mail_arrives_as_it_was_written(server: SmtpStandIn) -> None:
    await mailer(server, sender="Jürgen, live <captions@b.example>").deliver(TO, EMAIL)
    mail = await server.mail()
    assert (mail.sender, mail.recipient, mail.user, mail.tls) == ("captions@b.example", TO, None, False)
    assert mail.text == f"{EMAIL.text}\n-- \nLive Captions\n{SITE}\n"
    message = mail.message
    assert (message["Subject"], message["To"]) == (EMAIL.subject, TO)
    assert str(message["From"]) == '"Jürgen, live" <captions@b.example>'
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@b.example>")
    assert message["Date"].datetime.tzinfo is not None
    assert server.verbs == ["EHLO", "MAIL", "RCPT", "DATA", ".", "QUIT"]
    assert server.heard[0] == "EHLO b.example"


@pytest.mark.parametrize(
    ("site", "sender"),
    [
        ("https://captions.example", "captions@captions.example"),
        ("http://127.0.0.1:3000", "captions@localhost"),
        ("http://[::1]:3000", "captions@localhost"),
        ("https://bücher.example", "captions@localhost"),
    ],
)
async def test_the_default_sender_is_at_the_sites_host(server: SmtpStandIn, site: str, sender: str) -> None:
    await Mailer(server.url(), None, site, NOWHERE).deliver(TO, EMAIL)
    assert (await server.mail()).sender == sender


async def test_the_sender_and_the_signature_name_the_service(server: SmtpStandIn) -> None:
    named = {"name": 'Café "Live"', "support": "help@b.example"}
    for sender, shown in [
        (None, "captions@captions.example"),
        ("captions@b.example", "captions@b.example"),
        ("Bob <captions@b.example>", "Bob"),
    ]:
        await Mailer(server.url(), sender, SITE, NOWHERE, **named).deliver(TO, EMAIL)
        mail = await server.mail()
        [origin] = mail.message["From"].addresses
        assert origin.display_name == (shown if shown == "Bob" else named["name"])
        assert mail.text.endswith(f"\n-- \n{named['name']}\n{SITE}\nhelp@b.example\n")
        assert mail.raw.isascii()


@pytest.mark.parametrize("address", ["a" * 64 + "@" + ".".join(["b" * 60] * 3) + ".io", "{a=?q?x?=}'/|@b.example"])
async def test_an_unusual_address_is_passed_on_unchanged(server: SmtpStandIn, address: str) -> None:
    await mailer(server).deliver(address, EMAIL)
    mail = await server.mail()
    assert mail.recipient == address
    assert mail.message["To"].addresses[0].addr_spec == address


@pytest.mark.parametrize("address", ["a@b.example\r\nBcc: x@y.example", "a@b.example, x@y.example", "a@b.example>"])
async def test_an_address_that_parses_as_several_is_refused(server: SmtpStandIn, address: str) -> None:
    """No account has such an address. If one had, it would not become a header."""
    with pytest.raises((ValueError, MessageError)):
        await mailer(server).deliver(address, EMAIL)
    assert server.heard == []


async def test_text_in_any_alphabet_is_sent_as_ascii(server: SmtpStandIn) -> None:
    await mailer(server).deliver(TO, Email("Bücher", "https://bücher.example\n"))
    mail = await server.mail()
    assert mail.raw.isascii()
    assert (mail.message["Subject"], mail.text.splitlines()[0]) == ("Bücher", "https://bücher.example")


async def test_the_mailer_logs_in_with_the_urls_user_and_password() -> None:
    async with SmtpStandIn(users={"me@x": "p/w#%"}) as server:
        await mailer(server, login="me%40x:p%2Fw%23%25@").deliver(TO, EMAIL)
        assert (await server.mail()).user == "me@x"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_offered_starttls_comes_before_the_password(host: str) -> None:
    async with SmtpStandIn(users={"me": "pw"}, starttls=True) as server:
        await mailer(server, host, "me:pw@").deliver(TO, EMAIL)
        mail = await server.mail()
        assert (mail.user, mail.tls) == ("me", True)
        assert server.verbs[:4] == ["EHLO", "STARTTLS", "EHLO", "AUTH"]


async def test_smtps_is_tls_from_the_first_byte() -> None:
    async with SmtpStandIn(users={"me": "pw"}, smtps=True) as server:
        await mailer(server, login="me:pw@").deliver(TO, EMAIL)
        mail = await server.mail()
        assert (mail.user, mail.tls) == ("me", True)
        assert "STARTTLS" not in server.verbs


ELSEWHERE = "127.1"
"""A name of this machine that does not look like one."""


@pytest.mark.parametrize("starttls", [False, True])
async def test_a_password_is_not_sent_without_verified_tls(starttls: bool) -> None:
    async with SmtpStandIn(users={"me": "pw"}, starttls=starttls) as server:
        with pytest.raises(NotSent):
            await mailer(server, ELSEWHERE, "me:pw@").deliver(TO, EMAIL)
        assert "AUTH" not in server.verbs


async def test_a_mail_without_a_login_may_go_without_tls(server: SmtpStandIn) -> None:
    await mailer(server, ELSEWHERE).deliver(TO, EMAIL)
    assert not (await server.mail()).tls


async def test_a_wrong_password_is_refused_and_not_logged(logs: Callable[[], str]) -> None:
    async with SmtpStandIn(users={"me": "right"}) as server:
        with pytest.raises(NotSent):
            await mailer(server, login="me:hunter2@").deliver(TO, EMAIL)
    assert "SMTPAuthenticationError" in logs()
    assert "535" in logs()
    assert "hunter2" not in logs()


@pytest.mark.parametrize("reply", ["451 later, {to}", "550 never, {to}", HANGS, LEAVES])
@pytest.mark.parametrize("verb", ["", "MAIL", "DATA"])
@pytest.mark.usefixtures("impatient")
async def test_a_refused_mail_may_be_retried_and_the_log_omits_the_address(
    server: SmtpStandIn, logs: Callable[[], str], verb: str, reply: str
) -> None:
    server.replies[verb] = reply.format(to=TO)
    with pytest.raises(InDoubt if verb == "DATA" and reply in (HANGS, LEAVES) else NotSent) as failed:
        await mailer(server).deliver(TO, EMAIL)
    assert server.empty
    for told in (logs(), str(failed.value)):
        assert "ann" not in told
        assert "token" not in told
    assert "mail_" in logs()


async def test_a_full_mailbox_may_be_retried(server: SmtpStandIn) -> None:
    server.replies["RCPT"] = "452 full"
    with pytest.raises(NotSent, match="452"):
        await mailer(server).deliver(TO, EMAIL)


async def test_a_permanently_refused_address_is_given_up(server: SmtpStandIn, logs: Callable[[], str]) -> None:
    server.replies["RCPT"] = f"550 no {TO} here"
    await mailer(server).deliver(TO, EMAIL)
    assert server.empty
    assert "mail_refused" in logs()
    assert "550" in logs()
    assert "ann" not in logs()


@pytest.mark.parametrize("reply", ["451 later", "554 spam"])
async def test_a_refused_text_counts_as_not_sent(server: SmtpStandIn, reply: str) -> None:
    server.replies["."] = reply
    with pytest.raises(NotSent):
        await mailer(server).deliver(TO, EMAIL)


@pytest.mark.parametrize("reply", [HANGS, LEAVES])
@pytest.mark.usefixtures("impatient")
async def test_a_server_that_does_not_confirm_a_mail_leaves_it_in_doubt(server: SmtpStandIn, reply: str) -> None:
    server.replies["."] = reply
    with pytest.raises(InDoubt):
        await mailer(server).deliver(TO, EMAIL)
    assert (await server.mail()).recipient == TO


@pytest.mark.parametrize("reply", [HANGS, LEAVES, "421 bye"])
@pytest.mark.usefixtures("impatient")
async def test_an_error_after_delivery_does_not_matter(server: SmtpStandIn, reply: str) -> None:
    server.replies["QUIT"] = reply
    await mailer(server).deliver(TO, EMAIL)
    assert (await server.mail()).recipient == TO


async def test_an_unreachable_server_may_be_retried(server: SmtpStandIn) -> None:
    url = server.url()
    await server.__aexit__()
    with pytest.raises(NotSent):
        await Mailer(url, None, SITE, NOWHERE).deliver(TO, EMAIL)


async def test_a_check_logs_in_and_sends_nothing() -> None:
    async with SmtpStandIn(users={"me": "pw"}, starttls=True) as server:
        assert await mailer(server, login="me:pw@").check() == f"127.0.0.1:{server.port}"
        assert server.verbs == ["EHLO", "STARTTLS", "EHLO", "AUTH", "QUIT"]
        with pytest.raises(NotSent, match=r"^SMTPAuthenticationError 535$"):
            await mailer(server, login="me:hunter2@").check()
    assert await Mailer(None, None, SITE, NOWHERE).check() == "files in /nowhere"


async def test_no_connection_is_left_open(server: SmtpStandIn) -> None:
    server.replies["MAIL"] = "451 later"
    for _ in range(3):
        with pytest.raises(NotSent):
            await mailer(server).deliver(TO, EMAIL)
    await server.until_alone()


async def test_without_a_server_a_mail_becomes_a_private_file_that_the_log_names(
    tmp_path: Path, logs: Callable[[], str]
) -> None:
    outbox = tmp_path / "data" / "outbox"
    for _ in range(2):
        await Mailer(None, None, SITE, outbox).deliver(TO, EMAIL)
    files = sorted(outbox.iterdir())
    assert [path.suffix for path in files] == [".eml", ".eml"]
    assert {S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert S_IMODE(outbox.stat().st_mode) == 0o700
    assert LINK in files[0].read_text().splitlines()
    message = message_from_bytes(files[0].read_bytes(), policy=default)
    assert (message["To"], message["Subject"]) == (TO, EMAIL.subject)
    assert all(str(path) in logs() for path in files)
    assert not re.search("ann|token", logs())


async def test_an_unwritable_outbox_may_be_retried(tmp_path: Path, logs: Callable[[], str]) -> None:
    (tmp_path / "outbox").write_text("in the way")
    with pytest.raises(NotSent):
        await Mailer(None, None, SITE, tmp_path / "outbox").deliver(TO, EMAIL)
    assert str(tmp_path / "outbox") in logs()
    assert "token" not in logs()

"""Sends email to an SMTP server, or writes it to a folder of files where no server is configured.

Addresses and texts are secrets: neither the log nor the exceptions raised here contain them."""

import asyncio
import os
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as LINES
from email.utils import format_datetime, make_msgid
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit
from uuid import uuid4

import aiosmtplib
import structlog

from transcription_proxy.mail.emails import Email

STEP_SECONDS: Final = 20.0
"""How long the server may take for each step."""
DATA_SECONDS: Final = 60.0
"""How long the server may take for the last step, in which many servers scan the email."""
SMTPS_PORT: Final = 465
SUBMISSION_PORT: Final = 587
FAILURES: Final = (aiosmtplib.SMTPException, OSError, ValueError)
"""Exceptions that a conversation with a server may raise."""
log = structlog.get_logger(__name__)


class NotSent(Exception):
    """The server could not be reached, or did not accept the email. Another try may succeed."""


class InDoubt(Exception):
    """The server got the email and did not answer. Another try may send it twice."""


class Mailer:
    """Sends email from one sender.

    `smtp_url`: smtp[s]://[user:password@]host[:port]; None writes a file to `outbox` for each email.
    `sender`: an address, or Name <address>; None uses an address at the host of `site`.
    `name`: the service's name. It is the sender's name where `sender` has none. Name, `site` and `support`, an address
    for help, are the signature of each email."""

    def __init__(
        self,
        smtp_url: str | None,
        sender: str | None,
        site: str,
        outbox: Path,
        *,
        name: str = "Live Captions",
        support: str | None = None,
    ) -> None:
        self._server = _Server(smtp_url) if smtp_url else None
        self._sender = _mailbox(sender or f"captions@{_domain(site)}", name)
        self._signature = "\n".join(["", "-- ", name, site, *([support] if support else []), ""])
        self._outbox = outbox

    async def check(self) -> str:
        """Log in at the server, and return where email goes. Raise NotSent."""
        if self._server is None:
            return f"files in {self._outbox}"
        await self._server.check(self._sender.domain)
        return self._server.place

    async def deliver(self, to: str, email: Email) -> None:
        """Send an email. Raise NotSent, InDoubt. An address that the server refuses for good is logged and given up."""
        message = self._message(to, email).as_bytes(policy=LINES)
        if self._server is not None:
            await self._server.send(self._sender, to, message)
            return
        try:
            path = await asyncio.to_thread(_write, self._outbox, message)
        except OSError as error:
            log.warning("mail_not_written", outbox=str(self._outbox), error=error.strerror)
            raise NotSent(type(error).__name__) from None
        log.info("mail_written", path=str(path))

    def _message(self, to: str, email: Email) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = Address(addr_spec=to)
        message["Subject"] = email.subject
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = make_msgid(domain=self._sender.domain)
        message["Auto-Submitted"] = "auto-generated"
        text = email.text + self._signature
        # quoted-printable only where needed, since it breaks the link in a file of the outbox
        message.set_content(text, cte="7bit" if text.isascii() else "quoted-printable")
        return message


class _Server:
    """An SMTP server, given by its URL."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._tls = _tls(self._url)

    @property
    def place(self) -> str:
        return f"{self._url.hostname}:{self._port}"

    @property
    def _port(self) -> int:
        return self._url.port or (SMTPS_PORT if self._url.scheme == "smtps" else SUBMISSION_PORT)

    async def check(self, name: str) -> None:
        """Connect and log in. Raise NotSent."""
        client = self._client(name)
        try:
            await client.connect()
            await client.quit()
        except FAILURES as error:
            raise NotSent(_why(error)) from None
        finally:
            client.close()

    async def send(self, sender: Address, to: str, message: bytes) -> None:
        """Send a message. Raise NotSent, InDoubt."""
        client = self._client(sender.domain)
        try:
            await client.connect()
            await client.mail(sender.addr_spec)
            await client.rcpt(to)
            await _send_data(client, message)
        except aiosmtplib.SMTPRecipientRefused as error:
            log.warning("mail_refused", status=error.code)
            if error.code < 500:
                raise NotSent(_why(error)) from None
        except FAILURES as error:
            log.warning("mail_not_sent", error=_why(error))
            raise NotSent(_why(error)) from None
        finally:
            client.close()

    def _client(self, name: str) -> aiosmtplib.SMTP:
        """Return a client. With smtp:// it starts TLS where the server offers it, and sends no password without TLS."""
        url, smtps = self._url, self._url.scheme == "smtps"
        secret = url.password is not None and not _is_here(url)
        return aiosmtplib.SMTP(
            hostname=url.hostname,
            port=self._port,
            username=None if url.username is None else unquote(url.username),
            password=None if url.password is None else unquote(url.password),
            local_hostname=name,
            use_tls=smtps,
            start_tls=None if smtps else secret or None,
            tls_context=self._tls,
            timeout=STEP_SECONDS,
        )


async def _send_data(client: aiosmtplib.SMTP, message: bytes) -> None:
    try:
        await client.data(message, timeout=DATA_SECONDS)
    except (aiosmtplib.SMTPTimeoutError, aiosmtplib.SMTPServerDisconnected) as error:
        log.warning("mail_in_doubt", error=type(error).__name__)
        raise InDoubt(type(error).__name__) from None
    with suppress(aiosmtplib.SMTPException, OSError):
        await client.quit()


def _why(error: Exception) -> str:
    """Return an error's type and code. Its text is left out: the server may repeat an address or a password in it."""
    code = getattr(error, "code", None)
    return type(error).__name__ if code is None else f"{type(error).__name__} {code}"


def _tls(url: SplitResult) -> ssl.SSLContext:
    """Return a TLS context, which takes some time to create. A server on this machine needs no trusted certificate."""
    context = ssl.create_default_context()
    if _is_here(url):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _is_here(url: SplitResult) -> bool:
    host = url.hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _write(outbox: Path, message: bytes) -> Path:
    """Write a file that only its owner can read. It appears under its name once it is complete."""
    outbox.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = outbox / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid4().hex}.eml"
    draft = path.with_suffix(".tmp")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(message)
    return draft.replace(path)


def _mailbox(text: str, default_name: str) -> Address:
    name, _, address = text.rpartition("<")
    return Address(name.strip().strip('"') or default_name, addr_spec=address.removesuffix(">"))


def _domain(site: str) -> str:
    """Return the domain of a sender that is not configured: the host of `site`, or localhost."""
    host = urlsplit(site).hostname or "localhost"
    return (
        host if any(character.isalpha() for character in host) and ":" not in host and host.isascii() else "localhost"
    )

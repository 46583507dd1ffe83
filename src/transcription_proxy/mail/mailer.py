"""Brings an email to an SMTP server, or, where none is configured, into a folder of files.

Addresses and texts are secrets: they are never logged, nor in the exceptions raised here."""

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

WITHIN: Final = 20.0
"""Seconds that each step with the server may take."""
KEPT_WITHIN: Final = 60.0
"""The same for the last one, in which many servers look into the mail."""
SMTPS_PORT: Final = 465
SUBMISSION_PORT: Final = 587
FAILURES: Final = (aiosmtplib.SMTPException, OSError, ValueError)
"""Of a conversation with a server."""
log = structlog.get_logger(__name__)


class NotSent(Exception):
    """The server could not be reached or did not take the mail: another try may succeed."""


class InDoubt(Exception):
    """The server has the mail and did not say whether it keeps it: another try may send it twice."""


class Mailer:
    """`smtp_url`: smtp[s]://[user:password@]host[:port]; None: a file in `outbox` for each mail.
    `sender`: an address, or Name <address>; None: an address at the host of `site`.
    `name`: the service's, which stands for the sender's where there is none and, with `site` and `support`, below each
    mail."""

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

    async def look(self) -> str:
        """Where mail goes, once a server has let us in. Raises NotSent."""
        if self._server is None:
            return f"files in {self._outbox}"
        await self._server.look(self._sender.domain)
        return self._server.place

    async def deliver(self, to: str, email: Email) -> None:
        """Raises NotSent and InDoubt. An address that the server refuses for good is given up."""
        message = self._message(to, email).as_bytes(policy=LINES)
        if self._server is not None:
            await self._server.take(self._sender, to, message)
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
        # not quoted-printable unless it must be: that would break the link for whoever reads the file
        message.set_content(text, cte="7bit" if text.isascii() else "quoted-printable")
        return message


class _Server:
    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._tls = _tls(self._url)

    @property
    def place(self) -> str:
        return f"{self._url.hostname}:{self._port}"

    @property
    def _port(self) -> int:
        return self._url.port or (SMTPS_PORT if self._url.scheme == "smtps" else SUBMISSION_PORT)

    async def look(self, name: str) -> None:
        client = self._client(name)
        try:
            await client.connect()
            await client.quit()
        except FAILURES as error:
            raise NotSent(_why(error)) from None
        finally:
            client.close()

    async def take(self, sender: Address, to: str, message: bytes) -> None:
        client = self._client(sender.domain)
        try:
            await client.connect()
            await client.mail(sender.addr_spec)
            await client.rcpt(to)
            await _hand_over(client, message)
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
        """With smtp:// TLS is begun where the server offers it, and a password crosses no network without it."""
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
            timeout=WITHIN,
        )


async def _hand_over(client: aiosmtplib.SMTP, message: bytes) -> None:
    try:
        await client.data(message, timeout=KEPT_WITHIN)
    except (aiosmtplib.SMTPTimeoutError, aiosmtplib.SMTPServerDisconnected) as error:
        log.warning("mail_in_doubt", error=type(error).__name__)
        raise InDoubt(type(error).__name__) from None
    with suppress(aiosmtplib.SMTPException, OSError):
        await client.quit()


def _why(error: Exception) -> str:
    """What a server says is left out: it may repeat an address or a password."""
    code = getattr(error, "code", None)
    return type(error).__name__ if code is None else f"{type(error).__name__} {code}"


def _tls(url: SplitResult) -> ssl.SSLContext:
    """Made once, as it takes a while. This machine's own mail server needs no certificate that others trust."""
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
    """A file for its owner only, which is whole from the moment that it is there."""
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
    """Of a sender that nobody configured."""
    host = urlsplit(site).hostname or "localhost"
    return (
        host if any(character.isalpha() for character in host) and ":" not in host and host.isascii() else "localhost"
    )

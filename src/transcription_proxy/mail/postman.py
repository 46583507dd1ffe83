"""Brings a letter to an SMTP server, or, where none is configured, into a folder of files.

Addresses and texts are secrets: they are never logged, nor in the exceptions raised here."""

import asyncio
import os
import ssl
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as LINES
from email.utils import format_datetime, make_msgid, parseaddr
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import aiosmtplib
import structlog

from transcription_proxy.mail.letters import Letter

WITHIN: Final = 20.0
"""Seconds that each step with the server may take."""
SMTPS_PORT: Final = 465
SUBMISSION_PORT: Final = 587
log = structlog.get_logger(__name__)


class NotSent(Exception):
    """The server could not be reached or did not take the mail: another try may succeed."""


class Postman:
    """`smtp_url`: smtp[s]://user:password@host:port; with smtp:// TLS is begun where the server offers it."""

    def __init__(self, smtp_url: str | None, sender: str | None, site: str, outbox: Path) -> None:
        self._smtp_url = smtp_url
        self._sender = sender or f"Transcription proxy <captions@{_domain(site)}>"
        self._outbox = outbox

    async def deliver(self, to: str, letter: Letter) -> None:
        """Raises NotSent. An address that the server refuses for good is given up."""
        message = self._message(to, letter)
        if self._smtp_url is None:
            path = await asyncio.to_thread(_write, self._outbox, message)
            log.info("mail_written", path=str(path))
        else:
            await _send(self._smtp_url, message)

    def _message(self, to: str, letter: Letter) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = Address(addr_spec=to)
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = make_msgid(domain=parseaddr(self._sender)[1].rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"
        # 7bit: quoted-printable would break the link for whoever reads the file
        message.set_content(letter.text, cte="7bit" if letter.text.isascii() else "8bit")
        return message


async def _send(smtp_url: str, message: EmailMessage) -> None:
    server = urlsplit(smtp_url)
    tls = server.scheme == "smtps"
    try:
        await aiosmtplib.send(
            message,
            hostname=server.hostname,
            port=server.port or (SMTPS_PORT if tls else SUBMISSION_PORT),
            username=_plain(server.username),
            password=_plain(server.password),
            use_tls=tls,
            timeout=WITHIN,
        )
    except aiosmtplib.SMTPRecipientsRefused as error:
        codes = [refused.code for refused in error.recipients]
        if min(codes) < 500:
            raise NotSent(f"the server answered {codes[0]}") from None
        log.warning("mail_refused", status=codes[0])
    except (aiosmtplib.SMTPException, ssl.SSLError, OSError, ValueError) as error:
        log.warning("mail_not_sent", error=type(error).__name__, status=getattr(error, "code", None))
        raise NotSent(type(error).__name__) from None


def _write(outbox: Path, message: EmailMessage) -> Path:
    """A file for its owner only, which is whole from the moment that it is there."""
    outbox.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = outbox / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid4().hex}.eml"
    draft = path.with_suffix(".tmp")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(message.as_bytes(policy=LINES))
    return draft.replace(path)


def _domain(site: str) -> str:
    """Of a sender that nobody configured."""
    host = urlsplit(site).hostname or "localhost"
    return host if any(letter.isalpha() for letter in host) and ":" not in host else "localhost"


def _plain(quoted: str | None) -> str | None:
    return None if quoted is None else unquote(quoted)

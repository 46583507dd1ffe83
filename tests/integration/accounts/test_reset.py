"""Password resets, on a real PostgreSQL and a mail server that may fail: links, mails and jobs."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from tests.standin.smtp import HANGS, Mail, SmtpStandIn
from transcription_proxy.accounts import reset
from transcription_proxy.accounts.emails import AccountEmails
from transcription_proxy.accounts.hasher import Hasher
from transcription_proxy.accounts.logins import IssuedTokens
from transcription_proxy.accounts.operator import Operator
from transcription_proxy.accounts.service import Accounts
from transcription_proxy.db.jobs import Jobs
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Refusal
from transcription_proxy.mail import mailer as mailer_module
from transcription_proxy.mail.mailer import InDoubt, Mailer, NotSent

SITE = "https://captions.example"
OLD, NEW = "correct horse", "battery staple"
HOUR = timedelta(hours=1)


class Setup:
    """The accounts, and the jobs that mail their owners. All use the clock `now`."""

    def __init__(self, database: Database, server: SmtpStandIn) -> None:
        self.database = database
        self.server = server
        self.now = datetime.now(UTC)
        self.accounts = Accounts(
            database,
            secret="a secret of the tests, 32 bytes and more",
            expiry=timedelta(days=7),
            clock=lambda: self.now,
            hasher=Hasher(cost=4),
        )
        self.operator = Operator(database)
        self.emails = AccountEmails(
            database, Mailer(server.url(), None, SITE, Path("/nowhere")), SITE, lambda: self.now
        )
        handlers = {reset.LINK_JOB: self.emails.send_reset_link, reset.NOTICE_JOB: self.emails.send_notice}
        self.jobs = Jobs(database, handlers, {})

    async def register(self) -> IssuedTokens:
        return await self.accounts.register(f"{uuid4().hex}@example.org", OLD)

    async def work(self) -> int:
        """Run all due jobs, and return how many there were."""
        done = 0
        while await self.jobs.run_one():
            done += 1
        return done

    async def link(self, login: IssuedTokens) -> str:
        """Request a reset link, and return the token in the mail that arrives."""
        await self.accounts.forgot(login.user.email)
        await self.work()
        mail = await self.server.mail()
        assert mail.recipient == login.user.email
        return token_in(mail)

    async def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        async with self.database.transaction() as connection:
            cursor = await connection.execute(statement, values)
            return await cursor.fetchall() if cursor.description else []


def token_in(mail: Mail) -> str:
    [token] = re.findall(rf"^{re.escape(SITE)}/reset#token=([A-Za-z0-9_-]{{43}})$", mail.text, re.MULTILINE)
    return str(token)


async def refused(call: Any) -> str:
    with pytest.raises(Refusal) as refusal:
        await call
    return refusal.value.code


@pytest.fixture
async def server() -> AsyncIterator[SmtpStandIn]:
    async with SmtpStandIn() as server:
        yield server


@pytest.fixture
def harness(database: Database, server: SmtpStandIn) -> Setup:
    return Setup(database, server)


async def test_a_link_from_a_mail_sets_a_new_password_and_ends_every_token(setup: Setup) -> None:
    login, other = await harness.register(), await harness.register()
    again = await harness.accounts.login(login.user.email, OLD)
    assert await harness.accounts.reset(await harness.link(login), NEW) == login.user
    for issued in (login, again):
        assert await refused(harness.accounts.authenticate(issued.token)) == "unauthorized"
        assert await refused(harness.accounts.refresh(issued.refresh_token)) == "unauthorized"
    assert await refused(harness.accounts.login(login.user.email, OLD)) == "invalid_credentials"
    assert (await harness.accounts.login(login.user.email, NEW)).user.id == login.user.id
    assert (await harness.accounts.authenticate(other.token)).id == other.user.id


async def test_every_new_password_sends_a_notice_to_the_owner(setup: Setup) -> None:
    login = await harness.register()
    await harness.accounts.reset(await harness.link(login), NEW)
    assert await harness.work() == 1
    notice = await harness.server.mail()
    assert (notice.recipient, notice.message["Subject"]) == (login.user.email, "Your password was changed")
    user = (await harness.accounts.login(login.user.email, NEW)).user
    await harness.accounts.change_password(user, NEW, OLD)
    assert await harness.work() == 1
    assert (await harness.server.mail()).message["Subject"] == "Your password was changed"
    assert await harness.sql("SELECT * FROM jobs WHERE kind = %s", reset.NOTICE_JOB) == []


async def test_a_link_works_once(setup: Setup) -> None:
    token = await harness.link(await harness.register())
    await harness.accounts.reset(token, NEW)
    assert await refused(harness.accounts.reset(token, OLD)) == "invalid_reset_token"


async def test_a_link_works_once_even_if_a_host_clock_is_behind(setup: Setup) -> None:
    token = await harness.link(await harness.register())
    await harness.accounts.reset(token, NEW)
    harness.now -= timedelta(minutes=5)
    assert await refused(harness.accounts.reset(token, OLD)) == "invalid_reset_token"


async def test_of_concurrent_uses_of_a_link_one_succeeds(setup: Setup) -> None:
    login = await harness.register()
    token = await harness.link(login)
    chosen = [f"{NEW} {number}" for number in range(6)]
    answers = await asyncio.gather(
        *(harness.accounts.reset(token, password) for password in chosen), return_exceptions=True
    )
    [winner] = [password for password, answer in zip(chosen, answers, strict=True) if answer == login.user]
    assert {answer.code for answer in answers if isinstance(answer, Refusal)} == {"invalid_reset_token"}
    assert await harness.accounts.login(login.user.email, winner)


@pytest.mark.parametrize(("age", "works"), [(HOUR - timedelta(seconds=1), True), (HOUR, False)])
async def test_a_link_works_for_an_hour(setup: Setup, age: timedelta, works: bool) -> None:
    token = await harness.link(await harness.register())
    harness.now += age
    if works:
        await harness.accounts.reset(token, NEW)
    else:
        assert await refused(harness.accounts.reset(token, NEW)) == "invalid_reset_token"


async def test_a_newer_link_voids_the_earlier_one(setup: Setup) -> None:
    login = await harness.register()
    first, second = await harness.link(login), await harness.link(login)
    assert await refused(harness.accounts.reset(first, NEW)) == "invalid_reset_token"
    await harness.accounts.reset(second, NEW)


async def test_changing_the_password_voids_reset_links(setup: Setup) -> None:
    login = await harness.register()
    token = await harness.link(login)
    await harness.accounts.change_password(login.user, OLD, NEW)
    assert await refused(harness.accounts.reset(token, OLD)) == "invalid_reset_token"


@pytest.mark.parametrize("password", ["1234567", "ä" * 37])
async def test_a_link_still_works_after_a_weak_password(setup: Setup, password: str) -> None:
    token = await harness.link(await harness.register())
    assert await refused(harness.accounts.reset(token, password)) == "weak_password"
    await harness.accounts.reset(token, NEW)


@pytest.mark.parametrize("token", ["", "x" * 43, "\0", "\ud800", "x" * 60_000])
async def test_an_invalid_token_is_refused(setup: Setup, token: str) -> None:
    await harness.link(await harness.register())
    assert await refused(harness.accounts.reset(token, NEW)) == "invalid_reset_token"


async def test_tokens_are_neither_stored_nor_logged_and_the_queue_holds_no_emails(setup: Setup) -> None:
    login = await harness.register()
    with capture_logs() as logs:
        await harness.accounts.forgot(login.user.email)
        queue = await harness.sql("SELECT jobs::text FROM jobs WHERE kind = %s", reset.LINK_JOB)
        await harness.work()
    token = token_in(await harness.server.mail())
    [(row,)] = await harness.sql("SELECT password_resets::text FROM password_resets")
    assert token not in row + repr(logs)
    assert login.user.email not in repr(queue) + repr(logs)
    [(stored,)] = await harness.sql("SELECT token_hash FROM password_resets")
    assert len(stored) == 32
    assert token.encode() not in stored


async def test_an_email_without_an_account_costs_the_same_work_and_gets_no_mail(setup: Setup) -> None:
    login = await harness.register()
    for email in (f"{uuid4().hex}@example.org", login.user.email):
        await harness.accounts.forgot(f" {email.upper()} ")
        assert len(await harness.sql("SELECT id FROM jobs WHERE kind = %s", reset.LINK_JOB)) == 1
        assert await harness.work() >= 1
    assert (await harness.server.mail()).recipient == login.user.email
    assert harness.server.empty


@pytest.mark.parametrize("email", ["", "nobody", "a@b.example\nBcc: c@d.example", "\0", "ä@b.example"])
async def test_an_invalid_email_enqueues_nothing(setup: Setup, email: str) -> None:
    await harness.accounts.forgot(email)
    assert await harness.work() == 0


async def test_two_requests_before_the_mail_is_sent_send_one(setup: Setup) -> None:
    login = await harness.register()
    await harness.accounts.forgot(login.user.email)
    await harness.accounts.forgot(login.user.email)
    await harness.work()
    token = token_in(await harness.server.mail())
    assert harness.server.empty
    await harness.accounts.reset(token, NEW)


async def test_an_account_gets_three_mails_an_hour_and_the_last_link_works(setup: Setup) -> None:
    login, other = await harness.register(), await harness.register()
    tokens = []
    for _ in range(3):
        tokens.append(await harness.link(login))
        harness.now += timedelta(minutes=10)
    for _ in range(2):
        await harness.accounts.forgot(login.user.email)
        await harness.work()
    assert harness.server.empty
    assert await harness.link(other)
    assert await refused(harness.accounts.reset(tokens[1], NEW)) == "invalid_reset_token"
    await harness.accounts.reset(tokens[2], NEW)
    await harness.work()
    assert (await harness.server.mail()).message["Subject"] == "Your password was changed"
    await harness.accounts.forgot(login.user.email)
    await harness.work()
    assert harness.server.empty
    harness.now += timedelta(minutes=30)
    assert await harness.link(login)
    assert len(await harness.sql("SELECT 1 FROM password_resets WHERE user_id = %s", login.user.id)) == 3


async def test_a_blocked_account_gets_no_link_and_its_old_links_fail(setup: Setup) -> None:
    login = await harness.register()
    token = await harness.link(login)
    await harness.operator.block(login.user.email)
    await harness.accounts.forgot(login.user.email)
    assert await harness.work() == 1
    assert harness.server.empty
    assert await refused(harness.accounts.reset(token, NEW)) == "unauthorized"
    assert await refused(harness.operator.reset_link(login.user.email, SITE)) == "blocked"
    await harness.operator.unblock(login.user.email)
    await harness.accounts.reset(token, NEW)


async def test_an_operators_link_works_once_and_does_not_count_as_a_mail(setup: Setup) -> None:
    login = await harness.register()
    mailed = await harness.link(login)
    for _ in range(5):
        link = await harness.operator.reset_link(f" {login.user.email.upper()} ", SITE)
    site, _, token = link.partition("/reset#token=")
    assert site == SITE
    assert await refused(harness.accounts.reset(mailed, NEW)) == "invalid_reset_token"
    await harness.accounts.reset(token, NEW)
    assert await refused(harness.accounts.reset(token, OLD)) == "invalid_reset_token"
    assert await refused(harness.operator.reset_link("nobody@example.org", SITE)) == "unknown_user"
    await harness.work()
    await harness.server.mail()
    assert await harness.link(login)
    assert await harness.link(login)


async def test_a_mail_that_cannot_be_sent_is_retried_and_does_not_count(setup: Setup) -> None:
    login = await harness.register()
    harness.server.replies["MAIL"] = "451 later"
    await harness.accounts.forgot(login.user.email)
    for tries in range(1, 6):
        assert await harness.work() == 1
        [(tried, seconds)] = await harness.sql(
            "SELECT tries, extract(epoch FROM run_at - clock_timestamp())::float FROM jobs WHERE kind = %s",
            reset.LINK_JOB,
        )
        assert tried == tries
        assert 0 < seconds <= 2**tries
        await harness.sql("UPDATE jobs SET run_at = clock_timestamp() - interval '1 s'")
    assert await harness.accounts.login(login.user.email, OLD)
    harness.server.replies.clear()
    await harness.work()
    await harness.accounts.reset(token_in(await harness.server.mail()), NEW)
    assert await harness.sql("SELECT mailed_at IS NULL, count(*) FROM password_resets GROUP BY 1") == [(False, 1)]


async def test_a_mail_that_may_have_arrived_counts_towards_the_limit(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailer_module, "DATA_SECONDS", 0.05)
    login = await harness.register()
    harness.server.replies["."] = HANGS
    for _ in range(3):
        with pytest.raises(InDoubt):
            await harness.emails.send_reset_link(str(login.user.id))
        last = await harness.server.mail()
    await harness.emails.send_reset_link(str(login.user.id))
    assert harness.server.empty
    await harness.accounts.reset(token_in(last), NEW)


async def test_a_mail_counts_if_the_process_dies_while_sending(setup: Setup) -> None:
    login = await harness.register()
    harness.server.replies["."] = HANGS
    sending = asyncio.create_task(harness.emails.send_reset_link(str(login.user.id)))
    await harness.server.mail()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    assert await harness.sql("SELECT count(*) FROM password_resets WHERE mailed_at IS NOT NULL") == [(1,)]


async def test_a_notice_is_retried_and_needs_an_account(setup: Setup) -> None:
    login = await harness.register()
    harness.server.replies["MAIL"] = "451 later"
    with pytest.raises(NotSent):
        await harness.emails.send_notice(str(login.user.id))
    await harness.emails.send_notice(str(UUID(int=0)))
    assert harness.server.empty

"""Forgotten passwords, on a real PostgreSQL and a mail server that may fail: links, mails and jobs."""

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


class House:
    """The accounts, and whoever writes to their owners; all go by the clock `now`."""

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
        """Does all jobs that are due; how many there were."""
        done = 0
        while await self.jobs.run_one():
            done += 1
        return done

    async def link(self, login: IssuedTokens) -> str:
        """The token of a link that was asked for and came by mail."""
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
def house(database: Database, server: SmtpStandIn) -> House:
    return House(database, server)


async def test_a_link_from_a_mail_sets_a_new_password_and_ends_every_token(house: House) -> None:
    login, other = await house.register(), await house.register()
    again = await house.accounts.login(login.user.email, OLD)
    assert await house.accounts.reset(await house.link(login), NEW) == login.user
    for issued in (login, again):
        assert await refused(house.accounts.authenticate(issued.token)) == "unauthorized"
        assert await refused(house.accounts.refresh(issued.refresh_token)) == "unauthorized"
    assert await refused(house.accounts.login(login.user.email, OLD)) == "invalid_credentials"
    assert (await house.accounts.login(login.user.email, NEW)).user.id == login.user.id
    assert (await house.accounts.authenticate(other.token)).id == other.user.id


async def test_every_new_password_is_mailed_to_the_owner(house: House) -> None:
    login = await house.register()
    await house.accounts.reset(await house.link(login), NEW)
    assert await house.work() == 1
    notice = await house.server.mail()
    assert (notice.recipient, notice.message["Subject"]) == (login.user.email, "Your password was changed")
    user = (await house.accounts.login(login.user.email, NEW)).user
    await house.accounts.change_password(user, NEW, OLD)
    assert await house.work() == 1
    assert (await house.server.mail()).message["Subject"] == "Your password was changed"
    assert await house.sql("SELECT * FROM jobs WHERE kind = %s", reset.NOTICE_JOB) == []


async def test_a_link_works_once(house: House) -> None:
    token = await house.link(await house.register())
    await house.accounts.reset(token, NEW)
    assert await refused(house.accounts.reset(token, OLD)) == "invalid_reset_token"


async def test_a_link_works_once_also_on_a_host_whose_clock_is_behind(house: House) -> None:
    token = await house.link(await house.register())
    await house.accounts.reset(token, NEW)
    house.now -= timedelta(minutes=5)
    assert await refused(house.accounts.reset(token, OLD)) == "invalid_reset_token"


async def test_of_many_who_use_one_link_at_once_one_succeeds(house: House) -> None:
    login = await house.register()
    token = await house.link(login)
    chosen = [f"{NEW} {number}" for number in range(6)]
    answers = await asyncio.gather(
        *(house.accounts.reset(token, password) for password in chosen), return_exceptions=True
    )
    [winner] = [password for password, answer in zip(chosen, answers, strict=True) if answer == login.user]
    assert {answer.code for answer in answers if isinstance(answer, Refusal)} == {"invalid_reset_token"}
    assert await house.accounts.login(login.user.email, winner)


@pytest.mark.parametrize(("age", "works"), [(HOUR - timedelta(seconds=1), True), (HOUR, False)])
async def test_a_link_works_for_an_hour(house: House, age: timedelta, works: bool) -> None:
    token = await house.link(await house.register())
    house.now += age
    if works:
        await house.accounts.reset(token, NEW)
    else:
        assert await refused(house.accounts.reset(token, NEW)) == "invalid_reset_token"


async def test_a_newer_link_voids_the_one_before(house: House) -> None:
    login = await house.register()
    first, second = await house.link(login), await house.link(login)
    assert await refused(house.accounts.reset(first, NEW)) == "invalid_reset_token"
    await house.accounts.reset(second, NEW)


async def test_a_change_of_password_voids_links(house: House) -> None:
    login = await house.register()
    token = await house.link(login)
    await house.accounts.change_password(login.user, OLD, NEW)
    assert await refused(house.accounts.reset(token, OLD)) == "invalid_reset_token"


@pytest.mark.parametrize("password", ["1234567", "ä" * 37])
async def test_a_weak_password_does_not_cost_the_link(house: House, password: str) -> None:
    token = await house.link(await house.register())
    assert await refused(house.accounts.reset(token, password)) == "weak_password"
    await house.accounts.reset(token, NEW)


@pytest.mark.parametrize("token", ["", "x" * 43, "\0", "\ud800", "x" * 60_000])
async def test_what_is_no_token_is_refused(house: House, token: str) -> None:
    await house.link(await house.register())
    assert await refused(house.accounts.reset(token, NEW)) == "invalid_reset_token"


async def test_a_token_is_not_stored_nor_logged_and_no_address_lies_in_the_queue(house: House) -> None:
    login = await house.register()
    with capture_logs() as logs:
        await house.accounts.forgot(login.user.email)
        queue = await house.sql("SELECT jobs::text FROM jobs WHERE kind = %s", reset.LINK_JOB)
        await house.work()
    token = token_in(await house.server.mail())
    [(row,)] = await house.sql("SELECT password_resets::text FROM password_resets")
    assert token not in row + repr(logs)
    assert login.user.email not in repr(queue) + repr(logs)
    [(stored,)] = await house.sql("SELECT token_hash FROM password_resets")
    assert len(stored) == 32
    assert token.encode() not in stored


async def test_an_address_without_account_costs_the_same_work_and_gets_no_mail(house: House) -> None:
    login = await house.register()
    for email in (f"{uuid4().hex}@example.org", login.user.email):
        await house.accounts.forgot(f" {email.upper()} ")
        assert len(await house.sql("SELECT id FROM jobs WHERE kind = %s", reset.LINK_JOB)) == 1
        assert await house.work() >= 1
    assert (await house.server.mail()).recipient == login.user.email
    assert house.server.empty


@pytest.mark.parametrize("email", ["", "nobody", "a@b.example\nBcc: c@d.example", "\0", "ä@b.example"])
async def test_what_is_no_address_asks_for_nothing(house: House, email: str) -> None:
    await house.accounts.forgot(email)
    assert await house.work() == 0


async def test_asking_twice_before_the_mail_is_sent_sends_one(house: House) -> None:
    login = await house.register()
    await house.accounts.forgot(login.user.email)
    await house.accounts.forgot(login.user.email)
    await house.work()
    token = token_in(await house.server.mail())
    assert house.server.empty
    await house.accounts.reset(token, NEW)


async def test_three_mails_an_hour_go_to_an_address_and_the_last_link_works(house: House) -> None:
    login, other = await house.register(), await house.register()
    tokens = []
    for _ in range(3):
        tokens.append(await house.link(login))
        house.now += timedelta(minutes=10)
    for _ in range(2):
        await house.accounts.forgot(login.user.email)
        await house.work()
    assert house.server.empty
    assert await house.link(other)
    assert await refused(house.accounts.reset(tokens[1], NEW)) == "invalid_reset_token"
    await house.accounts.reset(tokens[2], NEW)
    await house.work()
    assert (await house.server.mail()).message["Subject"] == "Your password was changed"
    await house.accounts.forgot(login.user.email)
    await house.work()
    assert house.server.empty
    house.now += timedelta(minutes=30)
    assert await house.link(login)
    assert len(await house.sql("SELECT 1 FROM password_resets WHERE user_id = %s", login.user.id)) == 3


async def test_a_blocked_account_gets_no_link_and_an_old_one_does_not_open_it(house: House) -> None:
    login = await house.register()
    token = await house.link(login)
    await house.operator.block(login.user.email)
    await house.accounts.forgot(login.user.email)
    assert await house.work() == 1
    assert house.server.empty
    assert await refused(house.accounts.reset(token, NEW)) == "unauthorized"
    assert await refused(house.operator.reset_link(login.user.email, SITE)) == "blocked"
    await house.operator.unblock(login.user.email)
    await house.accounts.reset(token, NEW)


async def test_a_link_of_the_operators_works_once_and_counts_as_no_mail(house: House) -> None:
    login = await house.register()
    mailed = await house.link(login)
    for _ in range(5):
        link = await house.operator.reset_link(f" {login.user.email.upper()} ", SITE)
    site, _, token = link.partition("/reset#token=")
    assert site == SITE
    assert await refused(house.accounts.reset(mailed, NEW)) == "invalid_reset_token"
    await house.accounts.reset(token, NEW)
    assert await refused(house.accounts.reset(token, OLD)) == "invalid_reset_token"
    assert await refused(house.operator.reset_link("nobody@example.org", SITE)) == "unknown_user"
    await house.work()
    await house.server.mail()
    assert await house.link(login)
    assert await house.link(login)


async def test_a_mail_that_cannot_be_sent_is_tried_again_and_counts_for_nothing(house: House) -> None:
    login = await house.register()
    house.server.replies["MAIL"] = "451 later"
    await house.accounts.forgot(login.user.email)
    for tries in range(1, 6):
        assert await house.work() == 1
        [(tried, seconds)] = await house.sql(
            "SELECT tries, extract(epoch FROM run_at - clock_timestamp())::float FROM jobs WHERE kind = %s",
            reset.LINK_JOB,
        )
        assert tried == tries
        assert 0 < seconds <= 2**tries
        await house.sql("UPDATE jobs SET run_at = clock_timestamp() - interval '1 s'")
    assert await house.accounts.login(login.user.email, OLD)
    house.server.replies.clear()
    await house.work()
    await house.accounts.reset(token_in(await house.server.mail()), NEW)
    assert await house.sql("SELECT mailed_at IS NULL, count(*) FROM password_resets GROUP BY 1") == [(False, 1)]


async def test_a_mail_that_may_have_arrived_counts_towards_the_limit(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailer_module, "DATA_SECONDS", 0.05)
    login = await house.register()
    house.server.replies["."] = HANGS
    for _ in range(3):
        with pytest.raises(InDoubt):
            await house.emails.send_reset_link(str(login.user.id))
        last = await house.server.mail()
    await house.emails.send_reset_link(str(login.user.id))
    assert house.server.empty
    await house.accounts.reset(token_in(last), NEW)


async def test_a_process_that_dies_while_it_sends_has_sent_a_mail(house: House) -> None:
    login = await house.register()
    house.server.replies["."] = HANGS
    sending = asyncio.create_task(house.emails.send_reset_link(str(login.user.id)))
    await house.server.mail()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    assert await house.sql("SELECT count(*) FROM password_resets WHERE mailed_at IS NOT NULL") == [(1,)]


async def test_a_notice_is_tried_again_and_needs_an_account(house: House) -> None:
    login = await house.register()
    house.server.replies["MAIL"] = "451 later"
    with pytest.raises(NotSent):
        await house.emails.send_notice(str(login.user.id))
    await house.emails.send_notice(str(UUID(int=0)))
    assert house.server.empty

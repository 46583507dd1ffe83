"""The trial: once for a mailbox, and in production once its address is confirmed."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.integration.web.site import SECRET, Site, bearer, code
from transcription_proxy.accounts.emails import AccountEmails
from transcription_proxy.accounts.hasher import Hasher
from transcription_proxy.accounts.service import Accounts
from transcription_proxy.accounts.trial import Trial
from transcription_proxy.mail.mailer import Mailer


async def seconds_of(site: Site, login: dict[str, Any]) -> int:
    me = (await site.http.get("/account/me", headers=bearer(login))).json()
    return int(me["credits"]["seconds_remaining"])


@pytest.fixture
def production(site: Site) -> Site:
    """A site that gives the trial to confirmed addresses only."""
    trial = Trial(600, needs_confirmation=True)
    site.accounts = Accounts(
        site.database,
        secret=SECRET,
        expiry=timedelta(days=7),
        trial=trial,
        clock=lambda: site.now,
        hasher=Hasher(cost=4),
    )
    site.build(auth_rate=1000)
    site.http = site.client()
    return site


async def mailed_token(site: Site, login: dict[str, Any], outbox: Path) -> str:
    """Run the job that sends the confirmation mail. Return the token in its link."""
    mailer = Mailer(None, None, "https://captions.example.org", outbox)
    emails = AccountEmails(
        site.database, mailer, "https://captions.example.org", lambda: site.now, secret=SECRET, trial_seconds=600
    )
    await emails.send_confirmation(login["user"]["id"])
    return _token_in(outbox)


def _token_in(outbox: Path) -> str:
    (mail,) = outbox.iterdir()
    found = re.search(r"/confirm#token=([\w.-]+)", mail.read_text().replace("=\n", ""))
    assert found
    return found[1]


async def test_other_spellings_of_a_mailbox_get_no_second_trial(site: Site) -> None:
    emails = ["Jo.Doe@gmail.com", "jodoe@gmail.com", "jo.doe+x@googlemail.com", "jodoe@example.org"]
    assert [await seconds_of(site, await site.register(email)) for email in emails] == [600, 0, 0, 600]


async def test_a_disposable_mailbox_gets_none(site: Site) -> None:
    assert await seconds_of(site, await site.register("jo@mailinator.com")) == 0


async def test_in_production_the_link_in_the_mail_gives_the_trial_once(production: Site, tmp_path: Path) -> None:
    site = production
    login = await site.register("jo@example.org")
    assert await seconds_of(site, login) == 0
    assert await site.sql("SELECT key FROM jobs WHERE kind = 'confirmation_link'") == [(login["user"]["id"],)]
    assert (await site.http.get("/account/me", headers=bearer(login))).json()["confirmed"] is False
    token = await mailed_token(site, login, tmp_path)
    answers = [await site.http.post("/auth/confirm", json={"confirm_token": token}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert "10 min" in answers[0].json()["message"]
    assert await seconds_of(site, login) == 600
    assert (await site.http.get("/account/me", headers=bearer(login))).json()["confirmed"] is True
    assert code(await site.http.post("/auth/confirm", json={"confirm_token": "x"})) == (422, "invalid_confirmation")


async def test_another_mail_is_sent_once_a_minute_until_the_address_is_confirmed(production: Site) -> None:
    login = await production.register("jo@example.org")
    await production.sql("DELETE FROM jobs")
    answers = [await production.http.post("/account/confirmation", headers=bearer(login)) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 429]
    assert answers[1].headers["retry-after"]
    assert await production.sql("SELECT count(*) FROM jobs WHERE kind = 'confirmation_link'") == [(1,)]
    await production.sql("UPDATE users SET confirmed_at = now() WHERE id = %s", UUID(login["user"]["id"]))
    await production.sql("DELETE FROM jobs")
    await production.pass_minute()
    assert (await production.http.post("/account/confirmation", headers=bearer(login))).status_code == 202
    assert await production.sql("SELECT count(*) FROM jobs") == [(0,)]

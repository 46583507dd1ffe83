"""A forgotten password, as its owner and the operator meet it: a mail, a file, or a link that is printed."""

import asyncio
import json
import re
from dataclasses import dataclass, replace
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from stat import S_IMODE
from uuid import uuid4

from tests.e2e.checks import assert_no_secrets
from tests.e2e.service import Service, environment, serving
from tests.e2e.upstream import Upstream
from tests.standin.smtp import HANGS, SmtpStandIn
from tests.waiting import until

OLD, NEW = "a passphrase of the tests", "another passphrase of theirs"
NOBODY = "nobody@example.org"
CHANGED = "Your password was changed"
USER, PASSWORD = "mailer@captions", "p@ss/word of the tests"
LOGIN = "mailer%40captions:p%40ss%2Fword%20of%20the%20tests@"


@dataclass
class Owner:
    """Of an account of `service`."""

    service: Service
    email: str
    token: str

    @classmethod
    async def of(cls, service: Service) -> "Owner":
        email = f"{uuid4().hex}@example.org"
        answer = await service.http.post("/auth/register", json={"email": email, "password": OLD})
        assert answer.status_code == 201
        service.tokens += [answer.json()["token"], answer.json()["refresh_token"], OLD, NEW, email]
        return cls(service, email, answer.json()["token"])

    async def forgets(self) -> None:
        answer = await self.service.http.post("/auth/forgot", json={"email": self.email})
        assert answer.status_code == 202

    async def opens(self, link: str) -> None:
        """Chooses a new password, which works from then on, and alone."""
        token = self._token(link)
        body = {"reset_token": token, "password": NEW}
        assert (await self.service.http.post("/auth/reset", json=body)).status_code == 200
        assert (await self.service.http.post("/auth/reset", json=body)).status_code == 422
        assert await self.logs_in(NEW) == 200
        assert await self.logs_in(OLD) == 401
        headers = {"Authorization": f"Bearer {self.token}"}
        assert (await self.service.http.get("/account/me", headers=headers)).status_code == 401

    async def logs_in(self, password: str) -> int:
        body = {"email": self.email, "password": password}
        return (await self.service.http.post("/auth/login", json=body)).status_code

    def _token(self, link: str) -> str:
        """It stands behind the #, where no server sees it."""
        site, _, token = link.partition("/reset#token=")
        assert site == self.service.url
        self.service.tokens.append(token)
        return token


def link_in(text: str) -> str:
    [link] = re.findall(r"^http\S+/reset#\S+$", text, re.MULTILINE)
    return str(link)


async def test_a_link_comes_by_mail_and_a_notice_after_it_in_spite_of_a_mail_server_that_is_away_at_first(
    scratch: Path, upstream: Upstream
) -> None:
    async with SmtpStandIn(users={USER: PASSWORD}) as mail_server:
        env = environment(scratch / "mailing", upstream.url, MAIL_FROM="Captions, live <captions@b.example>")
        async with serving({**env, "SMTP_URL": mail_server.url(login=LOGIN)}) as service:
            service.tokens += [PASSWORD, LOGIN]
            owner, other = await Owner.of(service), await Owner.of(service)
            mail_server.replies["MAIL"] = "451 later"
            await owner.forgets()
            await mail_server.until("MAIL", times=2)
            assert await owner.logs_in(OLD) == 200
            mail_server.replies.clear()
            mail = await mail_server.mail()
            assert (mail.sender, mail.recipient, mail.user) == ("captions@b.example", owner.email, USER)
            await owner.opens(link_in(mail.text))
            notice = await mail_server.mail()
            assert (notice.recipient, notice.message["Subject"]) == (owner.email, CHANGED)
            mail_server.replies[""] = HANGS
            await other.forgets()
            assert await asyncio.wait_for(other.logs_in(OLD), 5) == 200
        assert_no_secrets(service)


async def test_without_a_mail_server_the_log_names_a_file(service: Service) -> None:
    owner = await Owner.of(service)
    for email in (NOBODY, owner.email):
        await service.http.post("/auth/forgot", json={"email": email})
    path = await written(service, owner)
    assert path.parent == Path(service.env["DATA_DIR"]) / "outbox"
    assert (S_IMODE(path.stat().st_mode), S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)
    await owner.opens(link_in(path.read_text()))
    notice = await written(service, owner, before={path})
    assert CHANGED in notice.read_text()
    assert f"To: {NOBODY}" not in "".join(each.read_text() for each in path.parent.iterdir())


async def test_the_operator_prints_a_link_that_works(service: Service) -> None:
    owner, other = await Owner.of(service), await Owner.of(service)
    out = await service.command("user", "reset-link", owner.email)
    assert out.count("\n") == 1
    await owner.opens(out.strip())
    elsewhere = replace(service, env={name: value for name, value in service.env.items() if name != "PORT"})
    out = await elsewhere.command("user", "reset-link", other.email, "--json")  # a shell without the service's settings
    assert out.count("\n") == 1
    printed = json.loads(out)
    assert printed == {"email": other.email, "link": printed["link"]}
    await other.opens(printed["link"])


async def test_the_operator_prints_none_for_nobody_or_a_blocked_account(service: Service) -> None:
    owner = await Owner.of(service)
    await service.command("user", "block", owner.email)
    for email, said in ((NOBODY, "No account"), (owner.email, "blocked"), ("nobody", "email address")):
        status, out, err = await service.run("user", "reset-link", email)
        assert (status, out, err.count("\n")) == (1, "", 1)
        assert said in err
    await service.command("user", "unblock", owner.email)
    assert await owner.logs_in(OLD) == 200


async def written(service: Service, owner: Owner, before: frozenset[Path] | set[Path] = frozenset()) -> Path:
    """Wait for a mail to the owner, and return its file, by what the log says."""

    def found() -> Path | None:
        for path in map(Path, re.findall(r"event=mail_written\b.*\bpath=(\S+)", service.log())):
            message = message_from_bytes(path.read_bytes(), policy=default)
            if message["To"] == owner.email and path not in before:
                return path
        return None

    return Path(await until(found, 30))

"""Searches the logs of a service for every secret and every caption that it met."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import httpx

from transcription_proxy.secret_files import SECRETS

FIELDS = {
    "access_token": "a granted token",
    "confirm_token": "a confirmation token",
    "current": "a password",
    "key": "an API key",
    "new": "a password",
    "password": "a password",
    "refresh_token": "a refresh token",
    "reset_token": "a reset token",
    "token": "a token",
}
"""Fields of requests and answers that hold secrets."""
SHORTEST = 10
"""Characters. Shorter texts are not secrets but the wrong values of some test, and occur in any log."""
MOST_SHOWN = 5
_LINK = re.compile(r"#(?:token=)?([\w.-]{20,})")


@dataclass
class Met:
    """What a service met that no log may hold: kind by value."""

    kinds: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, *values: str) -> None:
        for value in values:
            if len(value) >= SHORTEST:
                self.kinds.setdefault(value, kind)

    def add_settings(self, env: Mapping[str, str]) -> None:
        """Add the secrets of an environment, and the passwords in its URLs."""
        for name in SECRETS:
            self.add(name, *re.split(r",\s*", env.get(name, "")))
            with suppress(ValueError):
                password = urlsplit(env.get(name, "")).password or ""
                self.add(f"the password of {name}", password, unquote(password))

    def add_files(self, data_dir: Path) -> None:
        """Add the secrets that the service generated, and those of the mails that it wrote."""
        with suppress(OSError):
            self.add("the generated JWT_SECRET", (data_dir / "jwt_secret").read_text())
        with suppress(OSError):
            made = json.loads((data_dir / "sandbox" / "address.json").read_text())
            self.add("a secret of the sandbox", made["key"], made["webhook_secret"])
        for mail in (data_dir / "outbox").glob("*"):
            self.add("a token of a mail", *_LINK.findall(mail.read_text()))

    def add_json(self, body: Any) -> None:
        """Add the secrets of a body: the values of FIELDS, and the keys of overlay URLs."""
        if isinstance(body, list):
            for each in body:
                self.add_json(each)
        elif isinstance(body, dict):
            for name, value in body.items():
                if isinstance(value, str):
                    self.add(FIELDS[name], value) if name in FIELDS else self.add(
                        "a key in a URL", *_LINK.findall(value)
                    )
                else:
                    self.add_json(value)

    async def request(self, request: httpx.Request) -> None:
        """Hook of an HTTP client."""
        self.add("a credential", request.headers.get("authorization", "").partition(" ")[2])
        with suppress(httpx.RequestNotRead, ValueError):
            self.add_json(json.loads(request.content))

    async def answer(self, answer: httpx.Response) -> None:
        """Hook of an HTTP client."""
        if answer.headers.get("content-type") == "application/json":
            with suppress(ValueError):
                self.add_json(json.loads(await answer.aread()))


def leaks(met: Met, log: str) -> Iterator[str]:
    """Yield what a log should not hold: the kind, and the line without it."""
    for value, kind in met.kinds.items():
        for form in {value, quote(value, safe=""), json.dumps(value)[1:-1]}:
            if form in log:
                begin = log.index(form)
                line = (
                    log[log.rfind("\n", 0, begin) + 1 : begin]
                    + f"<{kind}>"
                    + log[begin + len(form) :].split("\n", 1)[0]
                )
                yield f"{kind}: {line[:400]}"


def assert_no_leaks(met: Met, logs: Iterable[Path]) -> None:
    """Assert that no log holds anything of what was met."""
    found = [f"{path.name} holds {leak}" for path in logs for leak in leaks(met, path.read_text(errors="replace"))]
    assert not found, "\n".join([f"{len(found)} leaks:", *found[:MOST_SHOWN]])

"""Buys a package for the demo as a person does: starts a checkout, presses Pay in the sandbox, waits for the credit."""

import http.client
import json
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from typing import Any, Final

from transcription_proxy.errors import Unavailable

HTTP_SECONDS: Final = 30.0
"""Timeout of one request."""
CREDIT_SECONDS: Final = 30.0
"""How long the credit may take to arrive."""
BUTTON: Final = "Pay"


def buy(address: str, email: str, password: str, package_id: str) -> int:
    """Buy a package from the service at `address`, and return the seconds credited. Raise Unavailable."""
    try:
        return _bought(address, email, password, package_id)
    except (OSError, http.client.HTTPException) as error:  # what urllib raises
        raise Unavailable(f"The purchase failed ({error}). See the errors above.") from None


def _bought(address: str, email: str, password: str, package_id: str) -> int:
    login = _api(f"{address}/auth/login", {"email": email, "password": password})
    headers = {"Authorization": f"Bearer {login['token']}"}
    checkout = _api(f"{address}/billing/checkout", {"package_id": package_id}, headers)
    _press(checkout["checkout_url"], BUTTON)
    give_up_at = time.monotonic() + CREDIT_SECONDS
    while time.monotonic() < give_up_at:
        state = _api(f"{address}/billing/checkout/{checkout['session_id']}", None, headers)
        if state["status"] == "paid":
            return int(state["seconds"])
        time.sleep(0.1)
    raise Unavailable("The purchase wasn't credited. See the errors above.")


def _api(url: str, body: Mapping[str, Any] | None, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})})  # noqa: S310
    with _browser().open(request, timeout=HTTP_SECONDS) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def _browser() -> urllib.request.OpenerDirector:
    """Return an HTTP client with cookies, and without the caller's proxy, since all requests stay on this machine."""
    handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar()))
    return urllib.request.build_opener(*handlers)


def _press(url: str, button: str) -> None:
    """Open a page and press one of its buttons."""
    browser = _browser()
    with browser.open(url, timeout=HTTP_SECONDS) as answer:
        page = _Page()
        page.feed(answer.read().decode())
    form = next((form for form in page.forms if button in form.buttons), None)
    if form is None:
        raise Unavailable(f"The checkout page has no button {button}.")
    sent = urllib.parse.urlencode({**form.fields, **form.buttons[button]}).encode()
    place = urllib.parse.urljoin(url, form.action)
    parts = urllib.parse.urlsplit(place)
    request = urllib.request.Request(place, sent, {"Origin": f"{parts.scheme}://{parts.netloc}"})  # noqa: S310
    browser.open(request, timeout=HTTP_SECONDS).close()


@dataclass(slots=True)
class _Form:
    """A form of a page. `buttons`: the fields that each button sends, by its label."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, dict[str, str]] = field(default_factory=dict)


class _Page(HTMLParser):
    """Parses the forms of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[_Form] = []
        self._button: dict[str, str] | None = None
        self._words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(_Form(has.get("action", "")))
        elif tag == "input" and self.forms and has.get("name"):
            self.forms[-1].fields[has["name"]] = has.get("value", "")
        elif tag == "button":
            self._button = {has["name"]: has.get("value", "")} if has.get("name") else {}
            self._words = ""

    def handle_data(self, data: str) -> None:
        self._words += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "button" and self._button is not None and self.forms:
            self.forms[-1].buttons[" ".join(self._words.split())] = self._button
            self._button = None

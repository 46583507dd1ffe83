"""Accounts over HTTP, with a service that behaves and with others."""

import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from websockets.datastructures import Headers
from websockets.http11 import Response

from tests.standin.smtp import CERTIFICATE
from tests.unit.client.servers import Answer, Http
from transcription_client.errors import ClientError, Unreachable
from transcription_client.net import Api, Balance, Receipt, current, renewed, unreachable, with_model
from transcription_client.store import Login, Store

LOGIN = Login("http://127.0.0.1:1", "me@example.com", "a-token", "a-refresh-token", 0.0)
TOKENS = {"token": "t2", "refresh_token": "r2", "expires_in": 3600}
BALANCE = {"seconds_remaining": 125, "minutes_remaining": 2, "seconds_held": 5, "seconds_frozen": 0}
SENTENCE = {"error": {"code": "some_code", "message": "Do something else."}}


@pytest.mark.parametrize(("register", "path"), [(False, "/auth/login"), (True, "/auth/register")])
def test_entering_gives_a_login(http: Http, register: bool, path: str) -> None:
    http.answers[f"POST {path}"] = (200, {**TOKENS, "user": {"id": "1", "email": "me@example.com"}})
    before = time.time()
    login = Api(f"{http.url}/").enter("Me@example.com", "a password", register=register)
    assert replace(login, expires_at=0) == Login(http.url, "me@example.com", "t2", "r2", 0)
    assert before + 3600 <= login.expires_at <= time.time() + 3600
    assert http.asked[0].body == {"email": "Me@example.com", "password": "a password"}


def test_leaving_says_which_login(http: Http) -> None:
    http.answers["POST /auth/logout"] = (204, b"")
    Api(http.url).leave(LOGIN)
    assert http.asked[0].body == {"refresh_token": "a-refresh-token"}


def test_the_balance_is_asked_with_the_token(http: Http) -> None:
    http.answers["GET /billing/balance"] = (200, {**BALANCE, "of_a_newer_server": 1})
    assert Api(http.url).balance("a-token") == Balance(**BALANCE)
    assert http.asked[0].authorization == "Bearer a-token"


@pytest.mark.parametrize(
    ("answer", "model"),
    [
        ((200, {"engine": "deepgram", "default": {"model": "nova-3", "language": "en-US"}}), "nova-3"),
        ((200, {"default": {}}), None),
        ((200, b"<html>"), None),
        ((404, b""), None),
        ((500, SENTENCE), None),
    ],
)
def test_the_services_model_is_used_where_none_is_named(http: Http, answer: Answer, model: str | None) -> None:
    http.answers["GET /captions/options"] = answer
    named = {} if model is None else {"model": model}
    assert with_model({"language": "de"}, http.url) == {"language": "de", **named}
    for config in ({"model": "nova-2"}, {"keywords": "a:2"}):
        assert with_model(config, http.url) == config
    assert len(http.asked) == 1
    assert with_model({}, "http://127.0.0.1:1") == {}


def test_receipts_are_those_of_the_last_sessions(http: Http) -> None:
    live = {"id": "b", "status": "active", "seconds_used": 8, "audio_seconds": None, "reason": None, "model": "nova-2"}
    ended = {"id": "a", "status": "completed", "seconds_used": 3, "audio_seconds": 2.5, "reason": "idle"}
    http.answers["GET /account/usage"] = (200, {"days": [], "sessions": [live, ended]})
    assert Api(http.url).receipts("a-token") == [Receipt("b", "active", 8), Receipt("a", "completed", 3, 2.5, "idle")]
    assert http.asked[0].authorization == "Bearer a-token"


def test_a_refusal_is_shown_in_the_services_words(http: Http) -> None:
    http.answers["GET /billing/balance"] = (401, SENTENCE)
    with pytest.raises(ClientError, match=r"^Do something else\.$"):
        Api(http.url).balance("t")


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"<html>Welcome</html>"),
        (200, b""),
        (200, b"\xff\xfe"),
        (200, {}),
        (200, []),
        (200, {**BALANCE, "seconds_remaining": "many"}),
        (204, b""),
        (302, b""),
        (404, b"<html>Not found</html>"),
        (500, {"error": "no"}),
        (502, b""),
    ],
)
def test_another_servers_answer_is_recognised(http: Http, answer: Answer) -> None:
    http.answers["GET /billing/balance"] = answer
    with pytest.raises(ClientError, match=f"^{http.url} isn't a caption service. Check the address"):
        Api(http.url).balance("t")


def test_an_unreachable_server_is_a_one_sentence_error(nobody: str) -> None:
    with pytest.raises(ClientError, match=f"Can't reach {nobody} .*refused.*. Check the address"):
        Api(nobody).balance("t")


def test_a_proxy_of_the_environment_is_not_for_this_machine(
    http: Http, nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    http.answers["GET /billing/balance"] = (200, BALANCE)
    monkeypatch.setenv("HTTP_PROXY", nobody)
    monkeypatch.setenv("ALL_PROXY", nobody)
    assert Api(http.url).balance("t").seconds_remaining == 125


@pytest.mark.parametrize("proxy", ["socks://me:hunter2@127.0.0.1:1", "socks5://127.0.0.1:1", "ftp://x"])
def test_a_proxy_that_cannot_be_used_is_one_sentence(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(ClientError, match=r"^ALL_PROXY names .* captions\.example\.org to NO_PROXY") as told:
        Api("https://captions.example.org").balance("token")
    assert "hunter2" not in str(told.value)


def test_a_proxy_of_the_environment_is_used_for_all_others(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    http.answers["GET http://captions.test/billing/balance"] = (200, BALANCE)
    monkeypatch.setenv("HTTP_PROXY", http.url)
    assert Api("http://captions.test").balance("t").seconds_remaining == 125


@pytest.mark.parametrize(
    "server",
    ["", "captions.example.com", "127.0.0.1:3000", "ftp://a", "http://", "http://:80", "http://a:b", "http://[::1"],
)
def test_what_is_no_address_is_refused_with_an_example(server: str) -> None:
    with pytest.raises(ClientError, match=r"isn't a valid address\. Use one like https://"):
        Api(server)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("http://a:3000/", "http://a:3000"),
        ("HTTPS://captions.example.com", "https://captions.example.com"),
        ("https://a/behind/a/path/?q#f", "https://a/behind/a/path"),
        ("http://[::1]:3000", "http://[::1]:3000"),
    ],
)
def test_an_address_is_kept_in_one_form(written: str, kept: str) -> None:
    assert Api(written).server == kept


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def logged_in(store: Store, http: Http, *, valid_for: float) -> Login:
    login = replace(LOGIN, server=http.url, expires_at=time.time() + valid_for)
    store.save(login)
    return login


def test_without_one_it_says_how_to_get_one(store: Store) -> None:
    with pytest.raises(ClientError, match="You're not logged in"):
        current(store)


def test_a_good_token_is_used_as_it_is(store: Store, http: Http) -> None:
    login = logged_in(store, http, valid_for=600)
    assert current(store) == login
    assert http.asked == []


@pytest.mark.parametrize("valid_for", [-1000, 30])
def test_one_that_has_expired_or_is_about_to_is_renewed_and_kept(store: Store, http: Http, valid_for: float) -> None:
    logged_in(store, http, valid_for=valid_for)
    http.answers["POST /auth/refresh"] = (200, TOKENS)
    renewed = current(store)
    assert (renewed.token, renewed.refresh_token, renewed.email) == ("t2", "r2", "me@example.com")
    assert store.load() == renewed
    assert http.asked[0].body == {"refresh_token": "a-refresh-token"}


def test_programs_that_start_at_once_renew_it_once(store: Store, http: Http) -> None:
    logged_in(store, http, valid_for=-1)

    def once(body: Any) -> Answer:
        return (200, TOKENS) if body["refresh_token"] == "a-refresh-token" else (401, SENTENCE)

    http.answers["POST /auth/refresh"] = once
    with ThreadPoolExecutor(8) as threads:
        tokens = list(threads.map(lambda _: current(store).token, range(8)))
    assert tokens == ["t2"] * 8
    assert len(http.asked) == 1


def test_one_that_cannot_be_renewed_is_kept_and_advice_is_given(store: Store, http: Http) -> None:
    login = logged_in(store, http, valid_for=-1)
    http.answers["POST /auth/refresh"] = (401, SENTENCE)
    with pytest.raises(ClientError, match=r"Do something else\. If this keeps happening"):
        current(store)
    assert store.load() == login


def test_a_token_that_was_refused_is_renewed_whatever_its_date_and_kept(store: Store, http: Http) -> None:
    login = logged_in(store, http, valid_for=10_000)
    http.answers["POST /auth/refresh"] = (200, TOKENS)
    fresh = renewed(store, login)
    assert (fresh.token, fresh.refresh_token) == ("t2", "r2")
    assert store.load() == fresh


def test_one_that_another_program_has_renewed_meanwhile_is_used(store: Store, http: Http) -> None:
    login = logged_in(store, http, valid_for=10_000)
    other = replace(login, token="t3")
    store.save(other)
    assert renewed(store, login) == other
    assert http.asked == []


def test_one_that_was_refused_and_cannot_be_renewed_is_an_error(store: Store, http: Http) -> None:
    login = logged_in(store, http, valid_for=10_000)
    http.answers["POST /auth/refresh"] = (401, SENTENCE)
    with pytest.raises(ClientError, match=r"^Do something else\.$"):
        renewed(store, login)
    assert store.load() == login


def status(code: int) -> websockets.InvalidStatus:
    return websockets.InvalidStatus(Response(code, "", Headers(), b""))


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (ConnectionRefusedError(111, "Connection refused"), True),
        (TimeoutError("timed out"), True),
        (OSError(-2, "Name or service not known"), True),
        (httpx.ConnectTimeout("timed out"), True),
        (httpx.ConnectError("Connection refused"), True),
        (httpx.RemoteProtocolError("Server disconnected"), True),
        (status(502), True),
        (status(404), False),
        (websockets.InvalidMessage("did not receive a valid HTTP response"), False),
        (websockets.InvalidURI("ws://", "no host"), False),
        (ssl.SSLCertVerificationError("self-signed certificate"), False),
        (httpx.ConnectError("[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"), False),
        (httpx.InvalidURL("no host"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whether_another_try_may_help(error: Exception, passes: bool) -> None:
    assert isinstance(unreachable("https://x", error), Unreachable) is passes


@pytest.mark.parametrize(("code", "passes"), [(500, True), (503, True), (404, False), (401, False)])
def test_whether_another_request_may_help(http: Http, code: int, passes: bool) -> None:
    http.answers["GET /billing/balance"] = (code, SENTENCE)
    with pytest.raises(ClientError) as error:
        Api(http.url).balance("t")
    assert isinstance(error.value, Unreachable) is passes


@contextmanager
def tls_server() -> Iterator[str]:
    """An HTTPS server whose certificate nobody knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_unknown_certificate_is_said() -> None:
    with tls_server() as place, pytest.raises(ClientError) as told:
        Api(f"https://{place}").balance("t")
    assert str(told.value).startswith(f"This computer doesn't trust the certificate of https://{place} (self-signed")
    assert str(told.value).endswith("). Check the address.")


def test_https_where_there_is_none_is_said(http: Http) -> None:
    place = http.url.removeprefix("http://")
    with pytest.raises(ClientError) as told:
        Api(f"https://{place}").balance("t")
    assert str(told.value) == (
        f"https://{place} doesn't use https. Check the address, or write http:// if it's your own."
    )


def test_http_where_https_is_wanted_is_said() -> None:
    with tls_server() as place, pytest.raises(ClientError) as told:
        Api(f"http://{place}").balance("t")
    assert str(told.value).startswith(f"http://{place} closed the connection (")
    assert str(told.value).endswith(f"). If it uses https, write https://{place}.")


def test_a_redirect_to_https_is_said() -> None:
    class Redirect(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(301)
            self.send_header("Location", "https://captions.example.com/billing/balance")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Redirect) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(ClientError) as told:
            Api(url).balance("t")
        server.shutdown()
        thread.join()
    assert str(told.value) == f"{url} uses https. Write {url.replace('http', 'https')} instead."

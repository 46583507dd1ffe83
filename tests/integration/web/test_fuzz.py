"""Whatever a client sends, it is an answer of the contract that comes back, and never 500."""

import itertools
import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.web.every_route import check
from tests.integration.web.site import Site, bearer, code

BODIES = [
    b"",
    b"null",
    b"5",
    b'"x"',
    b"[]",
    b"{}",
    b"{",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    b"NaN",
    b"[" * 60_000,
    b'{"email":' * 7_000,
    b"1" * 60_000,
    b'{"email":' + b"9" * 5_000 + b',"password":1e999}',
    b'{"email":NaN,"password":-Infinity}',
    b'{"email":"\\ud800","password":"\\udfff\\ud800aaaaaaaa"}',
    b'{"email":"a@example.org","password":"\\ud800aaaaaaaa"}',
    b'{"email":"a\\u0000@example.org","password":"\\u0000aaaaaaaa"}',
    b'{"email":["a@example.org"],"password":{"a":1}}',
    b'{"email":null,"password":true}',
    b'{"email":"' + b"a" * 60_000 + b'@example.org","password":"aaaaaaaa"}',
    b'{"email":"a@example.org","password":"' + b"a" * 60_000 + b'"}',
    b'{"\\ud800":1}',
    b'{"refresh_token":"\\ud800"}',
    b'{"refresh_token":"\\u0000"}',
    b'{"refresh_token":[]}',
    b'{"current":"\\ud800","new":"aaaaaaaaaaaa"}',
    b'{"current":"correct horse","new":"\\u0000aaaaaaaa"}',
    b'{"current":{},"new":[]}',
    '{"email":"a@example.org","password":"aaaaaaaa"}'.encode("utf-16"),
]
LIFETIMES = [b'{"ttl_seconds":' + each + b"}" for each in (b"-1", b"0", b"1e999", b"NaN", b'"1"', b"[]", b"9" * 5_000)]
TYPES: list[bytes | None] = [
    None,
    b"",
    b"application/json",
    b"application/json; charset=\xff",
    b"application/problem+json",
    b"text/plain",
    b"application/x-www-form-urlencoded",
    b"multipart/form-data",
    b"multipart/form-data; boundary=x",
    b"a/b/c;;;=",
]
PATHS = [
    b"//",
    b"/%",
    b"/%zz",
    b"/%00",
    b"/%ff%fe",
    b"/" + b"a/" * 4_000,
    b"/static/%00",
    b"/static/%ff",
    b"/static//etc/passwd",
    b"/static/" + b"a" * 5_000,
    b"/account/sessions/%00",
    b"/account/sessions/%ed%a0%80",
    b"/account/usage?tz=%ff",
    b"/account/usage?tz=%ed%a0%80",
    b"/account/usage?tz=UTC&tz=%00",
    b"/account/usage?tz=" + b"a" * 9_000,
    b"/account/usage?=&&&==",
    b"/account/sessions?live=%00",
]
VALUES = [b"", b" ", b"\0", b"\xff\xfe", b"x" * 9_000, b",,,,", b"=;=;", b"-1", b"9" * 400]
HEADERS = [
    b"Authorization",
    b"Accept",
    b"Accept-Encoding",
    b"Cookie",
    b"Expect",
    b"Host",
    b"If-Modified-Since",
    b"If-None-Match",
    b"Origin",
    b"Range",
    b"X-Forwarded-For",
    b"X-Request-Id",
]
AUTHORIZATIONS = [b"Bearer", b"Bearer \xff", b"Bearer \0", b"Bearer a.b.c", b"Bearer " + b"ey." * 1_300, b"Basic !"]
ADDRESSES = [b"1.2.3.4," * 1_000, b"::1%eth0", b"[::1", b"[::1]:5", b"999.1.1.1", b"\xff, 1.2.3.4"]


def expected(answer: httpx.Response, about: object) -> None:
    """One of ours, in our shape."""
    assert answer.status_code < 500, about
    assert answer.headers["x-request-id"], about
    if answer.status_code >= 400:
        code(answer)


@pytest.fixture
async def headers(site: Site) -> dict[bytes, bytes]:
    """The login of a user, at a service that does not count."""
    site.build(auth_rate=1_000_000)
    login = await site.register()
    return {name.encode(): value.encode() for name, value in bearer(login).items()}


async def test_unusual_bodies_are_answered_on_every_route(site: Site, headers: dict[bytes, bytes]) -> None:
    async with site.client() as client:
        for path, methods in site.app.openapi()["paths"].items():
            for method, operation in methods.items():
                types = TYPES if "requestBody" in operation else TYPES[2:3]
                for body, kind in itertools.product(BODIES, types):
                    sent = headers if kind is None else {**headers, b"Content-Type": kind}
                    answer = await client.request(method, path, content=body, headers=sent)
                    expected(answer, (method, path, body[:60], kind))


@pytest.mark.parametrize("path", ["/v1/auth/grant", "/v1/listen", "/v1/listen?model=nova-3", "/v2/listen", "/v1/speak"])
async def test_unusual_bodies_are_answered_in_deepgrams_form(
    site: Site, headers: dict[bytes, bytes], path: str
) -> None:
    async with site.client() as client:
        for body, kind in itertools.product(BODIES + LIFETIMES, TYPES):
            sent = headers if kind is None else {**headers, b"Content-Type": kind}
            answer = await client.post(path, content=body, headers=sent)
            check(answer, (path, body[:60], kind))
            assert answer.headers["dg-request-id"]


async def test_unusual_paths_are_answered_for_every_method(site: Site, headers: dict[bytes, bytes]) -> None:
    async with site.client() as client:
        for path, method in itertools.product(PATHS, ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "TRACE", "BREW"]):
            url = httpx.URL("http://captions").copy_with(raw_path=path)
            answer = await client.request(method, url, headers=headers)
            if method != "HEAD":
                expected(answer, (method, path[:60]))
            assert answer.status_code < 500


@pytest.mark.parametrize("peer", ["192.0.2.7", "10.0.0.1", ""])
async def test_unusual_headers_are_answered(site: Site, peer: str) -> None:
    odd = [*itertools.product(HEADERS, VALUES)]
    odd += [(b"Authorization", value) for value in AUTHORIZATIONS]
    odd += [(b"X-Forwarded-For", value) for value in ADDRESSES]
    async with site.client(peer) as client:
        for header, path in itertools.product(odd, ["/account/me", "/docs", "/nothing"]):
            expected(await client.get(path, headers=[header]), (header, path))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=80),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
fields = st.sampled_from(["email", "password", "refresh_token", "current", "new"])
routes = st.sampled_from(["/auth/register", "/auth/login", "/auth/refresh", "/auth/logout", "/account/password"])


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(path=routes, body=st.dictionaries(fields, json_values, max_size=5) | json_values)
async def test_any_json_is_answered(site: Site, headers: dict[bytes, bytes], path: str, body: Any) -> None:
    async with site.client() as client:
        sent = {**headers, b"Content-Type": b"application/json"}
        answer = await client.post(path, content=json.dumps(body).encode(), headers=sent)
        expected(answer, body)

"""Every error a client can meet has a status, a code and a sentence, in one shape."""

import json
from collections.abc import AsyncIterator
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Query
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from transcription_proxy.errors import Refusal, Unavailable
from transcription_proxy.web import errors


class Inner(BaseModel):
    count: int


class Body(BaseModel):
    name: str
    inner: list[Inner] = []


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    errors.install(app)

    @app.get("/refusal/{code}")
    async def refusal(code: str) -> None:
        raise Refusal(code, "A sentence.")

    @app.get("/away")
    async def away() -> None:
        raise Unavailable("connection to 10.1.2.3 failed")

    @app.get("/status/{status}")
    async def status(status: int) -> None:
        raise HTTPException(status, headers={"X-Why": "because"})

    @app.post("/body")
    async def body(body: Body, size: Annotated[int, Query()] = 0) -> Body:
        return body

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://captions") as client:
        yield client


def code(answer: httpx.Response) -> tuple[int, str]:
    error = answer.json()["error"]
    assert set(error) == {"code", "message"}
    assert set(answer.json()) == {"error"}
    return answer.status_code, error["code"]


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("unauthorized", 401),
        ("invalid_credentials", 401),
        ("refresh_reused", 401),
        ("email_taken", 409),
        ("invalid_email", 422),
        ("weak_password", 422),
        ("invalid_timezone", 422),
        ("invalid_request", 422),
        ("rate_limited", 429),
        ("service_unavailable", 503),
    ],
)
async def test_each_code_of_the_contract_has_its_status(http: httpx.AsyncClient, name: str, status: int) -> None:
    answer = await http.get(f"/refusal/{name}")
    assert code(answer) == (status, name)
    assert answer.json()["error"]["message"] == "A sentence."


async def test_401_says_how_to_log_in_and_503_when_to_come_back(http: httpx.AsyncClient) -> None:
    assert (await http.get("/refusal/unauthorized")).headers["www-authenticate"] == "Bearer"
    assert int((await http.get("/away")).headers["retry-after"]) > 0
    assert "www-authenticate" not in (await http.get("/refusal/email_taken")).headers


async def test_a_database_that_is_away_is_503_and_its_address_stays_ours(http: httpx.AsyncClient) -> None:
    answer = await http.get("/away")
    assert code(answer) == (503, "service_unavailable")
    assert "10.1.2.3" not in answer.text


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "invalid_json"),
        (404, "not_found"),
        (405, "method_not_allowed"),
        (408, "request_timeout"),
        (413, "too_large"),
    ],
)
async def test_what_the_framework_says_by_status_has_the_same_shape(
    http: httpx.AsyncClient, status: int, name: str
) -> None:
    answer = await http.get(f"/status/{status}")
    assert code(answer) == (status, name)
    assert answer.headers["x-why"] == "because"


async def test_a_wrong_method_names_the_right_ones_and_options_asks_for_them(http: httpx.AsyncClient) -> None:
    wrong, asked = await http.get("/body"), await http.options("/body")
    assert code(wrong) == (405, "method_not_allowed")
    assert (asked.status_code, asked.content) == (204, b"")
    assert wrong.headers["allow"] == asked.headers["allow"] == "OPTIONS, POST"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": 5}, "name"),
        ({"name": "secret", "inner": 5}, "inner"),
        ({"name": "secret", "inner": [{"count": 1}, {"count": "secret"}]}, "inner.1.count"),
        ({"inner": "secret"}, "name"),  # the first one only
    ],
)
async def test_a_wrong_field_is_named_and_what_was_sent_is_not(
    http: httpx.AsyncClient, body: object, field: str
) -> None:
    answer = await http.post("/body", json=body)
    assert code(answer) == (422, "invalid_request")
    assert answer.json()["error"]["message"].startswith(f"{field}: ")
    assert "secret" not in answer.text


async def test_a_wrong_parameter_is_named(http: httpx.AsyncClient) -> None:
    answer = await http.post("/body?size=secret", json={"name": "x"})
    assert code(answer) == (422, "invalid_request")
    assert answer.json()["error"]["message"].startswith("size: ")
    assert "secret" not in answer.text


@pytest.mark.parametrize("content", [b"{", b"", b"\xff", b"{'name':1}", b'{"name":"x"} x'])
async def test_what_is_no_json_is_said_to_be_none(http: httpx.AsyncClient, content: bytes) -> None:
    answer = await http.post("/body", content=content, headers={"Content-Type": "application/json"})
    expected = (400, "invalid_json") if content else (422, "invalid_request")
    assert code(answer) == expected


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", None])
@pytest.mark.parametrize("content", [b'{"name":"x"}', b"name=x", b"5"])
async def test_another_content_type_is_told_the_right_one(
    http: httpx.AsyncClient, content_type: str | None, content: bytes
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answer = await http.post("/body", content=content, headers=headers)
    assert code(answer) == (422, "invalid_request")
    assert "application/json" in answer.json()["error"]["message"]


def test_an_answer_may_carry_headers_beside_those_of_its_status() -> None:
    answer = errors.response(Refusal("unauthorized", "Log in."), {"X-More": "1"})
    assert (answer.headers["x-more"], answer.headers["www-authenticate"]) == ("1", "Bearer")
    assert json.loads(bytes(answer.body)) == {"error": {"code": "unauthorized", "message": "Log in."}}


def test_a_route_documents_its_codes_by_status() -> None:
    answers = errors.documented("invalid_email", "email_taken", "weak_password")
    assert set(answers) == {409, 422}
    assert answers[422]["description"] == "`invalid_email`, `weak_password`"
    assert {answer["model"] for answer in answers.values()} == {errors.ErrorBody}

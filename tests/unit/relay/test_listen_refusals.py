"""HTTP errors in Deepgram's form."""

import json
from uuid import UUID

import pytest

from transcription_proxy.errors import Refusal
from transcription_proxy.relay.request_head import as_request_id, listen_refusal, normalised, upgrade_objection
from transcription_proxy.stream import listen_errors
from transcription_proxy.stream.listen_errors import from_refusal, from_upstream

ID = "9d9d1a5e-0000-4000-8000-000000000001"


def test_our_own_refusal_has_the_same_text_and_id_in_head_and_body() -> None:
    answer = listen_refusal(from_refusal(Refusal("too_many_connections", "Näh.\r\n", 7)))
    headers, body = dict(answer.headers), json.loads(answer.content)
    assert (answer.status, body["err_code"], body["err_msg"]) == (429, "TOO_MANY_REQUESTS", "Näh.\r\n")
    assert headers[b"dg-error"] == b"N h. "
    assert headers[b"retry-after"] == b"7"
    assert UUID(body["request_id"]) == UUID(headers[b"dg-request-id"].decode())


def test_the_upstreams_refusal_is_relayed_with_its_body() -> None:
    answer = listen_refusal(from_upstream(400, "Bad.", b'{"err_msg":"Bad."}', ID))
    assert (answer.status, answer.content) == (400, b'{"err_msg":"Bad."}')
    assert dict(answer.headers)[b"dg-request-id"] == ID.encode()
    assert b"HTTP/1.1 400 Bad Request\r\n" in answer.answer()


def test_an_upstream_without_a_body_gets_one() -> None:
    assert json.loads(from_upstream(429, "Busy.", b"", ID).body)["err_msg"] == "Busy."


@pytest.mark.parametrize("status", [None, 302, 401, 402, 403, 500, 503])
def test_what_concerns_our_own_key_is_not_relayed(status: int | None) -> None:
    assert from_upstream(status, "x", b"x", ID) is listen_errors.NO_ENGINE


@pytest.mark.parametrize("text", [None, "", "no uuid"])
def test_an_id_that_is_no_uuid_is_replaced(text: str | None) -> None:
    assert as_request_id(text) != as_request_id(text)
    assert str(as_request_id(ID)) == ID


@pytest.mark.parametrize(
    ("target", "expected"), [(b"//v1//listen?a=//b", b"/v1/listen?a=//b"), (b"/v1/listen", b"/v1/listen"), (b"/", b"/")]
)
def test_doubled_slashes_of_a_path_are_joined(target: bytes, expected: bytes) -> None:
    assert normalised(target) == expected


def test_a_path_of_deepgrams_that_we_do_not_have_is_refused_in_its_form() -> None:
    refused = upgrade_objection("GET", b"/v1/agent/converse", "1.1", [], [b"/v1/listen"])
    assert refused is not None
    assert (refused.status, json.loads(refused.content)["err_code"]) == (404, "NOT_FOUND")

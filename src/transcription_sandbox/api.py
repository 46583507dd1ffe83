"""Stripe's API over HTTP: authentication, parameters, idempotency keys, and the headers of answers."""

import hashlib
import hmac
import json
import logging
import time
from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from transcription_sandbox import names, objects
from transcription_sandbox.bodies import read_body
from transcription_sandbox.endpoints import Endpoint, find
from transcription_sandbox.errors import ApiError, bad_request
from transcription_sandbox.params import nested
from transcription_sandbox.state import Answer, Records, State

MAX_KEY_CHARACTERS: Final = 255
MAX_PARAMS: Final = 1000
Pairs = Sequence[tuple[str, str]]
log = logging.getLogger(__name__)


class Api:
    """`key`: the secret key that clients must send."""

    def __init__(self, state: State, key: str) -> None:
        self._state = state
        self._key = key

    async def handle(self, request: Request) -> Response:
        """Answer a request. An error that nobody expected is logged, and answered as Stripe does."""
        try:
            answer = await self._respond(request)
        except ApiError as error:
            answer = _error_answer(error, "")
        except Exception:
            log.exception("A request failed")
            answer = _error_answer(ApiError("An unknown error occurred.", status=500, kind="api_error"), "")
        headers = {
            "Content-Type": "application/json",
            "Cache-Control": "no-store",
            "Request-Id": names.new("request"),
            "Stripe-Version": objects.API_VERSION,
        }
        return Response(answer.body, answer.status, headers)

    async def _respond(self, request: Request) -> Answer:
        """Return the answer, which may be that of an earlier request with the same key. Raise ApiError."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not hmac.compare_digest(key.encode(), self._key.encode()):
            raise ApiError("Invalid API Key provided.", status=401)
        path = request.path_params["path"].strip("/").split("/")
        endpoint = find(request.method, path)
        pairs = await _pairs(request)
        idempotency_key = request.headers.get("idempotency-key")
        with self._state.transaction(time.time()) as records:
            if request.method != "POST" or idempotency_key is None:
                return _perform(records, endpoint, path, pairs, "")
            return _perform_once(records, endpoint, path, pairs, idempotency_key)


def _perform_once(records: Records, endpoint: Endpoint, path: Sequence[str], pairs: Pairs, key: str) -> Answer:
    """Return the answer that is stored for an idempotency key, or perform the request and store its answer."""
    if not 0 < len(key) <= MAX_KEY_CHARACTERS:
        message = f"Idempotency keys must have 1 to {MAX_KEY_CHARACTERS} characters."
        raise bad_request(message, code="idempotency_key_invalid")
    asked = hashlib.sha256(json.dumps([path, sorted(pairs)]).encode()).hexdigest()
    earlier = records.stored_answer(key)
    if earlier is None:
        answer = _perform(records, endpoint, path, pairs, asked)
        if answer.request:
            records.store_answer(key, answer)
        return answer
    if earlier.request != asked:
        raise ApiError(
            "Keys for idempotent requests can only be used with the same parameters they were first used with.",
            kind="idempotency_error",
        )
    return earlier


def _perform(records: Records, endpoint: Endpoint, path: Sequence[str], pairs: Pairs, asked: str) -> Answer:
    """Perform a request, of which nothing is left in `records` if it fails.

    `asked`: a hash of the request, by which its answer is stored. It is empty for an answer that must not be stored.
    """
    try:
        with records.all_or_nothing():
            thing = endpoint.perform(records, path, nested(pairs))
    except ApiError as error:
        return _error_answer(error, asked if error.is_final else "")
    return Answer(asked, 200, json.dumps(thing))


async def _pairs(request: Request) -> Pairs:
    """Return the parameters: of the query for GET, else of the body. Raise ApiError."""
    raw = request.url.query if request.method == "GET" else (await read_body(request)).decode("utf-8", "replace")
    try:
        return parse_qsl(raw, keep_blank_values=True, max_num_fields=MAX_PARAMS)
    except ValueError:
        raise bad_request(f"At most {MAX_PARAMS} parameters can be sent.") from None


def _error_answer(error: ApiError, asked: str) -> Answer:
    return Answer(asked, error.status, json.dumps(error.body()))

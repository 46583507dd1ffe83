"""Stripe's API over HTTP: who asks, what was sent, idempotency keys, and the answer's headers."""

import base64
import binascii
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from transcription_sandbox import names, objects
from transcription_sandbox.bodies import body_of
from transcription_sandbox.endpoints import Endpoint, found
from transcription_sandbox.params import nested
from transcription_sandbox.refusals import Refused, malformed
from transcription_sandbox.state import Answer, Cause, Records, State

LONGEST_KEY: Final = 255
MOST_PARAMS: Final = 1000
log = logging.getLogger(__name__)


class Api:
    """`key`: the secret key that it takes."""

    def __init__(self, state: State, key: str, clock: Callable[[], float] = time.time) -> None:
        self._state = state
        self._key = key
        self._clock = clock
        self._in_flight: set[str] = set()

    async def answer(self, request: Request) -> Response:
        request_id = names.new("request")
        try:
            self._authorize(request.headers.get("authorization", ""))
            answer, replayed = await self._respond(request, request_id)
        except Refused as refused:
            answer, replayed = _answer_of(refused, ""), False
        except Exception:
            log.exception("A request failed")
            broken = Refused("An unknown error occurred.", status=500, kind="api_error")
            answer, replayed = _answer_of(broken, ""), False
        return Response(answer.body, answer.status, _headers(request, request_id, replayed=replayed))

    def _authorize(self, credentials: str) -> None:
        """Raises Refused."""
        given = _key_in(credentials)
        if not given:
            raise Refused(
                "You did not provide an API key. You need to provide your API key in the Authorization header, using "
                "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
                status=401,
            )
        if not hmac.compare_digest(given.encode(), self._key.encode()):
            hidden = f"{given[:8]}{'*' * 8}{given[-4:]}" if len(given) > 16 else "*" * len(given)
            raise Refused(f"Invalid API Key provided: {hidden}", status=401)

    async def _respond(self, request: Request, request_id: str) -> tuple[Answer, bool]:
        """The answer, and whether it is that of an earlier request. Raises Refused."""
        path = request.path_params["path"].strip("/").split("/")
        endpoint = found(request.method, path)
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        if key is None:
            return self._perform(endpoint, path, await _pairs(request), Cause(request_id)), False
        if not 0 < len(key) <= LONGEST_KEY:
            raise malformed(
                f"Idempotency keys must have 1 to {LONGEST_KEY} characters.", code="idempotency_key_invalid"
            )
        if key in self._in_flight:
            raise Refused(
                "There is currently another in-progress request using this Idempotent Key (that probably means you "
                "submitted twice, and the other request is still going through): try again later.",
                status=409,
                code="idempotency_key_in_use",
            )
        self._in_flight.add(key)
        try:
            return self._perform_once(endpoint, path, await _pairs(request), Cause(request_id, key), key)
        finally:
            self._in_flight.discard(key)

    def _perform_once(
        self, endpoint: Endpoint, path: Sequence[str], pairs: list[tuple[str, str]], cause: Cause, key: str
    ) -> tuple[Answer, bool]:
        asked = hashlib.sha256(json.dumps([path, sorted(pairs)]).encode()).hexdigest()
        with self._state.transaction(self._clock(), cause) as records:
            earlier = records.answer(key)
            if earlier is None:
                answer = _perform(records, endpoint, path, pairs, asked)
                if answer.request:
                    records.keep_answer(key, answer)
                return answer, False
        if earlier.request != asked:
            raise Refused(
                f"Keys for idempotent requests can only be used with the same parameters they were first used with. "
                f"Try using a key other than '{key}' if you meant to execute a different request.",
                kind="idempotency_error",
            )
        return earlier, True

    def _perform(self, endpoint: Endpoint, path: Sequence[str], pairs: list[tuple[str, str]], cause: Cause) -> Answer:
        with self._state.transaction(self._clock(), cause) as records:
            return _perform(records, endpoint, path, pairs, "")


def _perform(
    records: Records, endpoint: Endpoint, path: Sequence[str], pairs: list[tuple[str, str]], asked: str
) -> Answer:
    """`asked`: what the answer is kept for; it is not where the request could be sent again after being mended."""
    try:
        with records.all_or_nothing():
            thing = endpoint.perform(records, path, nested(pairs))
    except Refused as refused:
        return _answer_of(refused, asked if refused.final else "")
    return Answer(asked, 200, _text(thing))


async def _pairs(request: Request) -> list[tuple[str, str]]:
    """The parameters: a GET's are in its query, a POST's in its body."""
    raw = request.url.query if request.method == "GET" else (await body_of(request)).decode("utf-8", "replace")
    try:
        return parse_qsl(raw, keep_blank_values=True, max_num_fields=MOST_PARAMS)
    except ValueError:
        raise malformed(f"At most {MOST_PARAMS} parameters can be sent.") from None


def _key_in(credentials: str) -> str:
    """From Bearer, or from Basic with the key as the name of the user."""
    scheme, _, given = credentials.partition(" ")
    if scheme.lower() == "bearer":
        return given.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(given, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _headers(request: Request, request_id: str, *, replayed: bool) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": "no-cache, no-store",
        "Request-Id": request_id,
        "Stripe-Version": objects.API_VERSION,
    }
    key = request.headers.get("idempotency-key")
    if key is not None and len(key) <= LONGEST_KEY:
        headers["Idempotency-Key"] = key
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    return headers


def _answer_of(refused: Refused, asked: str) -> Answer:
    return Answer(asked, refused.status, _text(refused.body()))


def _text(body: dict[str, Any]) -> str:
    return json.dumps(body, indent=2)

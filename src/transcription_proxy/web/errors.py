"""Errors as HTTP answers: one table from code to status, and one JSON shape for all errors."""

from collections.abc import Mapping
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal, Unavailable

STATUS: Final = {
    "invalid_json": 400,
    "invalid_signature": 400,
    "invalid_event": 400,
    "test_mode": 400,
    "unauthorized": 401,
    "invalid_credentials": 401,
    "refresh_reused": 401,
    "login_required": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "request_timeout": 408,
    "email_taken": 409,
    "too_many_keys": 409,
    "overlay_gone": 410,
    "too_large": 413,
    "invalid_request": 422,
    "invalid_email": 422,
    "weak_password": 422,
    "invalid_reset_token": 422,
    "invalid_confirmation": 422,
    "invalid_timezone": 422,
    "unknown_package": 422,
    "unknown_model": 422,
    "invalid_amount": 422,
    "amount_too_large": 422,
    "rate_limited": 429,
    "too_many_watchers": 429,
    "client_left": 499,
    "internal": 500,
    "service_unavailable": 503,
    "payments_unavailable": 503,
}
HEADERS: Final = {
    401: {"WWW-Authenticate": "Bearer"},
    429: {"Retry-After": "60"},
    503: {"Retry-After": "5"},
}
"""By status. A refusal that knows how long to wait overrides Retry-After, so every 429 and 503 has one."""
_FRAMEWORK: Final = {
    400: Refusal("invalid_json", sentences.BAD_JSON),
    404: Refusal("not_found", sentences.NO_SUCH_PATH),
    405: Refusal("method_not_allowed", sentences.NO_SUCH_METHOD),
    408: Refusal("request_timeout", sentences.BODY_TOO_SLOW),
    413: Refusal("too_large", sentences.BODY_TOO_LARGE),
    499: Refusal("client_left", sentences.CLIENT_LEFT),
}
"""Refusals for errors that have only a status: those of the framework, and those that bodies.py raises."""
log = structlog.get_logger(__name__)


class ErrorDetail(BaseModel):
    """`code` never changes; `message` is for people."""

    code: str
    message: str


class ErrorBody(BaseModel):
    """Every error has this shape."""

    error: ErrorDetail


def response(refusal: Refusal, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the answer for a refusal."""
    status = STATUS[refusal.code]
    content = {"error": {"code": refusal.code, "message": refusal.message}}
    wait = {} if refusal.retry_after is None else {"Retry-After": str(refusal.retry_after)}
    return JSONResponse(content, status, {**HEADERS.get(status, {}), **wait, **(headers or {})})


def documented(*codes: str) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that may answer with these codes, for the OpenAPI document."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(STATUS[code], []).append(f"`{code}`")
    answers: dict[int | str, dict[str, Any]] = {"default": {"model": ErrorBody, "description": "Any other error"}}
    answers |= {status: {"model": ErrorBody, "description": ", ".join(found)} for status, found in by_status.items()}
    return answers


def install(app: FastAPI) -> None:
    """Handle the errors that routes and the framework raise; envelope.py handles unexpected exceptions."""
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(Unavailable, _unavailable)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, by_status)


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return response(error)


async def _unavailable(_request: Request, error: Exception) -> Response:
    return unavailable(error)


def unavailable(error: Exception) -> Response:
    """Return the answer while the database is away."""
    log.warning("database_away", error=str(error))
    return response(Refusal("service_unavailable", sentences.UNAVAILABLE))


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return response(explain(error.errors()))


async def by_status(request: Request, error: Exception) -> Response:
    """Answer an HTTPException by its status. OPTIONS on a path that exists succeeds."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405 and request.method == "OPTIONS":
        return Response(status_code=204, headers=error.headers)
    return response(_FRAMEWORK[error.status_code], error.headers)


def explain(problems: Any) -> Refusal:
    """Return a refusal that names the first invalid field. `problems`: pydantic's. The value sent is not repeated."""
    first = problems[0]
    if first["type"] == "json_invalid":
        return _FRAMEWORK[400]
    field = ".".join(str(part) for part in first["loc"][1:])
    if not field:
        return Refusal("invalid_request", sentences.NO_OBJECT)
    return Refusal("invalid_request", sentences.invalid_field(field, first["msg"]))

"""Errors as HTTP answers: one table from code to status, and one JSON shape for all errors."""

from collections.abc import Mapping
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Mount

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
_METHODS: Final = ("DELETE", "GET", "PATCH", "POST", "PUT")
"""Methods that a route may have. HEAD works wherever GET does (heads.py), and OPTIONS everywhere."""
FOR_BODY: Final = ("invalid_json", "request_timeout", "too_large", "invalid_request")
"""Codes of every route that reads a JSON body."""
FOR_ACCOUNT: Final = ("unauthorized", "service_unavailable")
"""Codes of every route that needs a token."""
FOR_AUTH: Final = (*FOR_BODY, "rate_limited", "service_unavailable")
"""Codes of every path of /auth."""
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
    return {status: {"model": ErrorBody, "description": ", ".join(found)} for status, found in by_status.items()}


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
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(sorted(_methods(request)))
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=headers)
    return response(_FRAMEWORK[error.status_code], headers)


def _methods(request: Request) -> set[str]:
    """Return the methods of the request's path. The framework's Allow names only those of the first route."""
    found = {method for method in _METHODS if any(_answers(route, request, method) for route in request.app.routes)}
    return found | ({"HEAD", "OPTIONS"} if "GET" in found else {"OPTIONS"})


def _answers(route: BaseRoute, request: Request, method: str) -> bool:
    """Return whether a route answers a method on the request's path. A mount matches all, and serves files."""
    if isinstance(route, Mount) and method != "GET":
        return False
    return route.matches({**request.scope, "method": method, "root_path": ""})[0] is Match.FULL


def explain(problems: Any) -> Refusal:
    """Return a refusal that names the first invalid field. `problems`: pydantic's. The value sent is not repeated."""
    first = problems[0]
    if first["type"] == "json_invalid":
        return _FRAMEWORK[400]
    field = ".".join(str(part) for part in first["loc"][1:])
    if not field:
        return Refusal("invalid_request", sentences.NO_OBJECT)
    return Refusal("invalid_request", sentences.invalid_field(field, first["msg"]))

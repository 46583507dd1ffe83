"""/v1 and /v2: the parts of Deepgram's API that its command line and SDKs need beside `/v1/listen`.

Every answer has `dg-request-id`, and every error Deepgram's form. A path that is not offered gets 404, never a page."""

import re
from datetime import timedelta
from typing import Annotated, Any, Final
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

import structlog
from fastapi import APIRouter, Body, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from transcription_proxy import sentences
from transcription_proxy.accounts.api_keys import is_key
from transcription_proxy.accounts.store import User
from transcription_proxy.accounts.tokens import Granted, Identity
from transcription_proxy.errors import Refusal, Unavailable
from transcription_proxy.relay import credentials
from transcription_proxy.relay.recordings import Recordings, Upload, UpstreamFailed
from transcription_proxy.stream import languages, listen_errors
from transcription_proxy.stream.listen_errors import ListenError
from transcription_proxy.web.paths import logged_path
from transcription_proxy.web.services import Provided, Services
from transcription_wire.codes import ErrorCode

PREFIXES: Final = ("/v1", "/v2")
MAX_GRANT_SECONDS: Final = 3600
UPLOAD: Final = "/v1/listen"
_SLASHES: Final = re.compile("/{2,}")
v1 = APIRouter()
log = structlog.get_logger(__name__)


def install(app: FastAPI, services: Services, recordings: Recordings | None) -> None:
    """Add the paths to an application."""
    for prefix in PREFIXES:
        part = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
        part.state.services = services
        part.state.recordings = recordings
        part.add_exception_handler(Refusal, _refused)
        part.add_exception_handler(Unavailable, _unavailable)
        part.add_exception_handler(UpstreamFailed, _failed)
        part.add_exception_handler(RequestValidationError, _invalid)
        part.add_exception_handler(HTTPException, _by_status)
        part.add_middleware(_Answers)
        if prefix == "/v1":
            part.include_router(v1)
        app.mount(prefix, part)


class SingleSlashes:
    """ASGI middleware. It repairs `//v1/listen`, which SDKs ask for when their URL ends with a slash."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = _SLASHES.sub("/", scope.get("path", ""))
        if path.startswith(tuple(f"{prefix}/" for prefix in PREFIXES)):
            scope = {**scope, "path": path}
        await self._app(scope, receive, send)


class _Answers:
    """ASGI middleware. It gives each request an id, and answers for unexpected errors."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = scope["state"]["dg_request_id"] = uuid4()
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message).setdefault("dg-request-id", str(request_id))
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            if started:
                raise
            log.exception("request_failed", method=scope["method"], path=logged_path(scope))
            await answer(listen_errors.FAILED, request_id)(scope, receive, send_with_id)


def answer(error: ListenError, request_id: UUID) -> Response:
    """Return an error as an HTTP response."""
    headers = {"dg-error": error.message.encode("ascii", "replace").decode(), "Connection": "close"}
    if error.request_id:
        headers["dg-request-id"] = error.request_id
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    return Response(error.content(request_id), error.status, headers, "application/json")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return answer(listen_errors.from_refusal(error), request.state.dg_request_id)


async def _unavailable(request: Request, error: Exception) -> Response:
    log.warning("database_away", error=str(error))
    return answer(listen_errors.UNAVAILABLE, request.state.dg_request_id)


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, UpstreamFailed)
    return answer(error.error, request.state.dg_request_id)


async def _invalid(request: Request, _error: Exception) -> Response:
    return await _refused(request, Refusal(ErrorCode.INVALID_CONFIG, sentences.BAD_LIFETIME))


async def _by_status(request: Request, error: Exception) -> Response:
    """Answer an error of the framework, or of a body's limits. An unknown method is as good as an unknown path."""
    assert isinstance(error, HTTPException)
    found = _FRAMEWORK.get(error.status_code, listen_errors.NO_PATH)
    recordings: Recordings | None = request.app.state.recordings
    if error.status_code == 413 and recordings is not None and request.url.path.endswith(UPLOAD):
        found = listen_errors.from_refusal(recordings.too_large())
    response = answer(found, request.state.dg_request_id)
    response.headers.update(error.headers or {})
    return response


_FRAMEWORK: Final = {
    400: ListenError(400, "INVALID_JSON", sentences.BAD_JSON),
    408: ListenError(408, "REQUEST_TIMEOUT", sentences.BODY_TOO_SLOW),
    413: ListenError(413, "PAYLOAD_TOO_LARGE", sentences.BODY_TOO_LARGE),
    499: ListenError(499, "CLIENT_LEFT", sentences.CLIENT_LEFT),
}


# Recordings


@v1.post("/listen")
async def listen(request: Request, services: Provided) -> Response:
    """Transcribe a recording: the body itself, or the file at the `url` in a JSON body."""
    recordings: Recordings | None = request.app.state.recordings
    token, _ = credentials.read(request.headers.raw)
    if recordings is None or not services.ready():
        raise Unavailable("the service is starting or shutting down")
    length = request.headers.get("content-length", "")
    chunks = (chunk async for chunk in request.stream() if chunk)
    upload = Upload(request.headers.get("content-type", ""), int(length) if length.isdigit() else None, chunks)
    done = await recordings.transcribe(token, request.url.query, upload)
    headers = {"dg-request-id": done.request_id} if done.request_id else None
    return Response(done.body, 200, headers, done.content_type)


# Accounts


async def _holder(request: Request, services: Provided) -> tuple[User, Identity]:
    """Return the account of a request's key or token, and what a token that is granted to it may say."""
    token, _ = credentials.read(request.headers.raw)
    if is_key(token):
        holder = await services.api_keys.authenticate(token)
        models = None if holder.models is None else tuple(holder.models)
        return holder.user, _granted(holder.user.identity, Granted(holder.key_id, models))
    user = await services.accounts.authenticate(token)
    return user, _granted(services.accounts.verify_token(token), Granted())


def _granted(identity: Identity, granted: Granted) -> Identity:
    return Identity(identity.user_id, identity.email, identity.token_version, identity.login, granted)


async def _account(holder: Annotated[tuple[User, Identity], Depends(_holder)]) -> User:
    return holder[0]


async def _project(project_id: str, user: Annotated[User, Depends(_account)]) -> User:
    """Return the account if `project_id` is its own: an account has one project, with the account's id."""
    if project_id != str(user.id):
        raise Refusal("not_found", sentences.NO_PROJECT)
    return user


Account = Annotated[User, Depends(_account)]
Project = Annotated[User, Depends(_project)]


class Lifetime(BaseModel):
    ttl_seconds: Annotated[float, Field(ge=1, le=MAX_GRANT_SECONDS)] = 30


@v1.post("/auth/grant")
async def grant(
    holder: Annotated[tuple[User, Identity], Depends(_holder)],
    services: Provided,
    wanted: Annotated[Lifetime | None, Body()] = None,
) -> dict[str, Any]:
    """Grant a token that opens sessions here, within the limits of the key that asks."""
    seconds = (wanted or Lifetime()).ttl_seconds
    token = services.accounts.grant(holder[1], timedelta(seconds=seconds))
    return {"access_token": token, "expires_in": seconds}


@v1.get("/projects")
async def projects(user: Account, services: Provided) -> dict[str, Any]:
    return {"projects": [_project_body(user, services)]}


@v1.get("/projects/{project_id}")
async def project(user: Project, services: Provided) -> dict[str, Any]:
    return _project_body(user, services)


def _project_body(user: User, services: Services) -> dict[str, Any]:
    return {"project_id": str(user.id), "name": services.site.name}


@v1.get("/projects/{project_id}/balances")
async def balances(user: Project, services: Provided) -> dict[str, Any]:
    return {"balances": [await _balance(user, services)]}


@v1.get("/projects/{project_id}/balances/{balance_id}")
async def balance(balance_id: str, user: Project, services: Provided) -> dict[str, Any]:
    found = await _balance(user, services)
    if balance_id != found["balance_id"]:
        raise Refusal("not_found", sentences.NO_PROJECT)
    return found


async def _balance(user: User, services: Services) -> dict[str, Any]:
    seconds = (await services.ledger.balance(user.id)).seconds_remaining
    return {"balance_id": str(user.id), "amount": seconds / 60, "units": "minutes", "purchase_order_id": ""}


# Models


@v1.get("/models")
async def models(_: Account, services: Provided) -> dict[str, Any]:
    return {"stt": [_model(name) for name in services.rates.models], "tts": []}


@v1.get("/models/{model_id}")
async def model(model_id: str, _: Account, services: Provided) -> dict[str, Any]:
    for found in map(_model, services.rates.models):
        if model_id == found["uuid"]:
            return found
    raise Refusal("not_found", sentences.NO_MODEL)


@v1.get("/projects/{project_id}/models")
async def models_of_project(_: Project, services: Provided) -> dict[str, Any]:
    return {"stt": [_model(name) for name in services.rates.models], "tts": []}


@v1.get("/projects/{project_id}/models/{model_id}")
async def model_of_project(model_id: str, user: Project, services: Provided) -> dict[str, Any]:
    return await model(model_id, user, services)


def _model(name: str) -> dict[str, Any]:
    is_flux = name.startswith("flux")
    return {
        "name": "general",
        "canonical_name": name,
        "architecture": name,
        "languages": languages.spoken(name) or ["en"],
        "version": "latest",
        "uuid": str(uuid5(NAMESPACE_URL, name)),
        "batch": not is_flux,
        "streaming": True,
        "formatted_output": True,
    }

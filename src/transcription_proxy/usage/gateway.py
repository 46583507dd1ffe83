"""Reads the upstream's report of its requests: Deepgram's usage API. It sends nothing but GET.

Sources: deepgram-api-specs, deepgram-sdk 7.17 (manage.v1.projects.requests), and records captured from the live API on
2026-09-15 (deepgram-rust-sdk, src/manage/usage/response.rs)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, quote, urlsplit
from uuid import UUID

import httpx
import msgspec
import structlog
from msgspec import Struct

from transcription_proxy.backoff import Backoff
from transcription_proxy.stream.deepgram import milliseconds
from transcription_proxy.usage.compare import Request

PAGE_SIZE: Final = 1000
"""Requests on a page: the most that Deepgram allows."""
ATTEMPT_SECONDS: Final = 30.0
TRIES: Final = 6
BACKOFF: Final = Backoff(1.0, 30.0)
MAX_RETRY_AFTER_SECONDS: Final = 60.0
RETRIED: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
T = TypeVar("T")
log = structlog.get_logger(__name__)


class ReportFailed(Exception):
    """The report could not be read. `status`: of the last answer, None if no answer came. `detail`: why."""

    def __init__(self, status: int | None, detail: str) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail


class NoReport(Exception):
    """The server has no such report: it speaks Deepgram's API for streams only."""


class UsageReport:
    """The report of the server at `base`, an HTTP URL. `backoff`: pauses between tries, in seconds."""

    def __init__(
        self, base: str, key: str | None, *, proxy: str | None = None, backoff: Backoff = BACKOFF,
        timeout: float = ATTEMPT_SECONDS, page_size: int = PAGE_SIZE,
    ) -> None:  # fmt: skip
        headers = {"Authorization": f"Token {key}"} if key else {}
        try:
            self._client = httpx.AsyncClient(timeout=timeout, trust_env=False, proxy=proxy, headers=headers)
        except ImportError:  # httpx needs another package for SOCKS
            raise ReportFailed(None, "SOCKS proxy") from None
        self._base = base
        self._backoff = backoff
        self._page_size = page_size

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def projects(self) -> list[str]:
        """Return the ids of the projects that the key may see. Raise ReportFailed, NoReport."""
        found = await self._get("/v1/projects", _Projects, {})
        return [project.project_id for project in found.projects]

    async def requests(self, project: str, start: datetime, end: datetime) -> AsyncIterator[Request]:
        """Yield a project's requests that began between two moments. Raise ReportFailed, NoReport.

        A page may repeat requests of the one before, when others were added meanwhile. Each is yielded once."""
        path = f"/v1/projects/{quote(project, safe='')}/requests"
        asked = {"start": _moment(start), "end": _moment(end), "limit": str(self._page_size)}
        seen: set[str] = set()
        page = await self._get(path, _Page, asked)
        number = page.page  # Deepgram's first page is 0
        while page.requests:
            new = [one for one in page.requests if one.request_id not in seen]
            if not new:
                raise ReportFailed(200, "a page was repeated")
            seen.update(one.request_id for one in new)
            for one in new:
                yield one.plain()
            number += 1
            page = await self._get(path, _Page, {**asked, "page": str(number)})

    async def request(self, project: str, request_id: str) -> Request | None:
        """Return one request, None where the project has no such one. Raise ReportFailed."""
        path = f"/v1/projects/{quote(project, safe='')}/requests/{quote(request_id, safe='')}"
        try:
            return (await self._get(path, _One, {})).request.plain()
        except NoReport:
            return None

    async def _get(self, path: str, kind: type[T], query: dict[str, str]) -> T:
        """Return an answer. Pause and try again where the server asks for it, or fails."""
        for tries in range(1, TRIES + 1):
            try:
                answer = await self._client.get(self._base + path, params=query)
            except (httpx.HTTPError, ValueError) as error:  # ValueError: a proxy that httpx does not understand
                failure, pause = ReportFailed(None, type(error).__name__), self._backoff.pause(tries)
            else:
                if answer.status_code == 200:
                    return _decoded(answer.content, kind)
                if answer.status_code in (404, 405):
                    raise NoReport
                failure = ReportFailed(answer.status_code, _detail(answer))
                if answer.status_code not in RETRIED:
                    raise failure
                pause = max(self._backoff.pause(tries), _retry_after(answer))
            log.info("usage_report_failed", status=failure.status, detail=failure.detail, tries=tries)
            if tries < TRIES:
                await asyncio.sleep(pause)
        raise failure


class _Details(Struct):
    duration: float | None = None
    tags: list[Any] | None = None


class _Response(Struct):
    """`details` is missing where the request was refused."""

    details: _Details | None = None


class _Request(Struct):
    request_id: str
    path: str | None = None
    response: _Response | None = None

    def plain(self) -> Request:
        """Return the request as it is compared. One that was refused, or not answered, metered nothing."""
        details = self.response.details if self.response else None
        return Request(
            self.request_id,
            milliseconds(details.duration) if details else 0,
            tuple(_session_ids(self.path or "", details.tags or [] if details else [])),
        )


class _One(Struct):
    request: _Request


class _Page(Struct):
    requests: list[_Request] | None = None
    page: int = 0


class _Project(Struct):
    project_id: str


class _Projects(Struct):
    projects: list[_Project]


class _Error(Struct):
    err_msg: str = ""
    message: str = ""


def _session_ids(path: str, tags: list[Any]) -> list[UUID]:
    """Return the tags that are ids, each once. The service adds its own at the end of the query."""
    named = [value for name, value in parse_qsl(urlsplit(path).query) if name == "tag"]
    ids = [_uuid(tag) for tag in [*reversed(named), *tags]]
    return list(dict.fromkeys(one for one in ids if one is not None))


def _uuid(text: Any) -> UUID | None:
    try:
        return UUID(text) if isinstance(text, str) and len(text) == 36 else None
    except ValueError:
        return None


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")


def _decoded(content: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ReportFailed(200, "an answer that isn't a usage report") from None


def _detail(answer: httpx.Response) -> str:
    try:
        body = msgspec.json.decode(answer.content, type=_Error)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        body = _Error()
    text = answer.headers.get("dg-error") or body.err_msg or body.message
    return "".join(each for each in text if " " <= each <= "~")[:300]


def _retry_after(answer: httpx.Response) -> float:
    """Return the seconds that the server asks to wait, 0 where it does not say."""
    text = answer.headers.get("retry-after", "")
    return min(float(text), MAX_RETRY_AFTER_SECONDS) if text.isdigit() else 0.0

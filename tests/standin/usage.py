"""A stand-in for Deepgram's usage API: projects, and the requests that they made, page by page. It is strict: a request
that Deepgram's specification does not know is refused, so that a mistake of the service shows."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

FILTERS = {"start", "end", "limit", "page", "accessor", "request_id", "deployment", "endpoint", "method", "status"}
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(Z|[+-]\d{2}:\d{2})?)?")
Answer = tuple[int, dict[str, str], Any]
"""Status, headers and body."""


@dataclass
class UsageStandIn:
    """`answer` returns the answer to a request. `failures`: answers that come first, one for each request.

    `scopes`: what the key may do."""

    key: str = "dg-key-of-the-tests-4f1c0a"
    project: str = field(default_factory=lambda: str(uuid4()))
    requests: list[dict[str, Any]] = field(default_factory=list)
    failures: list[Answer] = field(default_factory=list)
    scopes: set[str] = field(default_factory=lambda: {"project:read", "usage:read"})
    targets: list[str] = field(default_factory=list)
    """What was asked for."""
    largest_page: int = 1000

    def add(
        self, request_id: str, target: str, *, duration: float | None = 0.0, channels: int = 1, code: int = 101,
        created: datetime | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Add a request as the live API reports it. `duration` None: without a figure. `code` 400 or more: refused."""
        tags = [value for name, value in parse_qsl(urlsplit(target).query) if name == "tag"]
        meter = {"duration": duration, "total_audio": duration, "channels": channels, "streams": 1, "tier": "nova-3"}
        details: dict[str, Any] = {
            "usd": 0.0,
            **(meter if duration is not None else {}),
            "models": [str(uuid4())],
            "method": "streaming" if code == 101 else "sync",
            "tags": tags,
            "features": [],
            "config": {},
        }
        moment = (created or datetime.now(UTC)).isoformat()
        answered = {"details": details, "token_details": [], "code": code, "completed": moment}
        refused = {"method": "sync", "message": "Bad Request", "code": code, "completed": moment}
        request = {
            "request_id": request_id,
            "project_uuid": self.project,
            "created": moment,
            "path": target,
            "api_key_id": str(uuid4()),
            "response": answered if code < 400 else refused,
            "callback": None,
        }
        self.requests.append(request)
        return request

    def answer(self, method: str, target: str, headers: Mapping[str, str]) -> Answer:
        self.targets.append(target)
        if self.failures:
            return self.failures.pop(0)
        if headers.get("authorization") != f"Token {self.key}":
            return _error(401, "INVALID_AUTH", "Invalid credentials.")
        if method != "GET":
            return _error(405, "METHOD_NOT_ALLOWED", "Only reading is allowed here.")
        parts = urlsplit(target)
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        match parts.path.split("/")[1:]:
            case ["v1", "projects"]:
                return self._projects(query)
            case ["v1", "projects", self.project, "requests", *rest] if len(rest) <= 1:
                return self._one(rest[0], query) if rest else self._list(query)
            case _:
                return _error(404, "NOT_FOUND", "Not found.")

    def _projects(self, query: list[tuple[str, str]]) -> Answer:
        if "project:read" not in self.scopes:
            return _error(403, "INSUFFICIENT_PERMISSIONS", "User does not have sufficient permissions.")
        if query:
            return _error(400, "Bad Request", "unknown parameter")
        return 200, {}, {"projects": [{"project_id": self.project, "name": "captions"}]}

    def _one(self, request_id: str, query: list[tuple[str, str]]) -> Answer:
        if "usage:read" not in self.scopes:
            return _error(403, "INSUFFICIENT_PERMISSIONS", "User does not have sufficient permissions.")
        if query:
            return _error(400, "Bad Request", "unknown parameter")
        found = [request for request in self.requests if request["request_id"] == request_id]
        return (200, {}, {"request": found[0]}) if found else _error(404, "NOT_FOUND", "Request not found.")

    def _list(self, query: list[tuple[str, str]]) -> Answer:
        if "usage:read" not in self.scopes:
            return _error(403, "INSUFFICIENT_PERMISSIONS", "User does not have sufficient permissions.")
        asked = dict(query)
        if len(asked) != len(query) or asked.keys() - FILTERS:
            return _error(400, "Bad Request", "unknown or repeated parameter")
        limit, page = asked.get("limit", "10"), asked.get("page", "0")
        if not limit.isdigit() or not 1 <= int(limit) <= 1000 or not page.isdigit():
            return _error(400, "Bad Request", "limit must be 1 to 1000, page 0 or more")
        if not all(MOMENT.fullmatch(asked[name]) for name in ("start", "end") if name in asked):
            return _error(400, "Bad Request", "start and end are YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS+HH:MM")
        size = min(int(limit), self.largest_page)
        listed = [one for one in self.requests if _is_between(one, asked.get("start"), asked.get("end"))]
        listed.sort(key=lambda one: str(one["created"]), reverse=True)  # newest first
        first = int(page) * size
        return 200, {}, {"page": int(page), "limit": size, "requests": listed[first : first + size]}


def _is_between(request: dict[str, Any], start: str | None, end: str | None) -> bool:
    created = datetime.fromisoformat(request["created"]).replace(microsecond=0)
    begin = _moment(start) if start else None
    until = _moment(end) if end else None
    return (begin is None or created >= begin) and (until is None or created <= until)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _error(status: int, code: str, message: str) -> Answer:
    request_id = str(uuid4())
    headers = {"dg-error": message, "dg-request-id": request_id}
    return status, headers, {"err_code": code, "err_msg": message, "request_id": request_id}


def as_bytes(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()

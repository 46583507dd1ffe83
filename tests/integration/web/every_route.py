"""Every route of the application, from its routers: a new route is in these tables by itself."""

import re
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

import httpx
from fastapi.routing import APIRoute

from tests.integration.web.site import code
from transcription_proxy.web import api, deepgram

DEEPGRAM: Final = "/v1/"
FILE: Final = "/static/page.css"
"""One of the mounted files. Starlette reads their paths as a file system does: slashes more change nothing."""
_PARAMETER: Final = re.compile(r"{(\w+)}")


@dataclass(frozen=True, slots=True)
class Route:
    """A path with `{parameters}`, its methods, and the names of its query parameters and of its body's fields."""

    path: str
    methods: frozenset[str]
    query: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()

    @property
    def is_deepgrams(self) -> bool:
        return self.path.startswith(DEEPGRAM)

    def filled(self, value: str = "x") -> str:
        """Return the path with a value, which is encoded already, in place of each parameter."""
        return _PARAMETER.sub(lambda _: value, self.path)

    @property
    def has_parameters(self) -> bool:
        return "{" in self.path


def routes() -> list[Route]:
    """Return each path once, with its methods."""
    found: dict[str, Route] = {FILE: Route(FILE, frozenset({"GET"}))}
    mounted = [("", module.router) for module in api.ROUTES] + [("/v1", deepgram.v1)]
    for prefix, router in mounted:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            path = prefix + route.path
            known = found.get(path, Route(path, frozenset()))
            body = route.body_field and getattr(route.body_field.field_info.annotation, "model_fields", {})
            found[path] = Route(
                path,
                known.methods | (route.methods or set()),
                (*known.query, *(each.alias for each in route.dependant.query_params)),
                (*known.fields, *(body or ())),
            )
    return list(found.values())


def url(raw: str) -> httpx.URL:
    """Return the URL of a path and query that are sent as they are."""
    return httpx.URL("http://captions").copy_with(raw_path=raw.encode())


def check(answer: httpx.Response, about: Any) -> None:
    """Assert that an answer is one of the service's own, in the shape of its part of the API, and no failure."""
    assert answer.status_code < 500 or answer.status_code == 503, (about, answer.text)
    assert answer.headers["x-request-id"]
    if answer.status_code < 400 or answer.headers["content-type"].startswith("text/html"):
        return
    if "dg-request-id" in answer.headers:
        assert set(answer.json()) == {"err_code", "err_msg", "request_id"}, about
        assert UUID(answer.json()["request_id"])
    else:
        code(answer)


def new_email() -> str:
    return f"{uuid4().hex}@example.org"

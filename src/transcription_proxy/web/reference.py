"""The API reference at /docs, made from the OpenAPI document with the template html/reference.html."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from transcription_proxy.web.frame import render
from transcription_proxy.web.services import Site

Row = tuple[str, str, str]
"""Name, type and remark of a field or parameter."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `id`: its anchor. `responses`: status, fields, and a description if it has none."""

    id: str
    request: str
    tag: str
    summary: str
    description: str
    needs: list[str]
    parameters: list[Row]
    body: list[Row]
    responses: list[tuple[str, list[Row], str]]


def page(document: dict[str, Any], site: Site) -> str:
    """Return the HTML of an OpenAPI document, a section for each operation."""
    info = document["info"]
    operations = read(document)
    by_tag: dict[str, list[Operation]] = {}
    for operation in operations:
        by_tag.setdefault(operation.tag, []).append(operation)
    about = {"title": info["title"], "description": info.get("description", "")}
    return render("reference.html", site, "/docs", operations=operations, by_tag=by_tag, **about)


def read(document: dict[str, Any]) -> list[Operation]:
    """Return the operations of an OpenAPI document, in its order."""
    return [
        _operation(method, path, operation, document)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def _operation(method: str, path: str, operation: dict[str, Any], document: dict[str, Any]) -> Operation:
    (tag, *_) = operation.get("tags") or ["Other"]
    return Operation(
        id=f"{method}-{re.sub(r'[^a-z0-9]+', '-', path.lower()).strip('-')}",
        request=f"{method.upper()} {path}",
        tag=tag,
        summary=_sentence(operation["summary"]),
        description=operation.get("description", ""),
        needs=[_needs(name, document) for scheme in operation.get("security") or [] for name in scheme],
        parameters=[_parameter(each) for each in operation.get("parameters", [])],
        body=list(_fields(_schema(operation.get("requestBody", {}), document), document)),
        responses=[_response(status, answer, document) for status, answer in operation["responses"].items()],
    )


def _sentence(summary: str) -> str:
    return summary if summary.endswith("?") else f"{summary}."


def _needs(scheme: str, document: dict[str, Any]) -> str:
    described = document["components"].get("securitySchemes", {}).get(scheme, {})
    return f"Needs `Authorization: Bearer <token>`. {described.get('description', '')}".strip()


def _response(status: str, answer: dict[str, Any], document: dict[str, Any]) -> tuple[str, list[Row], str]:
    fields = list(_fields(_schema(answer, document), document)) if status.startswith("2") else []
    return status, fields, answer["description"]


def _parameter(parameter: dict[str, Any]) -> Row:
    return (
        parameter["name"],
        f"{_type(parameter['schema'])}, in the {parameter['in']}",
        parameter.get("description", ""),
    )


def _fields(schema: dict[str, Any], document: dict[str, Any], prefix: str = "") -> Iterable[Row]:
    """Yield name, type and remark of each field, those of nested objects included."""
    for name, field in schema.get("properties", {}).items():
        optional = "" if name in schema.get("required", []) else "optional"
        yield prefix + name, _type(field), field.get("description", optional)
        inner = field.get("items", field)
        if "$ref" in inner:
            yield from _fields(
                _resolve(inner, document), document, prefix + name + ("[]." if inner is not field else ".")
            )


def _schema(holder: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    return _resolve(holder.get("content", {}).get("application/json", {}).get("schema", {}), document)


def _resolve(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return found


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if "$ref" in schema:
        return str(schema["$ref"].rsplit("/", 1)[1])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    return str(schema.get("format", schema.get("type", "any")))

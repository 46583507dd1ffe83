"""The page at /docs, written from the OpenAPI document: plain HTML that loads nothing but our own style sheet."""

import re
from collections.abc import Iterable
from html import escape
from typing import Any

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: API</title>
<link rel="icon" href="/static/favicon.svg">
<link rel="stylesheet" href="/static/page.css">
</head>
<body>
<main>
<h1>{title}: API</h1>
{description}
<p>For programs: <a href="/openapi.json">/openapi.json</a></p>
{operations}
</main>
</body>
</html>
"""


def page(document: dict[str, Any]) -> str:
    """HTML of an OpenAPI document, one section for each operation."""
    operations = [
        _operation(method, path, operation, document)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    info = document["info"]
    return _PAGE.format(
        title=escape(info["title"]), description=_text(info.get("description", "")), operations="\n".join(operations)
    )


def _operation(method: str, path: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    parts = [f"<h3><code>{method.upper()} {escape(path)}</code></h3>", _text(operation["summary"] + ".")]
    parts.append(_text(operation.get("description", "")))
    if operation.get("security"):
        parts.append(_text("Needs `Authorization: Bearer <token>`."))
    parts.append(_table("Parameters", map(_parameter, operation.get("parameters", []))))
    body = operation.get("requestBody", {"content": {}})
    parts.append(_table("Body (JSON)", _fields(_schema(body, document), document)))
    parts += [_answer(status, answer, document) for status, answer in operation["responses"].items()]
    return "<section>\n" + "\n".join(filter(None, parts)) + "\n</section>"


def _answer(status: str, answer: dict[str, Any], document: dict[str, Any]) -> str:
    schema = _schema(answer, document)
    if status.startswith("2") and schema.get("properties"):
        return _table(f"Answer {status}", _fields(schema, document))
    return _text(f"{status}: {answer['description']}")


def _parameter(parameter: dict[str, Any]) -> tuple[str, str, str]:
    return (
        parameter["name"],
        f"{_type(parameter['schema'])}, in the {parameter['in']}",
        parameter.get("description", ""),
    )


def _fields(schema: dict[str, Any], document: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, str, str]]:
    """Name, type and remark of each field, those of objects inside it as well."""
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


def _table(caption: str, rows: Iterable[tuple[str, str, str]]) -> str:
    cells = [
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(kind)}</td><td>{_inline(remark)}</td></tr>"
        for name, kind, remark in rows
    ]
    if not cells:
        return ""
    return f'<div class="scroll"><table><caption>{escape(caption)}</caption>{"".join(cells)}</table></div>'


def _text(text: str) -> str:
    return f"<p>{_inline(text)}</p>" if text else ""


def _inline(text: str) -> str:
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))

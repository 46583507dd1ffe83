"""The page at /docs, written from the OpenAPI document: plain HTML inside the frame that all our pages have."""

import re
from collections.abc import Iterable
from html import escape
from typing import Any, Final

from transcription_proxy.web.frame import framed
from transcription_proxy.web.services import Site

_PAGE: Final = """<html lang="en">
<head>
<title>API · {title}</title>
<script type="module" src="/static/frame.js"></script>
</head>
<main class="page" id="content">
<div class="wrap stack loose">
<div class="stack tight">
<h1>{title}: API</h1>
{description}
<p>OpenAPI document: <a href="/openapi.json">/openapi.json</a></p>
</div>
<div class="reference">
<nav aria-label="Requests">
{contents}
</nav>
<div>
{operations}
</div>
</div>
</div>
</main>
</html>"""


def page(document: dict[str, Any], site: Site) -> str:
    """HTML of an OpenAPI document, a section for each operation."""
    operations = [
        (_id(method, path), method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    info = document["info"]
    own = _PAGE.format(
        title=escape(info["title"]),
        description=_text(info.get("description", "")),
        contents=_contents(operations),
        operations="\n".join(_operation(*each, document) for each in operations),
    )
    return framed(own, site, "/docs")


def _id(method: str, path: str) -> str:
    return f"{method}-{re.sub(r'[^a-z0-9]+', '-', path.lower()).strip('-')}"


def _contents(operations: list[tuple[str, str, str, dict[str, Any]]]) -> str:
    """Links by tag, in the order of the document."""
    by_tag: dict[str, list[str]] = {}
    for place, method, path, operation in operations:
        (tag, *_) = operation.get("tags") or ["Other"]
        by_tag.setdefault(tag, []).append(f'<li><a href="#{place}">{method.upper()} {escape(path)}</a></li>')
    return "\n".join(f"<h2>{escape(tag)}</h2>\n<ul>{''.join(links)}</ul>" for tag, links in by_tag.items())


def _operation(place: str, method: str, path: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    parts = [
        f'<h3 id="{place}"><code>{method.upper()} {escape(path)}</code></h3>',
        _text(_sentence(operation["summary"])),
    ]
    parts.append(_text(operation.get("description", "")))
    parts += [_needs(name, document) for scheme in operation.get("security") or [] for name in scheme]
    parts.append(_table("Parameters", map(_parameter, operation.get("parameters", []))))
    body = operation.get("requestBody", {"content": {}})
    parts.append(_table("Body (JSON)", _fields(_schema(body, document), document)))
    parts += [_answer(status, answer, document) for status, answer in operation["responses"].items()]
    return '<section class="stack tight">\n' + "\n".join(filter(None, parts)) + "\n</section>"


def _sentence(summary: str) -> str:
    return summary if summary.endswith("?") else f"{summary}."


def _needs(scheme: str, document: dict[str, Any]) -> str:
    described = document["components"].get("securitySchemes", {}).get(scheme, {})
    return _text(f"Needs `Authorization: Bearer <token>`. {described.get('description', '')}".strip())


def _answer(status: str, answer: dict[str, Any], document: dict[str, Any]) -> str:
    schema = _schema(answer, document)
    if status.startswith("2") and schema.get("properties"):
        return _table(f"Response {status}", _fields(schema, document))
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

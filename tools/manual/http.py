"""The page of HTTP requests, from the service's OpenAPI document."""

from itertools import groupby

from tools.manual.markdown import code, page, table
from transcription_proxy.web.api import outline
from transcription_proxy.web.reference import Operation, Row, read
from transcription_proxy.web.services import Site


def render() -> str:
    document = outline(Site()).openapi()
    introduction = (
        "Made from the service's OpenAPI document, which the running service has at `/openapi.json`, "
        f"and as a page at `/docs`.\n\n{document['info']['description']}"
    )
    by_tag = groupby(sorted(read(document), key=lambda operation: operation.tag), lambda operation: operation.tag)
    return page(
        "HTTP",
        introduction,
        *(f"## {tag}\n\n" + "\n\n".join(map(_operation, operations)) for tag, operations in by_tag),
    )


def _operation(operation: Operation) -> str:
    parts = [
        f"### {code(operation.request)}",
        operation.summary,
        operation.description,
        *operation.needs,
        _fields("Parameter", operation.parameters),
        _fields("Field of the body", operation.body),
        *(_fields(f"Field of response {status}", rows) for status, rows, _ in operation.responses),
        table(["Response", ""], [[status, text] for status, rows, text in operation.responses if not rows]),
    ]
    return "\n\n".join(part.strip() for part in parts if part)


def _fields(head: str, rows: list[Row]) -> str:
    return table([head, "Type", ""], [[code(name), kind, remark] for name, kind, remark in rows])

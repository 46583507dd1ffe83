"""The string literals of Python and JavaScript source, with what stands around them."""

import ast
import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).parents[3] / "src"
STATIC: Final = SOURCE / "transcription_proxy" / "web" / "static"
REFERENCE: Final = ("summary", "description")
"""Arguments that describe a route: the API reference stands beside its routes, as a command's help does."""
_TOKEN: Final = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)|"(?P<double>(?:[^"\\\n]|\\.)*)"|'(?P<single>(?:[^'\\\n]|\\.)*)'"""
    r"""|`(?P<template>(?:[^`\\]|\\.)*)`|(?P<regex>(?<=[(,=:!&|?{;])\s*/(?![*/])(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\n])+/)""",
    re.DOTALL,
)
_HOLE: Final = re.compile(r"\$\{(?:[^{}]|\{[^{}]*\})*\}")


@dataclass(frozen=True, slots=True)
class Literal:
    """`place`: file:line. `before`: what stands before it on its line. `shown`: whether it is handed to people."""

    place: str
    text: str
    before: str = ""
    shown: bool = False


def python(path: Path) -> Iterator[Literal]:
    """Literals that somebody may read: no docstrings, no log events, no messages of developers' exceptions."""
    yield from _visit(ast.parse(path.read_text()), path.relative_to(SOURCE))


def _visit(node: ast.AST, path: Path, shown: bool = False) -> Iterator[Literal]:
    text = _text(node)
    if text is not None:
        assert isinstance(node, ast.expr)
        yield Literal(f"{path}:{node.lineno}", text, shown=shown)
    elif not _is_for_developers(node):
        refusal = isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Refusal"
        for child in ast.iter_child_nodes(node):
            yield from _visit(child, path, refusal)


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)  # type: ignore[misc]
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _is_for_developers(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)  # a docstring
    if isinstance(node, ast.keyword):
        return node.arg in REFERENCE
    if not isinstance(node, ast.Call):
        return isinstance(node, ast.Assert)
    name = ast.unparse(node.func)
    raised = getattr(builtins, name, None)
    return "log" in name.split(".")[0] or (isinstance(raised, type) and issubclass(raised, Exception))


def javascript(path: Path) -> Iterator[Literal]:
    """Strings and templates; a template's holes read `{}`. No messages of developers' errors, no HTTP headers."""
    source = path.read_text()
    for token in _TOKEN.finditer(source):
        kind = token.lastgroup
        if kind in ("comment", "regex") or kind is None:
            continue
        line = source.count("\n", 0, token.start()) + 1
        before = source[: token.start()].rsplit("\n", 1)[-1]
        if not before.endswith("new Error(") and "Authorization" not in before:
            text = _HOLE.sub("{}", token[kind])
            yield Literal(f"{path.name}:{line}", text, before, shown=before.rstrip().endswith("},"))

"""SQL lives in `queries.sql` beside the module that runs it: a name, a line of purpose, the statement."""

from importlib.resources import files


class Queries:
    """Statements by name, as attributes or by index. A missing name raises AttributeError or KeyError."""

    def __init__(self, statements: dict[str, str]) -> None:
        self._statements = statements

    def __getitem__(self, name: str) -> str:
        return self._statements[name]

    def __getattr__(self, name: str) -> str:
        try:
            return self._statements[name]
        except KeyError:
            raise AttributeError(f"no query is named {name}") from None


def load(package: str) -> Queries:
    """The statements of `queries.sql` in `package`."""
    return parse((files(package) / "queries.sql").read_text())


def parse(text: str) -> Queries:
    """Each statement follows `-- name: x` and at least one comment line with its purpose. Raises ValueError."""
    statements: dict[str, str] = {}
    for block in ("\n" + text).split("\n-- name:")[1:]:
        name, statement = _statement(block)
        if name in statements:
            raise ValueError(f"two queries are named {name}")
        statements[name] = statement
    return Queries(statements)


def _statement(block: str) -> tuple[str, str]:
    head, *lines = block.strip().splitlines()
    name = head.strip()
    body = [line for line in lines if not line.startswith("--")]
    if not name.isidentifier() or len(body) == len(lines) or not "".join(body).strip():
        raise ValueError(f"query {name!r} needs a plain name, a line of purpose and a statement")
    return name, "\n".join(body).strip()

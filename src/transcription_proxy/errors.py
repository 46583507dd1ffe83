"""The one error vocabulary inside the service: a code and a sentence for the person it goes to.

Each edge has one table from code to its own status: web/errors.py, the wire's close codes, cli/errors.py."""


class Refusal(Exception):
    """A request that cannot be granted. `code` is public and stable (docs/protocol.md), `message` says what to do.

    `retry_after`: seconds until the same request may be granted, where that is known."""

    def __init__(self, code: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.code = str(code)
        self.message = message
        self.retry_after = retry_after


class Unavailable(Exception):
    """The database is away or too slow to answer: nothing was changed that will not be found again."""


class TooSlow(Unavailable):
    """A statement waited too long, perhaps for one locked row only: the rest of the database may work."""


class ConfigError(Exception):
    """Every mistake found in the configuration, one sentence each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems

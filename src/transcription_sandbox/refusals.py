"""What the sandbox says when it does not do what it was asked: Stripe's error bodies. Pure."""

from typing import Any


class Refused(Exception):
    """`final`: the same request would be refused again, so the answer is kept for its idempotency key."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        final: bool = True,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.kind = kind
        self.code = code
        self.param = param
        self.final = final

    def body(self) -> dict[str, Any]:
        error = {"code": self.code, "message": self.message, "param": self.param, "type": self.kind}
        if self.code is not None:
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        return {"error": {name: value for name, value in error.items() if value is not None}}


def missing(noun: str, name: str, *, param: str = "id", status: int = 404) -> Refused:
    """No object of that id: 404 where the path names it, 400 where a parameter does."""
    return Refused(f"No such {noun}: '{name}'", status=status, code="resource_missing", param=param)


def malformed(message: str, *, code: str | None = None, param: str | None = None) -> Refused:
    """Found before anything was done."""
    return Refused(message, code=code, param=param, final=False)

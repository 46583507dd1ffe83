"""Errors of the sandbox, with the bodies that Stripe gives them."""

from typing import Any


class ApiError(Exception):
    """A request that is not granted.

    `is_final`: a repeat would fail alike, so the answer is stored for the request's idempotency key."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        is_final: bool = True,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.is_final = is_final
        self._kind = kind
        self._code = code
        self._param = param

    def body(self) -> dict[str, Any]:
        """Return the JSON object of the answer."""
        error = {"code": self._code, "message": self.message, "param": self._param, "type": self._kind}
        return {"error": {name: value for name, value in error.items() if value is not None}}


def not_found(kind: str, name: str, *, param: str = "id", status: int = 404) -> ApiError:
    """Return the error for an unknown id: 404 where the path names it, 400 where a parameter does."""
    return ApiError(f"No such {kind}: '{name}'", status=status, code="resource_missing", param=param)


def bad_request(message: str, *, code: str | None = None, param: str | None = None) -> ApiError:
    """Return the error for a malformed request, which may be corrected and sent again under the same key."""
    return ApiError(message, code=code, param=param, is_final=False)

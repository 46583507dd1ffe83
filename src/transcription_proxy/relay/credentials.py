"""The credential of a Deepgram client's handshake (protocol 6). Values only."""

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal
from transcription_proxy.relay.request_head import Headers
from transcription_wire.codes import ErrorCode

SCHEMES = ("token", "bearer")


def read(headers: Headers) -> tuple[str, str | None]:
    """Return the API key or token, and the subprotocol to answer with. Raise Refusal unauthorized without either.

    `Authorization` counts before the subprotocols. The subprotocol is never the credential itself."""
    offered = _offered(headers)
    names = [value.lower() for value in offered]
    scheme = next((index for index, name in enumerate(names) if name in SCHEMES), None)
    authorizations = [value.decode("latin-1") for name, value in headers if name == b"authorization"]
    if authorizations:
        chosen = 0 if offered and scheme is None else scheme
        return _authorized(authorizations), None if chosen is None else offered[chosen]
    if scheme is None or scheme + 1 >= len(offered):
        raise _unauthorized()
    return offered[scheme + 1], offered[scheme]


def _offered(headers: Headers) -> list[str]:
    values = [value.decode("latin-1") for name, value in headers if name == b"sec-websocket-protocol"]
    return [value.strip() for value in ",".join(values).split(",") if value.strip()]


def _authorized(authorizations: list[str]) -> str:
    scheme, _, token = authorizations[0].strip().partition(" ")
    if len(authorizations) > 1 or scheme.lower() not in SCHEMES or not token.strip():
        raise _unauthorized()
    return token.strip()


def _unauthorized() -> Refusal:
    return Refusal(ErrorCode.UNAUTHORIZED, sentences.NO_CREDENTIALS)

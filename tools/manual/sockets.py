"""The page of socket messages, from their types in transcription_wire and in the overlay's package."""

import types
import typing
from typing import Any, Final, Literal, get_args, get_origin

import msgspec

from tools.manual.markdown import code, page, table
from transcription_proxy.overlay import messages as overlay
from transcription_proxy.stream.options import CHECKS, DEFAULTS
from transcription_wire import messages as wire
from transcription_wire.codes import CLOSE_CODES, REASON_CLOSE_CODES, ErrorCode, Reason, status_of
from transcription_wire.sentences import ENDS, ERRORS

INTRODUCTION: Final = (
    "Made from the types that service and clients share. [protocol.md](../protocol.md) says when each message is sent, "
    "and what a client may rely on. Times and durations are seconds."
)
JSON: Final = {str: "string", int: "whole number", float: "number", bool: "true or false", Any: "any", list: "list"}


def render() -> str:
    overlay_types = (overlay.Auth, *get_args(overlay.Shown), overlay.Heartbeat, overlay.Failed)
    return page(
        "Socket messages",
        INTRODUCTION,
        "## The client sends, on `/ws/transcribe`\n\nAudio goes in binary frames.",
        *map(_message, get_args(wire.ClientMessage)),
        "### Options of `config`",
        table(["Option", "Value", "Default"], [[code(key), CHECKS[key][0], _default(key)] for key in CHECKS]),
        "## The server sends",
        *map(_message, get_args(wire.ServerMessage)),
        "## Errors",
        table(["`code`", "Close code", "Sentence"], map(_error, ErrorCode)),
        "`bad_message` closes the socket only after the hundredth in one session.",
        "## Reasons in `session_end`",
        table(["`reason`", "Status", "Close code", "Sentence"], map(_reason, Reason)),
        "## The overlay socket, `/ws/overlay`\n\nThe page sends `auth`; the rest comes from the server.",
        *map(_message, overlay_types),
    )


def _message(kind: type[msgspec.Struct]) -> str:
    config, hints = kind.__struct_config__, typing.get_type_hints(kind)
    fields = [
        [code(field.encode_name), json_type(hints[field.name]), "" if field.required else "optional"]
        for field in msgspec.structs.fields(kind)
    ]
    sample = code(f'{{"{config.tag_field}":"{config.tag}"}}')
    parts = (f"### {sample}", " ".join((kind.__doc__ or "").split()), table(["Field", "Type", ""], fields))
    return "\n\n".join(part for part in parts if part)


def json_type(hint: Any) -> str:
    """Return a type as a reader of JSON names it."""
    origin, inside = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " or ".join(code(f'"{value}"') for value in inside)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(json_type(each) for each in inside if each is not msgspec.UnsetType)
    if hint is types.NoneType:
        return "null"
    if origin is list:
        return f"list of {json_type(inside[0])}"
    if origin is dict:
        return "object"
    return JSON[hint]


def _default(key: str) -> str:
    return code(msgspec.json.encode(DEFAULTS[key]).decode()) if key in DEFAULTS else ""


def _error(error: ErrorCode) -> list[str]:
    return [code(error), str(CLOSE_CODES[error]), ERRORS[error].full]


def _reason(reason: Reason) -> list[str]:
    return [code(reason), status_of(reason), str(REASON_CLOSE_CODES[reason]), ENDS[reason].sentence.full]

"""`expand[]=data.payment_intent.latest_charge`: objects in the place of their ids."""

from collections.abc import Sequence
from typing import Final

from transcription_sandbox import objects
from transcription_sandbox.errors import bad_request
from transcription_sandbox.state import Object, Records

REFERENCES: Final = {
    ("checkout.session", "payment_intent"): "payment_intent",
    ("payment_intent", "latest_charge"): "charge",
}
"""The kind of object whose id a field holds, by the kind of the object that has the field."""


def expand(records: Records, thing: Object, paths: Sequence[str]) -> Object:
    """Replace the ids at each path by their objects, and return `thing`. Raise ApiError for an unknown path."""
    for path in paths:
        _expand(records, thing, path.split("."), path)
    return thing


def _expand(records: Records, thing: Object, steps: Sequence[str], path: str) -> None:
    kind, name, rest = thing["object"], steps[0], steps[1:]
    if (kind, name) == ("list", "data") and rest:
        for one in thing["data"]:
            _expand(records, one, rest, path)
        return
    if (kind, name) == ("charge", "refunds"):
        refunds = records.find("refund", {"charge": thing["id"]})
        thing[name] = objects.page(f"/v1/charges/{thing['id']}/refunds", refunds)
    elif (kind, name) not in REFERENCES:
        raise bad_request(f"This property cannot be expanded ({path}).", param="expand")
    elif thing[name] is not None:
        thing[name] = records.get(REFERENCES[kind, name], thing[name])
    if rest and thing[name] is not None:
        _expand(records, thing[name], rest, path)

"""`expand[]=data.payment_intent.latest_charge`: the objects themselves instead of their ids."""

from collections.abc import Sequence
from typing import Any, Final

from transcription_sandbox import checkout, objects
from transcription_sandbox.refusals import malformed
from transcription_sandbox.state import Object, Records

REFERENCES: Final = {
    "checkout.session": {"customer": "customer", "payment_intent": "payment_intent"},
    "payment_intent": {"customer": "customer", "latest_charge": "charge"},
    "charge": {"customer": "customer", "payment_intent": "payment_intent"},
    "refund": {"charge": "charge", "payment_intent": "payment_intent"},
    "dispute": {"charge": "charge", "payment_intent": "payment_intent"},
}
"""Which fields of which objects hold ids, and of what."""
DEEPEST: Final = 4


def expanded(records: Records, thing: Object, paths: Sequence[str]) -> Object:
    """Raises Refused for what cannot be expanded."""
    for path in paths:
        steps = path.split(".")
        if len(steps) > DEEPEST:
            raise malformed(f"You cannot expand more than {DEEPEST} levels of a property ({path}).", param="expand")
        _expand(records, thing, steps, path)
    return thing


def _expand(records: Records, thing: Object, steps: Sequence[str], path: str) -> None:
    if not steps:
        return
    name, rest = steps[0], steps[1:]
    if thing["object"] == "list" and name == "data":
        for one in thing["data"]:
            _expand(records, one, rest, path)
        return
    below = _filled(records, thing, name, path)
    if isinstance(below, dict):
        _expand(records, below, rest, path)


def _filled(records: Records, thing: Object, name: str, path: str) -> Any:
    """The field, with an object where there was an id."""
    kind = thing["object"]
    if (kind, name) == ("checkout.session", "line_items"):
        lines = checkout.items(records, thing)
        thing[name] = objects.listing(f"/v1/checkout/sessions/{thing['id']}/line_items", lines)
    elif (kind, name) == ("charge", "refunds"):
        refunds = records.listed("refund", {"charge": thing["id"]})
        thing[name] = objects.listing(f"/v1/charges/{thing['id']}/refunds", refunds)
    elif name not in REFERENCES.get(kind, {}):
        raise malformed(f"This property cannot be expanded ({path}).", param="expand")
    elif isinstance(thing[name], str):
        thing[name] = records.get(REFERENCES[kind][name], thing[name])
    return thing[name]
